"""The grid of cells: a row for each block, scenario and variant, a column for each format."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from itertools import count as counting
from typing import TypeVar

from reports.findings.cell_faults import noticed_nothing, over_its_bound, warnings
from reports.findings.judge import RunStanding
from reports.record import CellRecord, RunRecord
from reports.record.cell_reason import OWN_VARIANT
from reports.text import count, counted, ratio, real, words
from reports.text.numbers import share
from symbolic.vocabulary import Verdict

GLYPHS = {
    Verdict.HOLDS: "●",
    Verdict.VIOLATED: "✕",
    Verdict.VACUOUS: "◌",
    Verdict.INCONCLUSIVE: "△",
    Verdict.SKIPPED: "–",
    Verdict.ERROR: "!",
    Verdict.TIMEOUT: "◔",
}
"""One sign a verdict, so that nobody needs colours to read a grid."""

STANDING_GLYPHS = {
    RunStanding.HELD: GLYPHS[Verdict.HOLDS],
    RunStanding.VIOLATED: GLYPHS[Verdict.VIOLATED],
    RunStanding.DISTRUSTED: GLYPHS[Verdict.ERROR],
    RunStanding.INCOMPLETE: GLYPHS[Verdict.TIMEOUT],
    RunStanding.NOTHING: GLYPHS[Verdict.SKIPPED],
}

WORST_FIRST = (Verdict.VIOLATED, Verdict.ERROR, Verdict.TIMEOUT, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.HOLDS, Verdict.SKIPPED)

_T = TypeVar("_T")

_LEAST_BAR = 1e-4  # a ratio this small has no bar; the bar is logarithmic from here to 1


@dataclass(frozen=True, slots=True)
class Square:
    """One cell of the grid, ready to be shown."""

    cell: CellRecord
    anchor: str
    """Identifier of its row on the page: the cell's own, so that a link to it holds for other runs too."""
    verdict: Verdict
    """The gravest word that the cell's own figures allow, which may be graver than the one it was given."""
    figure: str
    """Worst ratio, or the verdict in words if nothing was judged."""
    shares: tuple[tuple[Verdict, str], ...]
    """What became of the cases that neither hold nor are violated, as shares of all."""
    bar: int
    """Length of its bar in percent: the logarithm of the worst ratio, 100 at 1 and over."""
    claimed: bool
    """Whether its name says the claim, since cells of its block measure several."""
    warning: str
    """What speaks against the cell although it says HOLDS; empty if nothing does."""

    @property
    def name(self) -> str:
        """The parts of its id that a reader tells cells apart by."""
        cell = self.cell
        return " · ".join((cell.block, cell.scenario, cell.variant, cell.numerics, *([cell.claim] if self.claimed else [])))

    @property
    def notes(self) -> tuple[str, ...]:
        """What speaks against it, why it or cases of it are not judged, and what its figures do not say."""
        cell, sample, again = self.cell, self.cell.certified, self.cell.recomputed
        notes = (
            self.warning,
            cell.reason if not (cell.reasons and self.verdict is Verdict.HOLDS) else "",
            *(f"{words(reason)} ({counted(number, 'case')})" for reason, number in cell.reasons.items()),
            "worst at the output" if cell.worst_site == "output" else "",
            f"A(C∖Y,x) came out different in {counted(again.cases, 'case')} and moved the layer by {real(again.moved.max)} at most; "
            f"left out, that would be noticed in {count(again.noticed)}"
            if again
            else "",
            f"mpmath agrees with the balls in {sample.seconded} of {sample.by_formula} alone" if sample and sample.seconded != sample.by_formula else "",
        )
        return tuple(part for part in notes if part)


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row; the squares of each format, mostly one, or none where the combination was not planned."""

    names: tuple[str, ...]
    """Scenario, variant, and whatever else tells two cells apart."""
    squares: tuple[tuple[Square, ...], ...]


@dataclass(frozen=True, slots=True)
class GridBlock:
    """The rows of one block."""

    name: str
    claim: str
    """The claim that all its cells measure; empty if they differ, and then each row names its own."""
    rows: tuple[GridRow, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The whole grid."""

    formats: tuple[str, ...]
    blocks: tuple[GridBlock, ...]
    squares: tuple[Square, ...]
    """All of them, in the record's order."""


