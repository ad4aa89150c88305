"""What speaks against a cell, by its own figures: outside its bound, or a check of it that failed its own test.

Each rule follows from what the figures mean. If every case lies inside its bound, then so does the largest error inside the largest bound, the median error
inside the median bound, and no bound ÷ error is below 1. A side's certified error is at most its radius, which is a part of the bound.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reports.findings.numbers_in import has_nan
from reports.record import CellRecord
from reports.record.cell_reason import OWN_VARIANT
from symbolic.vocabulary import Verdict

NOT_MEASURED = (Verdict.SKIPPED, Verdict.ERROR, Verdict.TIMEOUT)


def over_its_bound(cell: CellRecord) -> bool:
    """Whether a cell's verdict, counts, worst ratio, errors or tightness tell of a violation."""
    beyond = cell.worst_ratio is not None and cell.worst_ratio > 1
    return cell.verdict is Verdict.VIOLATED or cell.counts.violated > 0 or beyond or _errs_more(cell)


def _errs_more(cell: CellRecord) -> bool:
    """Whether the errors are not what errors inside their bounds can be. What is not a number tells of nothing here."""
    error, bound = cell.error, cell.bound
    larger = error is not None and bound is not None and (error.max > bound.max or error.median > bound.median)
    return larger or (cell.tightness is not None and cell.tightness.p10 < 1)


def contradicted(cell: CellRecord) -> bool:
    """Whether balls found a side outside its radius although no case is violated: where one is, a wrong update explains both."""
    return cell.certified is not None and not cell.certified.inside and cell.counts.violated == 0


def side_outside(cell: CellRecord) -> bool:
    """Whether a cell fails by one side alone, which balls found outside its own radius: the two sides differ by less than their bound."""
    return over_its_bound(cell) and contradicted(cell) and not (cell.worst_ratio is not None and cell.worst_ratio > 1) and not _errs_more(cell)


def noticed_nothing(cell: CellRecord) -> bool:
    """Whether a cell says HOLDS although, by its own figures, it has no case in which a wrong update would have been noticed."""
    sharp = cell.resolution is not None and cell.resolution < 1  # NaN is not
    return cell.verdict is Verdict.HOLDS and not (sharp and cell.worst_ratio is not None and cell.counts.holds > 0)


def _wrong_update_missed(cell: CellRecord) -> bool:
    return cell.verdict is Verdict.HOLDS and cell.mutant_verdict is not None and cell.mutant_verdict is not Verdict.VIOLATED


def _no_wrong_update(cell: CellRecord) -> bool:
    return cell.verdict is Verdict.HOLDS and cell.mutant_verdict is None


def _hardly_noticed(cell: CellRecord) -> bool:
    """Whether the planted wrong update is called noticed although it was in fewer than half of the cases that hold."""
    return cell.mutant_verdict is Verdict.VIOLATED and 2 * cell.mutant_caught < cell.counts.holds


def _move_unnoticed(cell: CellRecord) -> bool:
    return cell.verdict is Verdict.HOLDS and cell.recomputed is not None and cell.recomputed.noticed == 0


def _not_a_number(cell: CellRecord) -> bool:
    return has_nan(cell.model_dump(exclude={"seconds"}))


def _miscounted(cell: CellRecord) -> bool:
    """Whether a cell that was measured counts other cases than it has, by verdict, by reason, or of the planted wrong update."""
    if cell.verdict in NOT_MEASURED:
        return False
    by_verdict, by_reason = sum(cell.counts.model_dump().values()), sum(cell.reasons.values())
    return by_verdict != cell.cases or (bool(cell.reasons) and by_reason != cell.counts.inconclusive) or cell.mutant_caught > cell.counts.holds


def _contradicted_bound(cell: CellRecord) -> bool:
    return contradicted(cell) and cell.variant != OWN_VARIANT


def _certified_beyond(cell: CellRecord) -> bool:
    """Whether balls are said to agree although their own figures do not: an error larger than any bound, or a second opinion that differs."""
    sample = cell.certified
    if sample is None or not sample.inside:
        return False
    return sample.seconded < sample.by_formula or (cell.bound is not None and max(sample.left, sample.right) > cell.bound.max)


@dataclass(frozen=True, slots=True)
class CellDoubt:
    """A check of a cell that may have failed its own test."""

    found: Callable[[CellRecord], bool]
    short: str
    """In a few words, for a square of the grid; empty where the square says it otherwise."""
    message: str
    """What several cells did; ``{has}`` and ``{is}`` agree with their number."""


DOUBTS = (
    CellDoubt(_wrong_update_missed, "a planted wrong update passed", "let a planted wrong update pass"),
    CellDoubt(_no_wrong_update, "no wrong update was planted", "{is} called HOLDS without a planted wrong update"),
    CellDoubt(_hardly_noticed, "the planted wrong update was hardly noticed", "noticed a planted wrong update in fewer than half of the cases that hold"),
    CellDoubt(_move_unnoticed, "what a recomputed A(C∖Y,x) moves went unnoticed", "would not have noticed that what a recomputed A(C∖Y,x) moves was left out"),
    CellDoubt(_not_a_number, "a figure is not a number", "{has} a figure that is not a number"),
    CellDoubt(noticed_nothing, "", "{is} called HOLDS without a case that could have noticed a wrong update"),
    CellDoubt(_miscounted, "its counts do not add up", "{has} counts that do not add up to the cases"),
    CellDoubt(_contradicted_bound, "ball arithmetic contradicts its bound", "{has} a bound that ball arithmetic contradicts"),
    CellDoubt(_certified_beyond, "the references contradict each other", "{has} a certificate that its own figures contradict"),
)
"""All of them: the headline, the rows for a CI, the gate and the grid read this."""


def warnings(cell: CellRecord) -> Iterator[str]:
    """What makes a cell doubtful, in a few words each."""
    yield from (doubt.short for doubt in DOUBTS if doubt.short and doubt.found(cell))


def doubtful(cell: CellRecord) -> bool:
    """Whether a cell says something that its own figures do not bear out."""
    return any(doubt.found(cell) for doubt in DOUBTS) or (over_its_bound(cell) and cell.verdict is not Verdict.VIOLATED)


def notices_wrong_update(cell: CellRecord) -> bool:
    """Whether the planted wrong update was noticed, by the cell's verdict on it and by its count."""
    return cell.mutant_verdict is Verdict.VIOLATED and cell.mutant_caught > 0 and not _hardly_noticed(cell)
