"""Standard streams that take what is written: closed ones are open again, stdout is the answer's alone, and what stderr cannot take is lost.

Whoever closed a stream, or gave one that is full, still gets a status of the table. An answer that was not written is no success; a message that nobody
can read changes nothing.
"""

import errno
import fcntl
import io
import os
import sys
from typing import TextIO

from reports.text import printable_lines
from verify.exit_status import INCOMPLETE

UNWRITABLE = (errno.ENOSPC, errno.EPIPE, errno.EDQUOT, errno.EFBIG)
"""What a stream that takes nothing answers: full, without a reader, or beyond a quota or a limit."""


class Messages(io.TextIOWrapper):
    """stderr: once it takes nothing any more, what is written there goes nowhere."""

    def write(self, text: str, /) -> int:
        """Returns the number of characters."""
        try:
            return super().write(text)
        except OSError:  # there is no place to say so
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            super().flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        os.dup2(_nowhere(os.O_WRONLY), self.fileno())


def say(text: str) -> None:
    """A message on stderr, in which nothing is obeyed by a terminal."""
    print(printable_lines(text), file=sys.stderr)


def passed_on(text: str) -> str:
    """What others print, to be printed: lines and tabs stay, every other control character is shown."""
    return "\t".join(map(printable_lines, text.split("\t")))


def prepare() -> None:
    """Open what is closed, and give stdout a descriptor that only this program knows, and descriptor 1 to stderr: what else writes there, a child or C code,
    is no part of the answer.

    What an encoding lacks is replaced. Streams that are no files, as in a test, are left alone.
    """
    _open_what_is_closed()
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - to the end
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        encoding, bytes_ = (None, open(2, "wb", closefd=False)) if sys.stderr is None else (sys.stderr.encoding, sys.stderr.detach())  # noqa: SIM115
        sys.stderr = Messages(bytes_, encoding=encoding, errors="replace", line_buffering=True)
    stdout: TextIO | None = sys.stdout
    if stdout is None or (isinstance(stdout, io.TextIOWrapper) and stdout is sys.__stdout__ and stdout.fileno() == 1):
        encoding, at_once = (None, False) if stdout is None else (stdout.encoding, stdout.isatty())
        if stdout is not None:
            stdout.flush()
        sys.stdout = open(os.dup(1), "w", encoding=encoding, errors="replace", buffering=1 if at_once else -1)  # noqa: SIM115
        os.dup2(2, 1)


def _open_what_is_closed() -> None:
    """What is closed reads as empty; an answer written there fails, as on a full disk; messages go nowhere.

    Without it the next file that is opened would be a standard stream, and Python's own would be None, which it takes for the other one.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            found = _nowhere(flags)
            if found != number:
                os.dup2(found, number)
                os.close(found)
            os.set_inheritable(number, True)


def _nowhere(flags: int) -> int:
    return os.open(os.devnull, flags)


def written_out(status: int) -> int:
    """The status, if all of the answer could be written; what is printed from here on, when the program is taken down, goes to stderr."""
    stdout, sys.stdout = sys.stdout, sys.stderr if isinstance(sys.stdout, io.TextIOWrapper) else sys.stdout
    try:
        stdout.flush()
    except OSError as error:
        status = give_up_on(stdout, error)
    sys.stderr.flush()
    return status


def is_of_stdout(error: OSError) -> bool:
    """Whether an answer could not be written."""
    return error.errno in UNWRITABLE or (error.errno == errno.EBADF and not _is_open(sys.stdout))


def _is_open(stdout: TextIO) -> bool:
    """Not where ``prepare`` found it closed."""
    return not isinstance(stdout, io.TextIOWrapper) or fcntl.fcntl(stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def give_up_on(stdout: TextIO, error: OSError) -> int:
    """Say that the answer could not be written, and write the rest of it nowhere. Returns the status."""
    say(f"the answer cannot be written ({error.strerror if _is_open(stdout) else 'stdout is closed'}).")
    if isinstance(stdout, io.TextIOWrapper):
        os.dup2(_nowhere(os.O_WRONLY), stdout.fileno())
    return INCOMPLETE