def grid(record: RunRecord) -> Grid:
    """Arrange a record's cells, keeping the order in which it names blocks, scenarios and formats."""
    anchors = unique(f"cell-{cell.id}" for cell in record.cells)
    measured: dict[str, set[str]] = {}
    for cell in record.cells:
        measured.setdefault(cell.block, set()).add(cell.claim)
    squares = tuple(square(cell, anchor, claimed=len(measured[cell.block]) > 1) for cell, anchor in zip(record.cells, anchors, strict=True))
    formats = _distinct(cell.format for cell in record.cells)
    several_devices = len({cell.device for cell in record.cells}) > 1
    blocks = []
    for block in _distinct(cell.block for cell in record.cells):
        of_block = [item for item in squares if item.cell.block == block]
        claims = _distinct(item.cell.claim for item in of_block)
        parts = ["scenario", "variant", *(["claim"] if len(claims) > 1 else []), *(["device"] if several_devices else [])]
        rows: dict[tuple[str, ...], list[Square]] = {}
        for item in of_block:
            rows.setdefault(tuple(getattr(item.cell, part) for part in parts), []).append(item)
        order = [_distinct(column) for column in zip(*rows, strict=True)]  # of the scenarios, the variants, ...
        arranged = [
            GridRow(names, tuple(tuple(item for item in rows[names] if item.cell.format == name) for name in formats))
            for names in sorted(rows, key=lambda names: [*map(tuple.index, order, names)])
        ]
        blocks.append(GridBlock(block, claims[0] if len(claims) == 1 else "", tuple(arranged)))
    return Grid(formats, tuple(blocks), squares)


def square(cell: CellRecord, anchor: str = "", *, claimed: bool = False) -> Square:
    """One cell, ready to be shown."""
    verdict = Verdict.VIOLATED if over_its_bound(cell) else Verdict.VACUOUS if noticed_nothing(cell) else cell.verdict
    unjudged = ((Verdict.INCONCLUSIVE, cell.counts.inconclusive), (Verdict.VACUOUS, cell.counts.vacuous))
    measured = cell.worst_ratio is not None and verdict in (Verdict.HOLDS, Verdict.VIOLATED, Verdict.VACUOUS)
    own_fault = cell.certified is not None and not cell.certified.inside and cell.variant == OWN_VARIANT
    against = (
        *warnings(cell),
        "its figures contradict its verdict" if verdict is not cell.verdict else "",
        "a side lies outside its own radius, by the fault of the update" if own_fault else "",
    )
    return Square(
        cell=cell,
        anchor=anchor,
        verdict=verdict,
        figure=ratio(cell.worst_ratio) if measured else verdict.value.lower(),
        shares=tuple((verdict, share(number, cell.cases)) for verdict, number in unjudged if number),
        bar=_bar(cell.worst_ratio) if measured else 0,
        claimed=claimed,
        warning="; ".join(words for words in against if words),
    )


def gravest(squares: Iterable[Square]) -> list[Square]:
    """What failed or is doubtful first, then by the worst ratio; what was refused or skipped, and so has none, last."""

    def order(item: Square) -> tuple[bool, int, float]:
        measured = item.cell.worst_ratio is not None
        failed = bool(item.warning) or (item.verdict is not Verdict.HOLDS and (measured or item.verdict in (Verdict.ERROR, Verdict.TIMEOUT)))
        ratio = item.cell.worst_ratio if item.cell.worst_ratio is not None else -math.inf
        return not failed, WORST_FIRST.index(item.verdict) if failed or not measured else 0, -math.inf if math.isnan(ratio) else -ratio

    return sorted(squares, key=order)


def unique(identifiers: Iterable[str]) -> list[str]:
    """The same as identifiers of a page, which may hold no space, and in links nothing but ASCII; two that come out equal are numbered."""
    found: dict[str, None] = {}
    for identifier in identifiers:
        safe = re.sub(r"[^A-Za-z0-9._/+-]", "_", identifier)
        found[next(name for name in chain([safe], (f"{safe}_{number}" for number in counting(2))) if name not in found)] = None
    return list(found)


def _bar(worst: float | None) -> int:
    if worst is None or worst <= _LEAST_BAR:
        return 0
    if not worst < 1:
        return 100
    return round(100 * (1 - math.log(worst) / math.log(_LEAST_BAR)))


def _distinct(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
