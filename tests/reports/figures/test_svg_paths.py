"""An outline is written in few bytes and runs through the same places; it is read back here by the rules of SVG, command by command."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.figures.svg_paths import outline, tenths, written

PLACES = st.tuples(st.floats(-999, 999), st.floats(-999, 999))
STEPS = {"M": 1, "L": 1, "Q": 2, "C": 3}


def places(data: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """Absolute places of each command (SVG 2, section 9.3): h and v are lines, and operands without a letter repeat the last command."""
    words = re.findall(r"[a-zA-Z]|-?(?:\d*\.\d+|\d+)", data)
    found: list[tuple[str, list[tuple[float, float]]]] = []
    x = y = start_x = start_y = 0.0
    command = ""
    while words:
        if words[0].isalpha():
            command = words.pop(0)
        if command == "z":
            found.append(("z", []))
            x, y = start_x, start_y
        elif command in "hv":
            step = float(words.pop(0))
            x, y = (x + step, y) if command == "h" else (x, y + step)
            found.append(("L", [(x, y)]))
        else:
            steps = [(float(words.pop(0)), float(words.pop(0))) for _ in range(STEPS[command.upper()])]
            if command.islower():
                steps = [(x + across, y + down) for across, down in steps]
            x, y = steps[-1]
            found.append((command.upper(), steps))
            if command in "Mm":
                start_x, start_y = x, y
                command = "L" if command == "M" else "l"  # what follows a move without a letter are lines
    return found


@st.composite
def outlines(draw: st.DrawFn) -> tuple[str, list[tuple[str, list[tuple[float, float]]]]]:
    """As matplotlib writes them: every part starts with a move."""
    commands: list[tuple[str, list[tuple[float, float]]]] = []
    for _ in range(draw(st.integers(1, 3))):
        commands.append(("M", [draw(PLACES)]))
        for command in draw(st.lists(st.sampled_from("LLLQC"), max_size=5)):
            commands.append((command, [draw(PLACES) for _ in range(STEPS[command])]))
        if draw(st.booleans()):
            commands.append(("z", []))
    return "\n".join(" ".join([command, *(f"{number:.6f}" for place in of for number in place)]) for command, of in commands), commands


@given(outlines())
def test_it_runs_through_the_same_places(drawn):
    data, commands = drawn
    short = written(outline(data))
    assert len(short) <= len(data)
    read = places(short)
    assert [command for command, _ in read] == [command for command, _ in commands]
    for (_, found), (_, meant) in zip(read, commands, strict=True):
        for one, other in zip(found, meant, strict=True):
            assert one == pytest.approx(other, abs=0.05 + 1e-6), "no further off than half a tenth, however long the outline"


def test_by_hand():
    assert written(outline("M 10 20 \nL 10 25.04 \nL 12 25 \nL 13 24 \nL 14.5 24.5 \nz\nM 0.5 0 \nL 0 0 ")) == "M10 20v5h2l1-1 1.5 .5zm-9.5-20h-.5"
    assert written(outline("M 0 0 \nL 0 3.5 ", 56.46, 177.74)) == "M56.5 177.7v3.5"
    assert written(outline("")) == ""


def test_a_place_that_is_off_would_be_seen():
    assert places("M10 20v5h2")[-1][1] != places("M10 20v5h3")[-1][1]
    assert places("M0 0h5zh1") == places("M0 0L5 0zL1 0"), "a closed part ends where it began"


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (-5, "-.5"), (5, ".5"), (10, "1"), (-1230, "-123"), (1234, "123.4")])
def test_tenths(number, text):
    assert tenths(number) == text


def test_a_command_that_is_not_known_is_no_silent_loss():
    with pytest.raises(KeyError):
        outline("A 1 2")
