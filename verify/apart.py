"""A user's code in a process of its own: what it does to that process, it does not do to the command.

``os._exit(0)``, a signal, an atexit hook or a library that ends the program would otherwise be the end of the command, with a status of their choosing. The
command is therefore two processes. One is called, runs none of the user's code, and waits. The other does the work and reports the status on a socket of
theirs, before it ends: that report is the command's status, and the exit code of the other process is never looked at, but to say how it ended without one.

The answer goes to stdout from where it is made. What the other process writes to stderr is passed on with its control characters shown. An interrupt of
either is the other's. When the process that was called is gone, so is the other. When the result is there, or an interrupt, and the other process does not end
for a thread or an atexit hook of the user's, it is ended.
"""

import codecs
import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import FrameType

from verify.engine.endings import ended_how
from verify.exit_status import FAILED, HELD, INCOMPLETE, INTERRUPTED, WRONG_CALL
from verify.progress import OnStep, progress_bars
from verify.streams import passed_on, say

ENDS_IT = (signal.SIGINT, signal.SIGTERM)

AFTER_A_RESULT = 5.0
"""Seconds that the process has to end in after its report: what still runs there is no part of the result."""

AFTER_AN_INTERRUPT = 30.0
"""Seconds that it has to end in after an interrupt, in which a run is left in order, if it does not report before."""

A_PIPE = 2**16
"""Bytes that a pipe holds at most, on Linux and macOS."""

MAIN = "from verify.__main__ import main_apart as main"
"""What defines the main function of the process in which the user's code runs: called with a socket's descriptor and a token."""

TABLE = (HELD, FAILED, WRONG_CALL, INCOMPLETE, INTERRUPTED)


class Reporter:
    """The end of the socket in the process where the user's code runs.

    descriptor: the socket's; token: what each report begins with, so that nothing else that lands there is taken for one. Ctrl-C reaches both processes of
    a terminal; this one heeds what the other hands on, SIGTERM.
    """

    def __init__(self, descriptor: int, token: str) -> None:
        self._socket, self._token, self._may_go_on = socket.socket(fileno=descriptor), token, threading.Event()
        self._socket.set_inheritable(False)
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS_IT)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Until the other process is gone: nobody waits for the result any more."""
        try:
            while self._socket.recv(1):
                self._may_go_on.set()
        except OSError:  # the user's code closed the socket: the other process says that there is no result
            return
        os._exit(INCOMPLETE)

    def report(self, *words: object) -> None:
        """Tell the other process. If the user's code closed the socket, that one says that there is no result."""
        with contextlib.suppress(OSError):
            self._socket.sendall(f"{self._token} {json.dumps(words)}\n".encode())

    @contextlib.contextmanager
    def bars(self) -> Iterator[OnStep]:
        """Progress bars in the other process; when the context ends they are gone, and what was printed before is on the terminal."""
        try:
            yield lambda label, done, total: self.report("step", label, done, total)
        finally:
            self._may_go_on.clear()
            self.report("over")
            self._may_go_on.wait()


