"""The exit status never calls a success what was not checked."""

import pytest

from reports.record import CellRecord, ClaimRecord, RunRecord
from reports.record.cells import Certified, Counts
from reports.record.claims import Counterexample, Formula, MutantRecord
from reports.record.environment import Environment
from reports.record.run_record import RunInfo
from symbolic.vocabulary import Verdict
from verify.exit_status import FAILED, HELD, INCOMPLETE, exit_status

F = Formula(text="a", latex="a")
NUMBERS = Counterexample(sizes={"d": 1}, values={"a": [["1"]]}, left=[["1"]], right=[["2"]])


def claim(verdict: Verdict, mutant: Verdict = Verdict.VIOLATED) -> ClaimRecord:
    row = MutantRecord(id="m", description="another", statement=F, verdict=mutant, counterexample=NUMBERS if mutant is Verdict.VIOLATED else None)
    return ClaimRecord(id="c", title="t", source="s", hypotheses=[], statement=F, verdict=verdict, scope="all sizes", steps=[], mutants=[row], seconds=0.0)


def cell(verdict: Verdict, **changed: object) -> CellRecord:
    """A cell with the figures that its verdict needs."""
    counted = {Verdict.HOLDS: "holds", Verdict.VIOLATED: "violated", Verdict.VACUOUS: "vacuous", Verdict.INCONCLUSIVE: "inconclusive"}
    sound = {"counts": Counts(**{counted[verdict]: 1})} if verdict in counted else {}
    if verdict is Verdict.HOLDS:
        sound |= {"worst_ratio": 0.5, "resolution": 0.5, "mutant_verdict": Verdict.VIOLATED, "mutant_caught": 1}
    row = {"id": "c/b/fp32/v/s", "claim": "c", "block": "b", "format": "fp32", "numerics": "fp32", "variant": "v", "scenario": "s", "device": "cpu", "cases": 1}
    return CellRecord.model_validate({**row, "verdict": verdict, **sound, **changed})


def record(*, claims: list[ClaimRecord] | None = None, cells: list[CellRecord] | None = None) -> RunRecord:
    nowhere = Environment(python="3", platform="p", processor="x", torch="2", device="cpu", blas="b", threads=1, commit="c", versions={}, probes=[])
    info = RunInfo(id="r", started="2026-01-01T00:00:00Z", finished="2026-01-01T00:01:00Z", profile="quick", seed=0, command="verify all", exit_status=None)
    return RunRecord(run=info, environment=nowhere, claims=claims or [], cells=cells or [])


@pytest.mark.parametrize(
    ("claims", "cells", "expected"),
    [
        ([Verdict.HOLDS], [Verdict.HOLDS], HELD),
        ([Verdict.HOLDS], [], HELD),
        ([], [Verdict.HOLDS, Verdict.SKIPPED], HELD),
        ([], [], INCOMPLETE),
        ([], [Verdict.SKIPPED], INCOMPLETE),
        ([Verdict.VIOLATED], [Verdict.HOLDS], FAILED),
        ([Verdict.HOLDS], [Verdict.VIOLATED], FAILED),
        ([Verdict.HOLDS], [Verdict.ERROR, Verdict.VIOLATED], FAILED),
        ([Verdict.HOLDS], [Verdict.HOLDS, Verdict.ERROR], INCOMPLETE),
        *(([Verdict.HOLDS], [verdict], INCOMPLETE) for verdict in (Verdict.TIMEOUT, Verdict.VACUOUS, Verdict.INCONCLUSIVE)),
        *(([verdict], [Verdict.HOLDS], INCOMPLETE) for verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE)),
    ],
)
def test_the_status_of_each_mixture(claims: list[Verdict], cells: list[Verdict], expected: int) -> None:
    assert exit_status(record(claims=[claim(v) for v in claims], cells=[cell(v) for v in cells])) == expected


@pytest.mark.parametrize("mutant", [Verdict.HOLDS, Verdict.INCONCLUSIVE])
def test_an_unrefuted_mutant_fails_the_run(mutant: Verdict) -> None:
    """A prover that lets a false claim pass is broken, whatever it says of the true one."""
    assert exit_status(record(claims=[claim(Verdict.HOLDS, mutant)], cells=[cell(Verdict.HOLDS)])) == FAILED


@pytest.mark.parametrize(
    "changed",
    [
        *({"worst_ratio": ratio} for ratio in (float("nan"), 1.5)),
        *({"resolution": resolution} for resolution in (1.0, None)),
        *({"counts": counts} for counts in (Counts(), Counts(holds=2))),
        {"mutant_verdict": Verdict.HOLDS},
        {"certified": Certified(cases=1, by_formula=1, seconded=1, left=1.0, right=1.0, inside=False)},
    ],
)
def test_a_cell_that_contradicts_its_own_verdict_fails_the_run(changed: dict[str, object]) -> None:
    assert exit_status(record(cells=[cell(Verdict.HOLDS)])) == HELD
    assert exit_status(record(cells=[cell(Verdict.HOLDS, **changed)])) == FAILED


def test_a_run_that_did_not_end_is_incomplete() -> None:
    whole = record(claims=[claim(Verdict.HOLDS)])
    cut_short = whole.model_copy(update={"run": whole.run.model_copy(update={"finished": None})})
    assert (exit_status(whole), exit_status(cut_short)) == (HELD, INCOMPLETE)


def test_a_claim_whose_mutants_were_not_tried_fails_the_run() -> None:
    whole = claim(Verdict.HOLDS)
    assert exit_status(record(claims=[whole])) == HELD
    assert exit_status(record(claims=[whole.model_copy(update={"mutants": []})])) == FAILED


def test_cases_on_disk_that_disagree_fail_the_run() -> None:
    assert exit_status(record(cells=[cell(Verdict.HOLDS)]), ["x"]) == FAILED
