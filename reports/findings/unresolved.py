"""Formats that cannot resolve a user's own block, and were not asked for by name: listed with how far they are from it, and no failure.

A check of one's own block measures several formats unasked. A block whose context does little shows nothing in the short ones, and that is the format's
doing, not the block's: as long as some format holds in the same scenario, the check has an answer. What was asked for by name must resolve the block.
"""

from collections.abc import Iterable, Sequence

from reports.findings.cell_faults import doubtful
from reports.record import CellRecord, RunRecord
from reports.text import counted, joined, real
from symbolic.vocabulary import Verdict

UNRESOLVED = (Verdict.VACUOUS, Verdict.INCONCLUSIVE)


def unresolved(record: RunRecord) -> list[CellRecord]:
    """Cells that told nothing, in a format that nobody asked for, where another format holds in the same scenario and variant."""
    named = record.run.named_formats
    if named is None:
        return []
    held = {(row.block, row.scenario, row.variant) for row in record.cells if row.verdict is Verdict.HOLDS and not doubtful(row)}
    return [row for row in record.cells if row.verdict in UNRESOLVED and row.format not in named and (row.block, row.scenario, row.variant) in held]


def unresolved_in_short(record: RunRecord) -> str:
    """Their number and formats, as an addition to a sentence; empty if there are none."""
    found = unresolved(record)
    formats = joined([*dict.fromkeys(row.format for row in found)])
    return f"; {counted(len(found), 'cell')} in {formats} could not resolve this block" if found else ""


def how_far(record: RunRecord) -> Iterable[str]:
    """A sentence for each format and scenario: how wide the bound is beside what the context does, and what would help."""
    found = unresolved(record)
    for format, scenario in dict.fromkeys((row.format, row.scenario) for row in found):
        rows = [row for row in found if (row.format, row.scenario) == (format, scenario)]
        holding = [row.format for row in record.cells if row.verdict is Verdict.HOLDS and row.scenario == scenario and row.block == rows[0].block]
        better = joined([*dict.fromkeys(holding)])
        yield f"{format} does not resolve this block in {scenario}, and was not asked for by name: {_distance(rows)}. {better} {_does(holding)}."


def _does(holding: Sequence[str]) -> str:
    return "does" if len(set(holding)) == 1 else "do"


def _distance(rows: Sequence[CellRecord]) -> str:
    """How far its cells are from showing something, the nearest of them."""
    judged = {row.resolution: row for row in rows if row.resolution is not None}
    if not judged:
        return "its operands meet a limit of the format's range; operands of another size would help"
    nearest = judged[min(judged)]
    moves = "" if nearest.context_effect is None else f", and the context moves A by {real(nearest.context_effect, 2)} of its norm"
    wide = f"the bound is {real(nearest.resolution, 2)} times what the update does{moves} (medians), so a wrong update as near as that is not told apart"
    return f"{wide}. Contexts that matter more, trained weights or a wider format would help"
