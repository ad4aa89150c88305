"""The command line starts quickly, and the README tells the truth about it."""

import re
import subprocess
import sys
from dataclasses import fields
from typing import get_type_hints

import pytest

from tests.verify.calling import ROOT, called, environment, verify
from verify.plan import Request

HEAVY = {"torch", "sympy", "jinja2", "matplotlib", "pydantic"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_heavy_library(option: str) -> None:
    lines = "import sys", "from verify.__main__ import main", f"sys.argv = ['verify', '{option}']", "try: main()", "except SystemExit: pass"
    probe = "\n".join([*lines, "print('\\nMODULES', *sys.modules)"])
    done = subprocess.run([sys.executable, "-c", probe], env=environment(), capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split("\nMODULES ")[1].split())
    assert "verify.__main__" in loaded
    assert not HEAVY & loaded


def test_the_check_for_heavy_libraries_sees_one() -> None:
    """The planted negative of the test above: a module that is imported is in the list that it reads."""
    done = subprocess.run([sys.executable, "-c", "import sys, jinja2\nprint('\\nMODULES', *sys.modules)"], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split("\nMODULES ")[1].split()) == {"jinja2"}


def test_help_starts_in_under_two_fifths_of_a_second() -> None:
    """Of the processor's time, and the best of several: other work on the machine only ever slows one down."""
    answers = [verify("--help") for _ in range(7)]
    assert all(answer.status == 0 for answer in answers)
    assert 0 < min(answer.cpu for answer in answers) < 0.4


def test_every_command_of_the_readme_exists() -> None:
    section = (ROOT / "README.md").read_text().split("## Commands")[1].split("## How it works")[0]
    lines = re.findall(r"^    verify (\S+)(.*)$", section, flags=re.MULTILINE)
    assert len(lines) >= 6
    for command, rest in lines:
        answer = verify(command, "--help")
        assert answer.status == 0
        for option in re.findall(r"--[a-z]+", rest):
            assert option in answer.out, f"verify {command} has no {option}"


def test_a_request_s_fields_are_the_options_of_the_commands_that_make_a_run() -> None:
    """Each is an option of the three commands together, with the help that its field has; and no command asks for what is no request of its own."""
    shown = {name: " ".join(called(name, "--help").out.replace("│", " ").split()) for name in ("all", "stress", "check")}
    for field in fields(Request):
        if field.name != "verb":
            option = "FILE:FUNCTION" if field.name == "target" else f"--{field.name.replace('_', '-')}"
            taking = [name for name, text in shown.items() if option in text]
            assert taking, f"no command has {option}"
            assert "check" in taking or "stress" in taking
            (parameter,) = get_type_hints(Request, include_extras=True)[field.name].__metadata__
            assert all(" ".join(parameter.help.split()[:3]) in shown[name] for name in taking)


def test_no_arguments_show_the_help() -> None:
    answer = verify()
    assert answer.status == 2
    assert "Usage" in answer.out + answer.err


@pytest.mark.parametrize("kind", ["claims", "blocks", "formats", "scenarios", "variants", "profiles"])
def test_lists_are_objects_with_an_id(kind: str) -> None:
    import json

    answer = called("list", kind, "--json")
    assert answer.status == 0
    rows = json.loads(answer.out)
    assert rows
    assert all(isinstance(row["id"], str) and row["id"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    told = called("list", kind).out
    assert all(row["id"] in told for row in rows)


def test_the_gate_runs_the_readme_as_it_stands() -> None:
    """.ci/run takes its two commands from the README; what it would take is two commands that install, run and test."""
    shown = subprocess.run(["sed", "-n", "/^## Set-up/,/^## /s/^    //p", str(ROOT / "README.md")], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ['pip install -c constraints.txt -e ".[dev]" && verify all', "pytest"]
    assert "/^## Set-up/,/^## /s/^    //p" in (ROOT / ".ci" / "run").read_text()
