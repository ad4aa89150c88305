"""How a process ended, in words."""

import signal

HINTS = {
    signal.SIGKILL: "as the system does when memory runs out",
    signal.SIGSEGV: "a segmentation fault: a library read memory that is not its own",
    signal.SIGABRT: "a library gave up",
    signal.SIGILL: "an instruction that this processor does not know",
    signal.SIGBUS: "memory that is not there, as when a disk that files are mapped from is full",
}
"""What a signal mostly means."""


def ended_how(exitcode: int) -> str:
    """How a process ended, in words.  exitcode: as Python tells it, negative for a signal."""
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode)
    except ValueError:
        return f"was ended by signal {-exitcode}"
    hint = HINTS.get(name)
    return f"was ended by signal {-exitcode} ({name.name}{f', {hint}' if hint else ''})"
