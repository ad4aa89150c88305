"""The first screen: what was checked, and how much was not, each line with the place on the page that shows it."""

from dataclasses import dataclass

from reports.findings.as_written import equal_cases
from reports.findings.cell_faults import doubtful, notices_wrong_update
from reports.findings.faults import RESULTS
from reports.findings.run_standing import cases_inside
from reports.record import RunRecord
from reports.text import count, counted, ratio
from symbolic.vocabulary import Verdict

WORST_CELLS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    amount: str
    """How many of what: "728 cells"."""
    result: str
    """What became of them; empty if the amount says it."""
    section: str
    """Identifier of the place that shows it."""


def checked(record: RunRecord) -> list[Line]:
    """What was put to the test and how it came out. What the run did not do at all has no line: it stands among what was not checked."""
    totals, found = record.totals, record.experiments
    mutants = f"; {count(totals.mutants_refuted)} of {counted(totals.mutants, 'false variant')} refuted" if totals.mutants else "; no false variant tried"
    words = sum(claim.lines_in_words for claim in record.claims)
    mutants += f"; {counted(words, 'line')} of proof in words, which no program checks" if words else ""
    noticed = sum(map(notices_wrong_update, record.cells))
    planted = f"; a planted wrong update noticed in {count(noticed)} of {count(totals.wrong_updates)}" if totals.wrong_updates else ""
    doubts = sum(map(doubtful, record.cells))
    planted += f"; {count(doubts)} not to be trusted" if doubts else ""
    judged = f"{count(cases_inside(record))} inside their bounds, {count(totals.violated)} violated"
    searched = max((row.worst for row in found.adversarial if row.worst is not None), default=None)
    in_double = sum(row.cases for row in found.in_double)
    shown = sum(erratum.shown for erratum in record.errata)
    lines = (
        (len(record.claims), "claim", "claims", _by_verdict(totals.claims) + mutants, "claims"),
        (len(record.errata), "erratum", "errata", f"{count(shown)} refuted as printed and proved as corrected", "errata"),
        (len(record.cells), "cell", "cells", _by_verdict(totals.cells) + planted, "grid"),
        (totals.cases, "case", "cases", judged, "density"),
        (totals.certified, "case", "cases", "compared with ball arithmetic", "cells"),
        (len(record.near_zero), "sweep", "sweeps", "towards a = 0", "near-zero"),
        (len(found.adversarial), "search", "searches", f"for the worst context; error ÷ bound {ratio(searched)}", "adversarial"),
        (in_double, "case", "cases", f"in float64, of blocks as they are written; {count(equal_cases(found))} equal", "as-written"),
        (len(found.dynamics), "block", "blocks", "token by token: the implicit dynamics", "dynamics"),
        (len(record.models), "block", "blocks", "trained, or read from the cache", "blocks"),
    )
    return [Line(counted(number, noun, plural), result, section) for number, noun, plural, result, section in lines if number]


def omissions(record: RunRecord) -> list[Line]:
    """How much was not checked, by kind; the reasons stand further down, in full."""
    totals = record.totals
    kinds = [(len(record.not_measured), "combination", "not measured")]
    for verdict in (Verdict.ERROR, Verdict.TIMEOUT, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.SKIPPED):
        kinds += [(rows.get(verdict.value, 0), noun, RESULTS[verdict]) for noun, rows in (("claim", totals.claims), ("cell", totals.cells))]
    kinds += [(totals.inconclusive, "case", "refused, as their operands foretold"), (totals.vacuous, "case", "inside a bound too wide to tell")]
    return [Line(counted(number, noun), result, "unchecked") for number, noun, result in kinds if number]


def _by_verdict(numbers: dict[str, int]) -> str:
    """673 hold, 55 skipped."""
    return ", ".join(f"{count(numbers[verdict.value])} {RESULTS[verdict]}" for verdict in Verdict if numbers.get(verdict.value))
