"""``verify history``: the runs of a folder, from one to the next."""

from pathlib import Path

from reports.comparison.history import read_history
from reports.comparison.history_rendering import history_as_data, history_on_terminal, write_history
from verify.commands.output import Terminal, print_json
from verify.exit_status import HELD, INCOMPLETE


def show_history(runs: Path, *, out: Path | None, as_json: bool) -> int:
    """Show the runs of a folder. Returns 0, or 3 if one could not be read."""
    rows = read_history(runs)
    page = write_history(rows, runs / "history.html" if out is None else out)
    if as_json:
        print_json(history_as_data(rows))
    else:
        Terminal().print(history_on_terminal(rows))
        print(page)
    return INCOMPLETE if rows.unreadable else HELD
