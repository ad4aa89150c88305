"""Every command of the page about blocks of your own does what the page says, and every example ends as its table says."""

import re
from pathlib import Path

import pytest

from tests.verify.calling import ROOT, called, verify

PAGE = (ROOT / "docs" / "own_blocks.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    verify (check docs/examples/.+)$", PAGE, re.MULTILINE)
ENDINGS = dict(zip(COMMANDS, (0, 0, 1, 3), strict=True))
"""As the paragraph below the commands says."""
TABLE = {
    name: int(row.split("|")[3].strip()[0]) for row in PAGE[PAGE.index("## Examples") :].splitlines() for name in re.findall(r"\((examples/\w+\.py)\)", row)
}


def ends_with(words: str, tmp_path: Path) -> int:
    answer = verify(*words.split(), "--device", "cpu", "--out", str(tmp_path / "run"), cwd=ROOT)
    assert (tmp_path / "run" / "report" / "index.html").is_file(), answer.err
    return answer.status


@pytest.mark.soak
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_ends_as_the_page_says(command: str, tmp_path: Path) -> None:
    assert ends_with(command, tmp_path) == ENDINGS[command]


@pytest.mark.soak
@pytest.mark.parametrize("example", TABLE)
def test_each_example_ends_as_its_table_says(example: str, tmp_path: Path) -> None:
    assert ends_with(f"check docs/{example}:make_block --cases 32", tmp_path) == TABLE[example]


def test_the_table_has_every_example_and_the_page_says_how_its_commands_end() -> None:
    assert {*TABLE} == {f"examples/{path.name}" for path in (ROOT / "docs" / "examples").glob("*.py")}
    assert all(f"ends with {status}" in PAGE or f"exit status {status}" in PAGE or f"with {status}," in PAGE for status in {*ENDINGS.values(), 2})


def test_the_options_that_the_page_names_are_the_commands() -> None:
    usage = PAGE[: PAGE.index("measures what")]
    options = re.findall(r"--[a-z]+", usage)
    assert len(options) == 6
    shown = called("check", "--help").out
    assert [option for option in options if option not in shown] == []
