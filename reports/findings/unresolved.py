"""Formats that cannot resolve a user's own block, and were not asked for by name: listed with how far they are from it, and no failure.

A check of one's own block measures several formats unasked. A block whose context does little shows nothing in the short ones, and that is the format's
doing, not the block's: as long as some format holds in the same scenario, the check has an answer. What was asked for by name must resolve the block.
"""

from collections.abc import Iterable, Sequence

from reports.findings.cell_faults import doubtful
from reports.record import CellRecord, RunRecord
from reports.record.cell_reason import OWN_VARIANT
from reports.text import counted, joined, real
from symbolic.vocabulary import Verdict

UNRESOLVED = (Verdict.VACUOUS, Verdict.INCONCLUSIVE)


def unresolved(record: RunRecord) -> list[CellRecord]:
    """Cells that told nothing, in a format that nobody asked for, where another format holds in the same scenario and variant."""
    named = record.run.named_formats
    if named is None:
        return []
    holding = [row for row in record.cells if row.verdict is Verdict.HOLDS and not doubtful(row)]
    held = {(row.block, row.scenario, row.variant) for row in holding}
    found = [row for row in record.cells if row.verdict in UNRESOLVED and row.format not in named and (row.block, row.scenario, row.variant) in held]
    # A user's own update may be what a format cannot resolve: it is the block only where the suite's own cannot be told there either.
    of_suite = {(row.block, row.scenario, row.format) for row in found if row.variant != OWN_VARIANT}
    resolved = {(row.block, row.scenario, row.format) for row in holding if row.variant != OWN_VARIANT}
    return [row for row in found if row.variant != OWN_VARIANT or (row.block, row.scenario, row.format) in of_suite - resolved]


def missed_formats(record: RunRecord) -> list[str]:
    """Formats that were asked for by name, and in which no cell holds, nor is any told of otherwise: a format that was skipped is none that held."""
    told = {row.format for row in record.cells if row.verdict is not Verdict.SKIPPED}
    return [name for name in record.run.named_formats or () if name not in told]


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
        variants = [*dict.fromkeys(row.variant for row in rows)]
        holding = {row.format for row in record.cells if row.verdict is Verdict.HOLDS and (row.block, row.scenario) == (rows[0].block, scenario)} - {format}
        where = f"{scenario} ({joined(variants)})"
        yield f"{format} does not resolve this block in {where}, and was not asked for by name: {_distance(rows)}. Held in: {joined(sorted(holding))}."


def _distance(rows: Sequence[CellRecord]) -> str:
    """How far its cells are from showing something, the nearest of them."""
    judged = {row.resolution: row for row in rows if row.resolution is not None}
    if not judged:
        reasons = {name for row in rows for name in row.reasons}
        if reasons == {"UndecidedChoice"}:
            return "two gates lie nearer to each other than it tells apart, in every case; a wider format would help"
        return "its operands meet a limit of the format's range; operands of another size would help"
    nearest = judged[min(judged)]
    moves = "" if nearest.context_effect is None else f", and the context moves A by {real(nearest.context_effect, 2)} of its norm"
    wide = f"the bound is {real(nearest.resolution, 2)} times what the update does{moves} (medians), so a wrong update as near as that is not told apart"
    return f"{wide}. Contexts that matter more, trained weights or a wider format would help"
