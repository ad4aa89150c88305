"""The exit status is never taken from the process in which a user's code runs, however that ends; an interrupt reaches it, and no end leaves it behind."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verify.calling import ROOT, Answer, environment, plant, planted
from tests.verify.endings import MAIN
from verify.exit_status import FAILED, HELD, INCOMPLETE, INTERRUPTED, WRONG_CALL

CALL = "import sys; from verify.apart import run_apart; from verify.streams import prepare; prepare(); sys.exit(run_apart(sys.argv[1:], {main!r}))"


def begun(*words: str, code: Path = ROOT) -> "subprocess.Popen[str]":
    places = {**environment(code), "PYTHONPATH": os.pathsep.join([str(code), str(ROOT)])}
    call = [sys.executable, "-c", CALL.format(main=MAIN), *words]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=places, cwd=code, start_new_session=True)


def ended(*words: str, code: Path = ROOT) -> Answer:
    process = begun(*words, code=code)
    out, err = process.communicate(timeout=20)  # less than what is left running lives
    return Answer(process.returncode, out, err)


@pytest.mark.parametrize("status", [HELD, FAILED, WRONG_CALL, INCOMPLETE, INTERRUPTED])
def test_the_status_is_the_one_that_was_reported(status: int) -> None:
    assert ended("exit in atexit", str(status)) == Answer(status, "", "")


WITHOUT_A_REPORT = {
    "exit": "ended with exit code 0",
    "exit in atexit": "ended with exit code 0",
    "exit in a thread": "ended with exit code 0",
    "sys.exit": "ended with exit code 0",
    "no such status": "ended with exit code 0",
    "a status without the token": "ended with exit code 0",
    "close all": "ended with exit code 0",
    "killed": "was ended by signal 9 (SIGKILL, as the system does when memory runs out)",
}


@pytest.mark.parametrize("way", WITHOUT_A_REPORT)
def test_an_end_without_a_report_is_no_success(way: str) -> None:
    answer = ended(way)
    assert answer.status == INCOMPLETE
    assert answer.err == f"the process in which your code runs {WITHOUT_A_REPORT[way]} before there was a result: nothing was decided\n"


def test_a_traceback_is_passed_on() -> None:
    answer = ended("raise")
    assert answer.status == INCOMPLETE
    assert "IndexError" in answer.err
    assert "ended with exit code 1" in answer.err


def test_a_command_that_believed_the_exit_code_would_be_noticed(tmp_path: Path) -> None:
    """The planted negative of the ways above."""
    code = planted(tmp_path, "verify/apart.py", "return INTERRUPTED if self._interrupted else INCOMPLETE", "return self._process.returncode")
    assert ended("exit", code=code).status == HELD


def test_what_is_left_running_is_not_waited_for() -> None:
    """It holds the streams open for longer than this test waits."""
    answer = ended("leave a child", "0")
    assert answer.status == HELD
    os.kill(int(answer.err), signal.SIGKILL)


def test_control_characters_are_shown_and_tabs_and_lines_stay() -> None:
    assert ended("print", "0") == Answer(HELD, "", "a\tb\\x1b[2J\\x07\\rü\\u202e\n\\x9b")


def test_the_answer_stands_on_stdout_and_what_was_printed_on_stderr() -> None:
    assert ended("steps", "0") == Answer(HELD, "an answer\n", "before\nbetween\n")


@pytest.mark.parametrize(("number", "everyone"), [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGINT, True)])
def test_an_interrupt_reaches_the_other_process_and_the_status_is_that_one_s(number: signal.Signals, everyone: bool) -> None:
    """everyone: it is sent to both processes, as at a terminal."""
    process = begun("wait", "130")
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    (os.killpg if everyone else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (INTERRUPTED, "interrupted\n")


def test_an_interrupt_that_the_code_does_not_survive_is_an_interrupt() -> None:
    process = begun("wait for ever")
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED


def hurried(folder: Path) -> Path:
    """The code, which ends a process soon."""
    code = planted(folder, "verify/apart.py", "AFTER_A_RESULT = 5.0", "AFTER_A_RESULT = 0.3")
    plant(code, "verify/apart.py", "AFTER_AN_INTERRUPT = 30.0", "AFTER_AN_INTERRUPT = 0.3")
    return code


@pytest.mark.parametrize("status", [HELD, INTERRUPTED])
def test_a_thread_that_never_ends_does_not_keep_the_command(status: int, tmp_path: Path) -> None:
    """It sleeps for longer than this test waits; the result is the one that was reported, after an interrupt too."""
    answer = ended("leave a thread", str(status), code=hurried(tmp_path))
    assert answer == Answer(status, "", "waiting\nthe process in which your code runs had not ended 0.3 s after the result, and was ended\n")


def test_code_that_heeds_no_interrupt_is_ended(tmp_path: Path) -> None:
    process = begun("heed no interrupt", code=hurried(tmp_path))
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (INTERRUPTED, "the process in which your code runs had not ended 0.3 s after the interrupt, and was ended\n")


@pytest.mark.soak
def test_without_that_it_would_keep_the_command() -> None:
    """The planted negative: five seconds are not over."""
    process = begun("leave a thread", "0")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_the_other_process_ends_with_the_one_that_was_called() -> None:
    process = begun("wait for ever")
    assert process.stderr is not None
    assert process.stdout is not None
    assert process.stderr.readline() == "waiting\n"
    process.kill()
    assert process.stdout.read() == "", "it ends when the last one who holds it is gone"
    process.communicate(timeout=20)


def test_at_a_terminal_progress_is_shown_and_gone_before_the_answer() -> None:
    ours, theirs = pty.openpty()
    call = [sys.executable, "-c", CALL.format(main=MAIN), "steps", "1"]
    with subprocess.Popen(call, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment(), "TERM": "xterm"}, cwd=ROOT) as process:
        os.close(theirs)
        shown = b""
        try:
            while read := os.read(ours, 1024):
                shown += read
        except OSError:  # as Linux says that nobody holds a terminal any more
            pass
    os.close(ours)
    assert process.returncode == FAILED
    assert b"1/2" in shown
    assert shown.index(b"before") < shown.index(b"between") < shown.index(b"1/2") < shown.index(b"an answer")
    assert shown.endswith(b"an answer\r\n")
