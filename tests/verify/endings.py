"""What a user's code may do to its process, played in the other process of ``verify.apart`` without torch: the words say what, one after the other."""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from verify.apart import Reporter

MAIN = "from tests.verify.endings import main"


def main(socket: int, token: str) -> None:
    """Do as the words of the command say."""
    reporter = Reporter(socket, token)
    actions: dict[str, Callable[[], object]] = {
        "exit": lambda: os._exit(0),
        "exit in atexit": lambda: atexit.register(os._exit, 0),
        "exit in a thread": _exit_in_a_thread,
        "sys.exit": lambda: sys.exit(0),
        "raise": lambda: [][0],
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "no such status": lambda: os.write(socket, b'["status", 0]\n'),
        "a status without the token": lambda: os.write(socket, f'{"0" * len(token)} ["status", 0]\n'.encode()),
        "close all": lambda: os.closerange(3, 256),
        "leave a child": lambda: print(subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL).pid, file=sys.stderr, flush=True),
        "print": lambda: os.write(2, "a\tb\x1b[2J\x07\r\u00fc\u202e\n\x9b".encode()),
        "wait": _wait,
        "wait for ever": _wait_for_ever,
        "steps": lambda: _step(reporter),
        "leave a thread": lambda: threading.Thread(target=_wait_for_ever).start(),
        "heed no interrupt": _heed_no_interrupt,
    }
    for word in sys.argv[1:]:
        if word.isdecimal():
            reporter.report("status", int(word))
        else:
            actions[word]()


def _exit_in_a_thread() -> None:
    threading.Thread(target=os._exit, args=(0,)).start()
    time.sleep(60)


def _wait_for_ever() -> None:
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(60)


def _heed_no_interrupt() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _wait_for_ever()


def _wait() -> None:
    """Until interrupted; then the process ends as a command would."""
    try:
        print("waiting", file=sys.stderr, flush=True)
        for _ in range(600):  # in short sleeps: a signal that comes just before a long one is heeded after it
            time.sleep(0.1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)


def _step(reporter: Reporter) -> None:
    with reporter.bars() as step:
        os.write(2, b"before\n")
        step("measure", 1, 2)
        os.write(2, b"between\n")
    os.write(1, b"an answer\n")
