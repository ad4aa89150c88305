"""What a measured cell says in words beside its verdict: why it is not HOLDS, and what was refused. It follows from the row's own numbers."""

from collections.abc import Iterator

from reports.record.cells import CellRecord
from symbolic.vocabulary import Verdict

OWN_VARIANT = "own"
"""The variant that is a user's own update, which may be wrong as the paper's may not; only the file that it came from can run its witness."""


def reason_of(cell: CellRecord) -> str | None:
    """In words; None if all of its cases hold and the planted wrong update was noticed."""
    return "; ".join(_parts(cell)) or None


def _parts(cell: CellRecord) -> Iterator[str]:
    counts = cell.counts
    if counts.violated:
        yield f"{counts.violated} of {cell.cases} cases lie outside the bound"
    if cell.certified is not None and not cell.certified.inside:
        fault = ", and the fault is the update's: it computes another matrix than ΔW" if cell.variant == OWN_VARIANT else ""
        yield f"a side lies outside its own radius, by the ball reference{fault}"
    if cell.mutant_verdict is Verdict.HOLDS:
        yield f"the planted wrong update was noticed in only {cell.mutant_caught} of {counts.holds} holding cases"
    if cell.recomputed is not None and cell.recomputed.noticed == 0:
        yield "no case would have noticed that what the recomputed A(C∖Y,x) moves was left out"
    if counts.vacuous:
        yield f"{counts.vacuous} of {cell.cases} cases could not have seen a wrong update"
    if cell.reasons:
        yield "refused: " + ", ".join(f"{number} {name}" for name, number in sorted(cell.reasons.items()))
