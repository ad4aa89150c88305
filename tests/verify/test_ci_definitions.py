"""The action, the workflows and the examples for a CI: they obey the published schemas, and no input is run as a script."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.verify.calling import ROOT, called

ACTION, WORKFLOW, HOOKS, GUIDE = ROOT / "action.yml", ROOT / ".github" / "workflows" / "verify.yml", ROOT / ".pre-commit-hooks.yaml", ROOT / "docs" / "ci.md"

SCHEMAS = {"action.yml": "vendor.github-actions", "workflow.yml": "vendor.github-workflows", "gitlab.yml": "vendor.gitlab-ci"}
"""Of SchemaStore, as check-jsonschema ships them."""


def loaded(text: str) -> Any:
    return YAML(typ="safe").load(text)


def examples() -> dict[str, str]:
    """The guide's examples, by the file that each is to be."""
    return {text.split("\n")[0].removeprefix("# "): text for text in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)}


def refusal(text: str, name: str, folder: Path) -> str:
    """What the schema has against a file; empty if nothing."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name], str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr


def files() -> dict[str, tuple[str, str]]:
    """Each file with the name that says its schema, and what would break it."""
    told = examples()
    return {
        "the action": ("action.yml", ACTION.read_text(encoding="utf-8")),
        "the workflow": ("workflow.yml", WORKFLOW.read_text(encoding="utf-8")),
        "the guide's workflow": ("workflow.yml", told[".github/workflows/icl-verify.yml"]),
        "the guide's GitLab job": ("gitlab.yml", told[".gitlab-ci.yml"]),
    }


@pytest.mark.parametrize("what", files())
def test_it_obeys_its_schema(what: str, tmp_path: Path) -> None:
    name, text = files()[what]
    assert refusal(text, name, tmp_path) == ""


BROKEN = {
    "action.yml": ("using: composite", "using: compost"),
    "workflow.yml": ("runs-on: ubuntu-latest", "run-on: ubuntu-latest"),
    "gitlab.yml": ("when: always", "when: perhaps"),
}


@pytest.mark.parametrize("what", ["the action", "the workflow", "the guide's GitLab job"])
def test_a_file_that_breaks_its_schema_is_refused(what: str, tmp_path: Path) -> None:
    name, text = files()[what]
    right, wrong = BROKEN[name]
    assert right in text
    assert refusal(text.replace(right, wrong), name, tmp_path)


def scripts(definition: Any) -> list[dict[str, Any]]:
    """The steps of an action or a workflow that run a script."""
    jobs = [definition["runs"]] if "runs" in definition else definition["jobs"].values()
    return [step for job in jobs for step in job["steps"] if "run" in step]


def run_as_script(definition: Any) -> list[str]:
    """Steps into whose script an expression is written, where its value would be run."""
    return [step["run"] for step in scripts(definition) if "${{" in step["run"]]


@pytest.mark.parametrize("what", ["the action", "the workflow", "the guide's workflow"])
def test_no_input_is_written_into_a_script(what: str) -> None:
    definition = loaded(files()[what][1])
    assert run_as_script(definition) == []
    if what == "the action":
        assert len(scripts(definition)) == 5
        assert all(step["shell"] == "bash" for step in scripts(definition))


def test_an_input_that_is_written_into_a_script_is_seen() -> None:
    assert run_as_script({"runs": {"steps": [{"run": "verify all --out ${{ inputs.out }}"}]}})


HOSTILE = """x"; touch planted; echo '$(touch planted) `touch planted` --help"""


