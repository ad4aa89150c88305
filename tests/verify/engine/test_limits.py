"""Cells that crash their process or take too long: told as what they are, with a log, and the others go on."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verify.calling import Answer, environment, once, plant, planted, scratch_copy, verify

CELLS = ("stress", "--device", "cpu", "--block", "attention", "--format", "fp32", "--variant", "formula", "--cases", "64")

FIRST_LINE = "    context, query = drawn(subject, cases, generator)\n"
"""Of what draws a scenario's cases."""

HANGS = "    import time\n\n    time.sleep(600)\n"

CRASHES = {
    "repeated": "    import ctypes\n    import sys\n\n    print('its last words', file=sys.stderr, flush=True)\n    ctypes.string_at(0)\n",
    "huge": "    import os\n    import signal\n\n    os.kill(os.getpid(), signal.SIGKILL)\n",
}
"""One reads memory that is not there, one is killed, as when memory runs out."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """These and one that holds, in two processes. No limit: on a busy machine a short one would be over before a process had crashed."""

    def run(folder: Path) -> Answer:
        code = scratch_copy(folder / "code")
        for name, defect in CRASHES.items():
            plant(code, f"numeric/scenarios/{name}.py", FIRST_LINE, defect + FIRST_LINE)
        words = [word for name in ("random", *CRASHES) for word in ("--scenario", name)]
        return verify(*CELLS, *words, "--jobs", "2", "--out", str(folder / "run"), "--json", code=code, cwd=code)

    answer, folder = once("crashes", tmp_path_factory, run)
    return answer, folder / "run"


def told(answer: Answer) -> dict[str, dict[str, Any]]:
    """Its cells by their scenarios."""
    return {cell["scenario"]: cell for cell in json.loads(answer.out)["cells"]}


def headline(run: Path) -> str:
    page = (run / "report" / "index.html").read_text()
    return page[page.index("<h1>") : page.index("</h1>")].removeprefix("<h1>")


def test_the_others_go_on_and_the_run_is_incomplete(ran: tuple[Answer, Path]) -> None:
    cells = told(ran[0])
    assert ran[0].status == 3
    assert cells["random"]["verdict"] == "HOLDS"
    assert set(cells) == {"random", *CRASHES}
    assert headline(ran[1]) == "Incomplete: 2 cells broke; of the rest, 64 cases inside their bounds."


def test_a_cell_that_takes_too_long_is_a_timeout(tmp_path: Path) -> None:
    code = planted(tmp_path / "code", "numeric/scenarios/permuted.py", FIRST_LINE, HANGS + FIRST_LINE)
    answer = verify(*CELLS, "--scenario", "permuted", "--jobs", "2", "--cell-seconds", "4", "--out", str(tmp_path / "run"), "--json", code=code, cwd=code)
    (cell,) = told(answer).values()
    assert answer.status == 3
    assert cell["verdict"] == "TIMEOUT"
    assert cell["reason"] == "it took longer than the 4 seconds that it may take (--cell-seconds)"
    assert cell["cases"] == 0
    assert "1 cell ran out of time" in headline(tmp_path / "run")


def test_a_cell_that_crashes_its_process_is_an_error_with_a_log(ran: tuple[Answer, Path]) -> None:
    cells = told(ran[0])
    for scenario, how in (("repeated", "signal 11 (SIGSEGV, a segmentation fault"), ("huge", "signal 9 (SIGKILL, as the system does when memory runs out")):
        assert cells[scenario]["verdict"] == "ERROR"
        assert how in cells[scenario]["reason"]
        log = f"crashes/attention_fp32_formula_{scenario}.txt"
        assert cells[scenario]["reason"].endswith(f"its log is {log}")
        said = (ran[1] / log).read_text()
        assert said.startswith(f"attention/fp32/formula/{scenario}\n")
        assert how in said
        if scenario == "repeated":
            assert "its last words" in said
            assert f"numeric/scenarios/{scenario}.py" in said  # where it was, from faulthandler
    assert "its last words" in ran[0].err  # what a process says is not kept from who looks on


def test_a_limit_says_what_is_allowed(tmp_path: Path) -> None:
    answer = verify(*CELLS, "--cell-seconds", "0", cwd=tmp_path)
    assert answer.status == 2
    assert "--cell-seconds" in answer.err
    assert answer.err.count("\n") == 1


def test_a_run_whose_time_is_over_stops_and_says_so(tmp_path: Path) -> None:
    """In its one process, which is stopped, a cell hangs; that cell and what comes behind it is told."""
    code = planted(tmp_path / "code", "numeric/scenarios/permuted.py", FIRST_LINE, HANGS + FIRST_LINE)
    began, run = time.monotonic(), tmp_path / "run"
    answer = verify(*CELLS, "--scenario", "permuted", "--scenario", "near_zero", "--jobs", "1", "--run-seconds", "10", "--out", str(run), code=code, cwd=code)
    assert time.monotonic() - began < 90
    assert answer.status == 3
    assert "ran out of time" in answer.out
    record = json.loads((run / "run.json").read_text())
    assert {cell["verdict"] for cell in record["cells"] if cell["scenario"] == "permuted"} == {"TIMEOUT"}
    assert [(row["verdict"], row["reason"]) for row in record["not_swept"]] == [("TIMEOUT", "not begun when the run's 10 seconds were over")]
    assert record["run"]["finished"] is not None
    assert record["run"]["command"].endswith("--run-seconds 10")
    assert not (run / "journal.jsonl").exists()


def test_a_run_without_any_time_has_checked_nothing(tmp_path: Path) -> None:
    """Not a claim, not a cell, not a sweep; and each is told."""
    answer = verify("all", "--profile", "quick", "--device", "cpu", "--run-seconds", "0.001", "--out", str(tmp_path / "run"), "--json")
    assert answer.status == 3, answer.err
    record = json.loads(answer.out)
    assert {claim["verdict"] for claim in record["claims"]} == {"TIMEOUT"}
    assert len(record["cells"]) > 50
    assert {cell["verdict"] for cell in record["cells"]} == {"TIMEOUT"}
    assert record["totals"]["holds"] == 0
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert f"<h1>Incomplete: {len(record['claims'])} claims ran out of time and {len(record['cells'])} cells ran out of time, and nothing else was" in page


def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    """Its processes see that it is gone, although one of them hangs."""
    if not Path("/proc").exists():
        pytest.skip("this system tells nothing of processes in /proc")
    hangs = f"    open({str(tmp_path / 'hangs')!r}, 'w').close()\n" + HANGS
    code = planted(tmp_path / "code", "numeric/scenarios/permuted.py", FIRST_LINE, hangs + FIRST_LINE)
    words = [sys.executable, "-m", "verify", *CELLS, "--scenario", "permuted", "--jobs", "2", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(words, env=environment(code), cwd=code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until((tmp_path / "hangs").exists, 120)
    assert len(of_session(process.pid)) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not of_session(process.pid), 60)
    assert of_session(process.pid) == []


def of_session(session: int) -> list[int]:
    """Processes of a session that are not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = path.read_text().rsplit(")", 1)[1].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        if int(its) == session and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()
