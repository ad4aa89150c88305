"""What the commands print: JSON for programs, a table for readers."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.table import Table


def print_json(value: object) -> None:
    """JSON alone on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def annotate(lines: Callable[[], Iterable[str]], *, as_json: bool) -> None:
    """What failed, as annotations of the job, where GitHub Actions runs the command; it reads them from either stream."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in lines():
            print(line, file=sys.stderr if as_json else sys.stdout)


def table_of(rows: Sequence[Mapping[str, object]]) -> Table:
    """A column for each key of the first row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        numeric = isinstance(rows[0][name], int | float) and not isinstance(rows[0][name], bool)
        # Names and numbers stay whole; what is prose gives way on a narrow terminal.
        prose = name in ("title", "source")
        table.add_column(name.replace("_", "\n"), justify="right" if numeric else "left", no_wrap=not prose, overflow="fold" if prose else "crop")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    return table
