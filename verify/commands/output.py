"""What the commands print: JSON for programs, a table for readers."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from reports.text import printable_lines


class Terminal(Console):
    """A console on which no text is obeyed: control characters of a name or a message are written out, those of the console's own making are not."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is printed."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable_lines(text), style, control)

    def on_broken_pipe(self) -> None:
        """Leave it to the command line to say so: rich would end the program with the status of a failed claim."""
        raise


def print_json(value: object) -> None:
    """JSON alone on stdout."""
    print_json_text(json.dumps(value, indent=1, ensure_ascii=False))


def print_json_text(text: str) -> None:
    """The same of what is JSON already; what is not seen, or what stdout cannot encode, as JSON writes it: in a string, the only place where it can be."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("".join(letter if letter == "\n" or _is_plain(letter, encoding) else json.dumps(letter)[1:-1] for letter in text) + "\n")


def _is_plain(letter: str, encoding: str) -> bool:
    return letter.isprintable() and (letter.isascii() or letter.encode(encoding, "ignore") != b"")


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
