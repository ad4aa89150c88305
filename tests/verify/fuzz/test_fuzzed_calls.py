"""Command lines drawn from the options of all commands, with values that make sense and values that make none: no traceback, no hang, one line if wrong.

What a right call would do for minutes (train, probe, measure, search) is left out; that a call is right, and which plan it makes, is not.
"""

import random
import webbrowser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest

from reports.record import RunRecord
from reports.record.record_files import write_run
from tests import gate_samples as drawn
from tests import report_samples as samples
from tests.verify.calling import ROOT, called
from tests.verify.fuzz.test_fuzzed_files import SECONDS, sound, within
from verify.__main__ import app
from verify.commands import adversary, all_stress_check, doctor, prove, train
from verify.exit_status import FAILED, HELD, INCOMPLETE, WRONG_CALL
from verify.run_folder import OpenRun


@dataclass(frozen=True, slots=True)
class Drawable:
    """An argument or an option of a command."""

    name: str
    option: str | None
    """None for an argument."""
    kind: str
    """Its type, in words."""
    required: bool


def taken(command: Any) -> list[Drawable]:
    """What a command takes, by its signature."""
    found = []
    for name, parameter in signature(command.callback).parameters.items():
        kind, *info = get_args(parameter.annotation) or (parameter.annotation,)
        if not info:
            continue  # the context, which no caller gives
        option = type(info[0]).__name__ == "OptionInfo"
        written = next((word for word in info[0].param_decls or () if word.startswith("--")), "--" + name.replace("_", "-"))
        found.append(Drawable(name, written if option else None, str(kind), parameter.default is Parameter.empty))
    return found


COMMANDS = {str(command.name): taken(command) for command in app.registered_commands}

NAMES = (
    "attention",
    "pre-ln",
    "fp32",
    "bf16",
    "random",
    "near_zero",
    "formula",
    "scaled",
    "theorem-2.2",
    "summation-order",
    "quick",
    "standard",
    "cpu",
    "cuda",
)
NAMES += ("auto", "claims", "errata", "blocks", "formats", "scenarios", "variants", "refinements", "profiles", "exhaustive", "stack")
NUMBERS = ("0", "1", "2", "7", "-1", "1e3", "0.5", "nan", "inf", "-0", "1_000", "0x10", "9" * 30, "9" * 5000, "٣", "")
WORDS = ("", " ", "x", "-", "--", "--help", "a=b", "\x1b[31m", "a\nb", "é", "\udcff", "x" * 5000, "$(id)", "*", "None", "%s", "{}")
PATHS = ("run", "rich", "kept.json", "nowhere", "nowhere/deeper", "run/run.json", "run/run.json/below", ".", "empty", "/dev/null", "/proc/nope", "n" * 300)
TARGETS = (
    f"{ROOT}/docs/examples/attention_block.py:make_block",
    "file.py:make",
    "file.py:nothing",
    "broken.py:make",
    "file.py",
    "nowhere.py:make",
    ":",
    "file.py:",
)


def value_for(parameter: Drawable, chance: random.Random) -> str:
    """Mostly of the right kind."""
    likely = TARGETS if parameter.name == "target" else PATHS if "Path" in parameter.kind else NAMES if "str" in parameter.kind else NUMBERS
    return chance.choice(likely if chance.random() < 0.9 else chance.choice((NAMES, NUMBERS, WORDS, PATHS, TARGETS)))


def call(chance: random.Random) -> list[str]:
    """A command, most of its arguments, some of its options, and now and then something that is no part of it."""
    name = chance.choice([*COMMANDS])
    words = [name]
    for parameter in COMMANDS[name]:
        if parameter.option is None:
            words += [value_for(parameter, chance) for _ in range(chance.choice((0, 1, 1, 1, 1, 1, 2)))]
        elif chance.random() < (0.95 if parameter.required else 0.12):
            for _ in range(chance.choice((1, 1, 1, 2))):
                value = [] if "bool" in parameter.kind else [value_for(parameter, chance)]
                words += [f"{parameter.option}={value[0]}"] if value and chance.random() < 0.5 else [parameter.option, *value]
    if chance.random() < 0.1:
        words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS))
    return words


def ended(start: OpenRun, step: object) -> RunRecord:
    """In place of a run."""
    record = samples.record(cells=[])
    write_run(record, start.folder)
    return record


@contextmanager
def nothing_that_takes_long() -> Iterator[None]:
    """Every command does all that it does but train, probe and measure."""
    proofs: dict[str, Any] = {}
    original, load = prove.prove, prove.load_claims

    def proved(claim: Any) -> Any:
        if claim.id not in proofs:
            proofs[claim.id] = original(claim)
        return proofs[claim.id]

    class Untrained:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def results(self) -> list[object]:
            return []

    def not_trained(*_: object, **__: object) -> Any:
        raise adversary.BlockNotTrained("left out")

    few = {"load_claims": lambda names: load(names or ["theorem-2.2", "rank"])}
    with (
        patch.object(all_stress_check, "run_plan", ended),
        patch.object(train, "Training", Untrained),
        patch.object(adversary, "trained", not_trained),
        patch.object(prove, "prove", proved),
        patch.multiple(prove, **few),
        patch.object(doctor, "MODES", ()),
        patch.object(webbrowser, "open", lambda _: True),
    ):
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    drawn.run_of(7, folder / "run", size=64)
    assert called("baseline", str(folder / "run"), "--out", str(folder / "kept.json"), "--reason", "why").status == 0
    (folder / "empty").mkdir()
    (folder / "file.py").write_text("make = 3\n")
    (folder / "broken.py").write_text("def make(:\n")
    return folder


def tried(seeds: range, place: Path) -> Counter[int]:
    statuses: Counter[int] = Counter()
    with nothing_that_takes_long():
        for seed in seeds:
            words = call(random.Random(seed))
            with within(SECONDS):
                statuses[sound(called(*words, cwd=place), f"seed {seed}: {words}")] += 1
    return statuses


def test_some_calls(place: Path) -> None:
    found = tried(range(25), place)
    assert found[WRONG_CALL] > 5


@pytest.mark.soak
def test_three_hundred_calls(place: Path) -> None:
    found = tried(range(300), place)
    print(sorted(found.items()))
    assert set(found) <= {HELD, FAILED, WRONG_CALL, INCOMPLETE}
    assert found[WRONG_CALL] > 100
    assert found[HELD] > 10


def test_every_command_and_every_option_is_drawn() -> None:
    words = {word.partition("=")[0] for seed in range(300) for word in call(random.Random(seed))}
    assert {*COMMANDS} <= words
    assert {parameter.option for parameters in COMMANDS.values() for parameter in parameters if parameter.option} <= words
    assert sum(map(len, COMMANDS.values())) > 60