def program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def ran(name: str, folder: Path, status: int = 0, **inputs: str) -> tuple[int, list[list[str]], Path]:
    """Run the action's step of that name as GitHub would, with a ``verify`` that writes down how it is called."""
    (step,) = [step for step in scripts(loaded(ACTION.read_text(encoding="utf-8"))) if step["name"] == name]
    programs = folder / "icl-verify" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    writes = "print(json.dumps([sys.argv[1:], os.environ.get('ICL_VERIFY_CACHE')]), file=open('called', 'a'))"
    program(programs / "verify", f"#!{sys.executable}\nimport json, os, sys\n{writes}\nsys.exit({status})\n")
    program(programs / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    given = {"RUNNER_TEMP": str(folder), "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "page")}
    for key, expression in step.get("env", {}).items():
        wanted = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", expression)
        assert wanted, f"{key} is {expression}"
        given[key] = inputs[wanted[1]]
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=folder, env={**os.environ, **given}, capture_output=True, check=False
    )
    said = folder / "called"
    calls = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
    return done.returncode, calls, folder


def test_inputs_reach_the_command_as_they_are(tmp_path: Path) -> None:
    words = ["all", "--profile=quick", f"--seed={HOSTILE}", f"--out={HOSTILE}"]
    status, calls, folder = ran("Verify", tmp_path, profile="quick", seed=HOSTILE, out=HOSTILE, baseline="")
    assert (status, calls) == (0, [[words, f"{tmp_path}/icl-verify-cache"]])
    status, calls, folder = ran("Verify", tmp_path, profile="quick", seed=HOSTILE, out=HOSTILE, baseline=HOSTILE)
    assert (status, calls[-1][0]) == (0, [*words, f"--baseline={HOSTILE}"])
    status, calls, folder = ran("Compare with the baseline", tmp_path, out="--help", baseline=HOSTILE)
    assert (status, calls[-1][0]) == (0, ["gate", f"--baseline={HOSTILE}", "--", "--help"])
    assert not (folder / "planted").exists()


def test_the_exit_status_is_the_steps_own_and_an_output(tmp_path: Path) -> None:
    status, _, folder = ran("Verify", tmp_path, status=3, profile="quick", seed="0", out="run", baseline="")
    assert status == 3
    assert (folder / "output").read_text() == "status=3\n"


def test_the_summary_is_appended_or_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("before\n")
    assert ran("Summarise", tmp_path, out="run")[0] == 0
    assert (tmp_path / "page").read_text() == "before\n"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.md").write_text("# held\n")
    assert ran("Summarise", tmp_path, out="run")[0] == 0
    assert (tmp_path / "page").read_text() == "before\n# held\n"


def test_the_cache_is_kept_under_what_determines_the_blocks(tmp_path: Path) -> None:
    assert ran("Name what determines the trained blocks", tmp_path)[0] == 0
    key = (tmp_path / "output").read_text().strip()
    assert re.fullmatch(rf"key=python{re.escape(sys.version.split()[0])}-torch{re.escape(version('torch'))}-[0-9a-f]{{64}}", key)
    action = loaded(ACTION.read_text(encoding="utf-8"))
    (cache,) = [step["with"] for step in action["runs"]["steps"] if step.get("uses", "").startswith("actions/cache@")]
    assert cache["path"] == "${{ runner.temp }}/icl-verify-cache"
    assert "steps.blocks.outputs.key" in cache["key"]


def test_report_and_summary_are_kept_whatever_came_of_the_run() -> None:
    steps = loaded(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    kept = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@") or step.get("name") == "Summarise"]
    assert [step["if"] for step in kept] == ["always()", "always()"]


def test_the_guide_uses_inputs_that_there_are_and_the_gate_is_still_run() -> None:
    inputs = loaded(ACTION.read_text(encoding="utf-8"))["inputs"]
    (step,) = [step for step in loaded(examples()[".github/workflows/icl-verify.yml"])["jobs"]["verify"]["steps"] if "with" in step]
    assert set(step["with"]) <= set(inputs)
    jobs = loaded(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    assert any(step.get("run") == "bash .ci/run" for step in jobs["verify"]["steps"])
    assert any(step.get("uses") == "./" for step in jobs["report"]["steps"])


def test_the_guide_tells_every_exit_status() -> None:
    from verify import exit_status

    told = {int(number) for number in re.findall(r"^\| (\d+) \|", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)}
    assert told == {exit_status.HELD, exit_status.FAILED, exit_status.WRONG_CALL, exit_status.INCOMPLETE, exit_status.INTERRUPTED}


def test_each_hook_runs_a_command_that_there_is() -> None:
    hooks = {hook["id"]: hook for hook in loaded(HOOKS.read_text(encoding="utf-8"))}
    for hook in hooks.values():
        program, command = hook["entry"].split()
        assert program == "verify"
        assert called(command, "--help").status == 0
        assert {"name", "language", "description"} <= set(hook)
    (repository,) = loaded(examples()[".pre-commit-config.yaml"])["repos"]
    assert {hook["id"] for hook in repository["hooks"]} <= set(hooks)
