"""In a check of one's own block a format that was not asked for by name may be too short to show anything, as long as another one holds; never otherwise."""

from collections.abc import Sequence

import pytest

from reports.findings import RunStanding, headline
from reports.findings.judge import judged
from reports.findings.unresolved import how_far, unresolved
from reports.record import CellRecord, RunRecord
from reports.record.cells import Counts
from symbolic.vocabulary import Verdict
from tests import report_samples as samples


def blunt(**changes: object) -> CellRecord:
    """A cell whose bound is wider than what the update does."""
    vacuous = {"verdict": Verdict.VACUOUS, "resolution": 1.5, "counts": Counts(vacuous=4096), "mutant_verdict": None, "context_effect": 0.125}
    return samples.cell(**{"format": "bf16", "numerics": "bf16", **vacuous, **changes})


def refused(**changes: object) -> CellRecord:
    """A cell of which every case was refused."""
    nothing = dict.fromkeys(("error", "bound", "tightness", "worst_ratio", "worst_site", "resolution", "output_resolution", "context_effect", "expected"))
    fields = {"counts": Counts(inconclusive=4096), "reasons": {"NormUnderflow": 4096}, "mutant_verdict": None, "certified": None, **nothing}
    return blunt(verdict=Verdict.INCONCLUSIVE, **{**fields, **changes})


def checked(*cells: CellRecord, named: Sequence[str] | None = ()) -> RunRecord:
    run = samples.run_info(named_formats=None if named is None else list(named))
    return samples.record(run=run, claims=[], models=[], near_zero=[], cells=list(cells))


@pytest.mark.parametrize("cell", [blunt(), refused()])
def test_a_format_that_nobody_asked_for_may_be_too_short(cell: CellRecord) -> None:
    record = checked(samples.cell(), cell)
    assert unresolved(record) == [cell]
    assert headline(record).standing is RunStanding.HELD
    assert headline(record).sentence == "Everything that was checked held: 4,096 cases inside their bounds; 1 cell in bf16 could not resolve this block."
    (line,) = how_far(record)
    assert line.startswith("bf16 does not resolve this block in random (formula), and was not asked for by name: ")
    assert line.endswith(" Held in: fp32.")
    assert line in headline(record).unchecked


def test_how_far_it_is_from_it_is_told_of_the_nearest_cell() -> None:
    (line,) = how_far(checked(samples.cell(), samples.cell(variant="scaled"), blunt(variant="scaled", resolution=3.0), blunt()))
    assert "the bound is 1.5 times what the update does, and the context moves A by 0.12 of its norm (medians)" in line
    (line,) = how_far(checked(samples.cell(), refused()))
    assert "its operands meet a limit of the format's range" in line
    (line,) = how_far(checked(samples.cell(), refused(reasons={"UndecidedChoice": 4096})))
    assert "two gates lie nearer to each other than it tells apart" in line


OTHERWISE = {
    "asked for by name": checked(samples.cell(), blunt(), named=["bf16"]),
    "no check of one's own block": checked(samples.cell(), blunt(), named=None),
    "nothing holds in the scenario": checked(samples.cell(), blunt(scenario="subset", claim="theorem-2.2")),
    "nothing holds in the variant": checked(samples.cell(), blunt(variant="scaled")),
    "nothing holds for the block": checked(samples.cell(), blunt(block="another")),
    "an own update, where the suite's holds in the same format": checked(
        samples.cell(variant="own"), blunt(variant="own"), samples.cell(format="bf16", numerics="bf16")
    ),
    "an own update alone": checked(samples.cell(variant="own"), blunt(variant="own")),
    "nothing holds at all": checked(blunt(), blunt(format="fp32", numerics="fp32")),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_otherwise_what_tells_nothing_leaves_the_check_without_an_answer(name: str) -> None:
    record = OTHERWISE[name]
    assert unresolved(record) == []
    assert any("vacuous" in line for line in judged(record).undecided)
    assert headline(record).standing in (RunStanding.INCOMPLETE, RunStanding.NOTHING)


def test_an_own_update_is_unresolved_where_the_suites_is_too() -> None:
    record = checked(samples.cell(), samples.cell(variant="own"), blunt(variant="own"), blunt())
    assert {row.variant for row in unresolved(record)} == {"own", "formula"}
    assert headline(record).standing is RunStanding.HELD


def test_a_format_that_is_asked_for_by_name_and_skipped_is_no_success() -> None:
    names = {"claim": "corollary-2.3.1", "block": "attention", "format": "fp8", "numerics": "fp8", "variant": "formula", "scenario": "random"}
    skipped = CellRecord(id="corollary-2.3.1/attention/fp8/formula/random", device="cpu", cases=0, verdict=Verdict.SKIPPED, reason="why", **names)
    asked = checked(samples.cell(), skipped, named=["fp32", "fp8"])
    assert [*judged(asked).undecided] == ["nothing was measured in fp8, asked for by name"]
    assert headline(asked).standing is RunStanding.INCOMPLETE
    assert headline(checked(samples.cell(), skipped, named=["fp32"])).standing is RunStanding.HELD
    assert headline(checked(samples.cell(), skipped)).standing is RunStanding.HELD


def test_a_cell_that_holds_and_cannot_be_trusted_holds_for_no_other() -> None:
    doubtful = samples.cell(mutant_verdict=Verdict.HOLDS)
    assert unresolved(checked(doubtful, blunt())) == []


@pytest.mark.parametrize("verdict", [Verdict.VIOLATED, Verdict.ERROR, Verdict.TIMEOUT])
def test_a_violation_or_a_failure_is_one_in_any_format(verdict: Verdict) -> None:
    record = checked(samples.cell(), blunt(verdict=verdict, reason="why"))
    assert unresolved(record) == []
    assert headline(record).standing in (RunStanding.VIOLATED, RunStanding.INCOMPLETE)