def run_apart(words: list[str], main: str = MAIN) -> int:
    """Have the command's words carried out in another process.

    Returns the status that it reports; without one INTERRUPTED or INCOMPLETE, with the reason on stderr.
    """
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    token = secrets.token_hex(16)
    # The same modules as here, wherever the program was started and under whatever name.
    code = f"import sys; sys.path[:] = {sys.path!r}; {main}; main({theirs.fileno()}, {token!r})"
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing starts its own
    with ExitStack() as after:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS_IT)  # until both processes heed them: no interrupt is lost
        after.callback(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
        after.callback(os.close, reading)
        try:
            process = subprocess.Popen([sys.executable, *flags, "-c", code, *words], stdout=sys.stdout, stderr=writing, pass_fds=[theirs.fileno()])
        finally:
            theirs.close()
            os.close(writing)
        after.callback(process.wait)
        after.callback(ours.close)  # whatever happens here, that process does not outlive this one
        other = _Other(process, ours, reading, token)
        for number in ENDS_IT:
            after.callback(signal.signal, number, signal.signal(number, other.interrupt))
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return other.status()


class _Other:
    """The process in which the user's code runs, as the one that was called sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", reports: socket.socket, errors: int, token: str) -> None:
        for descriptor in (reports.fileno(), errors):
            os.set_blocking(descriptor, False)
        self._process, self._reports, self._errors, self._token = process, reports, errors, token
        self._decode = codecs.getincrementaldecoder(sys.stderr.encoding or "utf-8")("backslashreplace").decode
        self._unread = b""
        self._status: int | None = None
        self._interrupted = False
        self._ended_after: float | None = None
        self._step: OnStep | None = None
        self._bars = ExitStack()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Hand an interrupt on."""
        self._interrupted = True
        self._process.send_signal(signal.SIGTERM)
        self._end_after(AFTER_AN_INTERRUPT)

    def _end_after(self, seconds: float) -> None:
        """End the process if it is there still after so many seconds."""

        def end() -> None:
            if self._process.poll() is None:
                self._ended_after = seconds
                self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()

    def status(self) -> int:
        """Wait until the process ends, passing on what it writes. Others may hold its streams for longer: they are not waited for."""
        over, ends = os.pipe()
        with self._bars, open(over, "rb"), open(ends, "wb", buffering=0) as ended, selectors.DefaultSelector() as selector:
            waiting = threading.Thread(target=lambda: ended.write(bytes([self._process.wait() & 0])))
            waiting.start()
            for descriptor in (over, self._errors, self._reports.fileno()):
                selector.register(descriptor, selectors.EVENT_READ)
            ready: set[int] = set()
            while over not in ready:
                ready = {key.fd for key, _ in selector.select()}
                for descriptor, has_more in ((self._errors, self._pass_on), (self._reports.fileno(), self._read_reports)):
                    if (descriptor in ready or over in ready) and not has_more() and descriptor in selector.get_map():
                        selector.unregister(descriptor)
            waiting.join()
        self._write(self._decode(b"", True))
        if self._ended_after is not None:
            after = "interrupt" if self._status is None else "result"
            say(f"the process in which your code runs had not ended {self._ended_after:g} s after the {after}, and was ended")
        if self._status is not None:
            return self._status
        if self._interrupted and self._ended_after is not None:
            return INTERRUPTED
        say(f"the process in which your code runs {ended_how(self._process.returncode)} before there was a result: nothing was decided")
        return INTERRUPTED if self._interrupted else INCOMPLETE

    def _pass_on(self) -> bool:
        """What the process wrote to stderr by now. Returns whether there may be more one day."""
        try:
            read = os.read(self._errors, A_PIPE)
        except BlockingIOError:
            return True
        self._write(self._decode(read))
        return bool(read)

    def _write(self, text: str) -> None:
        sys.stderr.write(passed_on(text))
        sys.stderr.flush()

    def _read_reports(self) -> bool:
        """What the process reported by now. Returns whether there may be more one day."""
        try:
            while read := self._reports.recv(A_PIPE):
                *lines, self._unread = (self._unread + read).split(b"\n")
                for line in lines:
                    token, _, words = line.decode("utf-8", "replace").partition(" ")
                    if token == self._token:
                        self._heed(*json.loads(words))
        except BlockingIOError:
            return True
        except ConnectionResetError:  # it ended with something unread
            return False
        return False

    def _heed(self, kind: str, *words: object) -> None:
        match kind, words:
            case "status", (int(status),) if status in TABLE:
                self._status = status
                self._end_after(AFTER_A_RESULT)
            case "step", (str(label), int(done), int(total)):
                self._step = self._step or self._bars.enter_context(progress_bars())
                self._step(label, done, total)
            case "over", ():
                self._pass_on()  # what was written before
                self._bars.close()
                self._step = None
                self._reports.send(b".")
            case _:
                raise AssertionError(f"{kind} {words}: no such report")
