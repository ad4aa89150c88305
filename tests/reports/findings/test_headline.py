"""The one sentence on top: every situation has its own, and none claims more than was checked."""

import io

import pytest
from rich.console import Console

from reports.findings import RunStanding, headline, taken_up
from reports.findings.faults import doubts
from reports.findings.run_standing import CASES_MISSING
from reports.page import render, write_report
from reports.record import Experiments, NotMeasured
from reports.record.agreement import cases_missing
from reports.record.cells import Counts, NotSwept
from reports.record.claims import Kernel
from reports.terminal import closing
from symbolic.vocabulary import Verdict
from tests import report_samples as samples

HELD = "Everything that was checked held"
CONTRADICTED = {"cases": 1, "by_formula": 1, "seconded": 1, "left": 1.0, "right": 0.0, "inside": False}
"""By ball arithmetic."""


def told(**changes: object) -> str:
    """Everything that the headline says of a record."""
    verdict = headline(samples.record(**changes))
    return " ".join((verdict.sentence, *verdict.failures, *verdict.unchecked))


def test_all_held():
    verdict = headline(samples.full_record())
    assert verdict.standing is RunStanding.HELD
    # 16 cells of 4,096 cases, and 16 of which a third, 1,365, is refused
    assert verdict.sentence == f"{HELD}: 5 claims proved for all sizes and {16 * 4096 + 16 * 2731:,} cases inside their bounds."
    assert verdict.failures == ()
    assert verdict.unchecked == ("21,840 cases refused, as their operands foretold: the update overflows (10,928); ‖a‖² underflows (10,912).",)


def test_one_of_each_is_in_the_singular():
    cell = samples.cell(cases=1, counts=Counts(holds=1))
    assert headline(samples.record(cells=[cell])).sentence == f"{HELD}: 1 claim proved for all sizes and 1 case inside its bound."


def test_what_ran_out_of_time_is_told_apart_from_what_broke():
    rows = [
        NotSwept(block="rnn", format="fp16", variant="scaled", reason=verdict.value.lower(), verdict=verdict) for verdict in (Verdict.ERROR, Verdict.TIMEOUT)
    ]
    experiments = Experiments(out_of_time=[NotMeasured(block=block, what="layers", reason="not begun") for block in ("rnn", "gru")])
    verdict = headline(samples.record(not_swept=rows, experiments=experiments))
    assert verdict.standing is RunStanding.INCOMPLETE
    assert verdict.sentence.startswith(
        "Incomplete: 1 near-zero sweep broke (rnn, fp16, scaled: error), 1 near-zero sweep ran out of time (rnn, fp16, scaled: timeout) "
        "and layers (rnn) and layers (gru) ran out of time (not begun); of the rest, "
    )


@pytest.mark.parametrize(("times", "said"), [(1, "once"), (2, "twice"), (7, "7 times")])
def test_a_resumed_run_says_so_at_the_top_of_the_page_and_of_the_terminal(times: int, said: str):
    resumed = samples.record(run=samples.run_info(resumed=times))
    sentence = f"This run was cut off and taken up again {said}; what was finished by then was kept, and checked to be as it was written."
    assert taken_up(resumed) == sentence
    assert sentence in render(resumed).split("</header>")[0]
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(closing(resumed))
    assert console.file.getvalue().startswith(sentence)


def test_a_run_that_was_not_cut_off_says_nothing_of_it():
    """The planted negative of the test above."""
    assert taken_up(samples.record()) is None
    assert "taken up again" not in render(samples.record())


def test_nothing_was_checked():
    verdict = headline(samples.empty_record())
    assert (verdict.standing, verdict.sentence) == (RunStanding.NOTHING, "Nothing was checked.")


@pytest.mark.parametrize(
    ("part", "said", "unchecked"),
    [
        ("claims", "4,096 cases inside their bounds", "No claim was put to the prover."),
        ("cells", "1 claim proved for all sizes", "No block was measured in any format."),
    ],
)
def test_without_claims_no_word_of_a_proof_and_without_cells_none_of_a_bound(part, said, unchecked):
    verdict = headline(samples.record(**{part: []}))
    assert verdict.sentence == f"{HELD}: {said}."
    assert unchecked in verdict.unchecked


def test_a_claim_shown_for_some_sizes_is_not_proved_for_all():
    assert headline(samples.record(cells=[], claims=[samples.claim(scope="d = 1..4")])).sentence == f"{HELD}: 1 claim shown for the sizes stated."


def test_a_violation_leads():
    wrong = samples.cell(verdict=Verdict.VIOLATED, worst_ratio=5.1, counts=Counts(holds=4093, violated=3))
    verdict = headline(samples.record(cells=[samples.cell(block="other"), wrong]))
    assert verdict.standing is RunStanding.VIOLATED
    assert verdict.sentence == (
        "Violated: 3 cases in 1 cell lie outside their bounds, the worst with an error of 5.1 times its bound in theorem-2.2/attention/fp32/formula/random."
    )


def test_a_refuted_claim_leads():
    verdict = headline(samples.record(claims=[samples.claim(verdict=Verdict.VIOLATED)]))
    assert verdict.standing is RunStanding.VIOLATED
    assert verdict.sentence == "Violated: the claim theorem-2.2 is refuted."


@pytest.mark.parametrize("changes", [{"counts": Counts(holds=4095, violated=1)}, {"worst_ratio": 1.0000001}, {"worst_ratio": samples.INFINITY}])
def test_a_cell_that_says_holds_against_its_own_figures_is_violated(changes):
    assert headline(samples.record(cells=[samples.cell(**changes)])).standing is RunStanding.VIOLATED


def test_a_violation_in_an_interrupted_run_says_both():
    verdict = headline(samples.record(run=samples.run_info(finished=None), cells=[samples.cell(worst_ratio=2.0, verdict=Verdict.VIOLATED)]))
    assert verdict.standing is RunStanding.VIOLATED
    assert verdict.sentence.startswith("Violated, in a run that did not finish: 1 cell lies outside its bound")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"claims": [samples.claim(mutants=[samples.mutant(), samples.mutant(verdict=Verdict.HOLDS, counterexample=None)])]}, "1 of 2 false statements was"),
        ({"claims": [samples.claim(mutants=[samples.mutant(counterexample=None)])]}, "1 of 1 false statement was not refuted"),
        ({"claims": [samples.claim(kernel=Kernel(status="failed"))]}, "kernel did not accept theorem-2.2"),
        ({"cells": [samples.cell(mutant_verdict=Verdict.HOLDS)]}, "1 cell let a planted wrong update pass"),
        ({"cells": [samples.cell(worst_ratio=samples.NAN)]}, "not a number"),
        ({"cells": [samples.cell(certified=CONTRADICTED)]}, "ball arithmetic contradicts"),
        *(
            ({"cells": [samples.cell(**blind)]}, "without a case that could have noticed a wrong update")
            for blind in (*({"resolution": x} for x in (1.0, None, samples.NAN)), {"worst_ratio": None}, {"cases": 0, "counts": Counts()})
        ),
    ],
)
def test_a_check_that_fails_its_own_test_is_not_trusted(changes, words):
    verdict = headline(samples.record(**changes))
    assert verdict.standing is RunStanding.DISTRUSTED
    assert verdict.sentence.startswith("Not to be trusted: ")
    assert words in verdict.sentence
    assert "held" not in verdict.sentence
    assert "4,096" not in verdict.sentence, "no count of cases inside a bound that is not to be trusted"


def test_an_interrupted_run_says_so_first():
    verdict = headline(samples.record(run=samples.run_info(finished=None, exit_status=130)))
    assert verdict.standing is RunStanding.INCOMPLETE
    assert verdict.sentence == "The run did not finish: so far 1 claim proved for all sizes and 4,096 cases inside their bounds."
    assert headline(samples.empty_record(run=samples.run_info(finished=None))).sentence == "The run did not finish: nothing was checked so far."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cells": [samples.cell(), samples.cell(verdict=Verdict.ERROR, reason="a kernel raised", counts=Counts())]}, "1 cell broke"),
        ({"cells": [samples.cell(), samples.cell(verdict=Verdict.TIMEOUT, counts=Counts())]}, "1 cell ran out of time"),
        ({"claims": [samples.claim(), samples.claim(verdict=Verdict.ERROR)]}, "1 claim broke"),
        ({"models": [samples.model(validation_loss=0.5)]}, "attention has not learned the task"),
        ({"models": [samples.model(validation_loss=samples.NAN)]}, "attention has not learned the task"),
    ],
)
def test_what_broke_makes_the_run_incomplete(changes, words):
    verdict = headline(samples.record(**changes))
    assert verdict.standing is RunStanding.INCOMPLETE
    assert verdict.sentence.startswith("Incomplete: ")
    assert words in verdict.sentence
    assert "of the rest" in verdict.sentence


def test_an_exit_status_that_the_rows_do_not_explain_is_told():
    verdict = headline(samples.record(run=samples.run_info(exit_status=3)))
    assert verdict.standing is RunStanding.INCOMPLETE
    assert verdict.sentence == "Incomplete, with exit status 3: 1 claim proved for all sizes and 4,096 cases inside their bounds."


def test_cases_of_a_cell_that_does_not_hold_are_not_counted():
    vacuous = samples.cell(block="wide", verdict=Verdict.VACUOUS, counts=Counts(holds=96, vacuous=4000))
    verdict = headline(samples.record(claims=[], cells=[samples.cell(), vacuous]))
    assert verdict.sentence == "Incomplete: 1 cell is vacuous; of the rest, 4,096 cases inside their bounds."
    assert "96 cases inside their bounds in cells that do not hold as a whole, and so not counted." in verdict.unchecked


def test_the_worst_of_several_violations_is_named_even_beside_a_nan():
    cells = [samples.cell(block=name, verdict=Verdict.VIOLATED, worst_ratio=worst) for name, worst in (("a", samples.NAN), ("b", 7.0), ("c", 2.0))]
    assert "7.0 times its bound in theorem-2.2/b/" in headline(samples.record(cells=cells)).sentence


def test_what_broke_is_told_once_with_its_reason():
    broken = samples.cell(verdict=Verdict.ERROR, reason="a kernel raised", counts=Counts(), worst_ratio=None, mutant_verdict=None)
    for run in (samples.run_info(), samples.run_info(finished=None)):
        verdict = headline(samples.record(run=run, cells=[samples.cell(), broken]))
        assert verdict.failures == ()
        assert verdict.unchecked == ("1 cell broke: a kernel raised.",)


def test_cells_that_could_not_be_judged_are_not_counted_as_held():
    cells = [
        samples.cell(verdict=Verdict.SKIPPED, reason="bf16 has no kernel here", counts=Counts(), worst_ratio=None, mutant_verdict=None),
        samples.cell(
            verdict=Verdict.INCONCLUSIVE, reason="every update overflows", counts=Counts(inconclusive=4096), reasons={}, worst_ratio=None, mutant_verdict=None
        ),
        samples.cell(verdict=Verdict.VACUOUS, resolution=3.0, counts=Counts(vacuous=4096), mutant_verdict=Verdict.VACUOUS),
    ]
    verdict = headline(samples.record(claims=[], cells=cells))
    assert (verdict.standing, verdict.sentence) == (RunStanding.NOTHING, "Nothing was established.")
    assert "1 cell skipped: bf16 has no kernel here." in verdict.unchecked
    assert "1 cell inconclusive: every update overflows." in verdict.unchecked
    assert "4,096 cases inside a bound too wide to have noticed a wrong update." in verdict.unchecked
    assert "4,096 cases refused, as their operands foretold, with no reason recorded." in verdict.unchecked


def test_cases_without_a_verdict_and_checks_that_had_no_planted_negative_are_told():
    assert "96 cases without a verdict." in told(cells=[samples.cell(cases=4096, counts=Counts(holds=4000))])
    assert "1 cell is called HOLDS without a planted wrong update" in told(cells=[samples.cell(mutant_verdict=None)])
    assert "1 cell noticed its planted wrong update in most cases that hold, and not in 6 of 4,096." in told(cells=[samples.cell(mutant_caught=4090)])
    assert "unnoticed" not in told()
    assert "For 1 claim no false variant was tried" in told(claims=[samples.claim(mutants=[])])
    # An output that could not show a wrong update is told too.
    assert "in 96 of 4,096 cases that hold; there only the first dense layer tests it." in told(cells=[samples.cell(output_blind=96)])


def test_cases_that_are_not_on_disk_are_told(tmp_path):
    folder = samples.write_folder(samples.record(), tmp_path / "run", with_cases=[])
    assert cases_missing(samples.record(), folder)
    assert CASES_MISSING in headline(samples.record(), cases_missing=True).unchecked
    assert CASES_MISSING.replace("'", "&#39;") in write_report(folder).read_text(encoding="utf-8")
    whole = samples.write_folder(samples.record(), tmp_path / "whole")
    assert not cases_missing(samples.record(), whole)
    assert not cases_missing(samples.empty_record(), folder)


def test_a_skipped_claim_is_told():
    words = told(claims=[samples.claim(verdict=Verdict.SKIPPED, reason="not asked for", mutants=[])])
    assert "Claim theorem-2.2 skipped: not asked for." in words
    assert "proved" not in words


def test_balls_do_not_blame_the_bound_of_a_cell_with_a_violated_case() -> None:
    """A wrong update explains why its side lies outside its radius; a cell without a violated case has nothing else to explain it."""
    wrong = samples.cell(verdict=Verdict.VIOLATED, worst_ratio=2.0, counts=Counts(holds=1, violated=1), cases=2, certified=CONTRADICTED)
    assert not any("ball arithmetic" in line for line in doubts(samples.record(cells=[wrong])))
    alone = samples.cell(verdict=Verdict.VIOLATED, certified=CONTRADICTED)
    assert any("ball arithmetic" in line for line in doubts(samples.record(cells=[alone])))
    own = samples.cell(variant="own", verdict=Verdict.VIOLATED, certified=CONTRADICTED)
    assert not list(doubts(samples.record(cells=[own])))


def test_a_side_outside_its_own_radius_is_not_called_outside_the_bound() -> None:
    """A ratio of 0.52 lies inside the bound; what fails is one side, and of your own update the fault is the update's."""
    certified = {"cases": 1, "by_formula": 1, "seconded": 1, "left": 1.0, "right": 0.0, "inside": False}
    by_a_side = samples.cell(variant="own", verdict=Verdict.VIOLATED, worst_ratio=0.52, certified=certified)
    verdict = headline(samples.record(cells=[by_a_side]))
    assert verdict.standing is RunStanding.VIOLATED
    assert verdict.sentence == (
        "Violated: in 1 cell a side lies outside its own radius, by ball arithmetic (theorem-2.2/attention/fp32/own/random); "
        "the fault is the update's, which computes another matrix than ΔW."
    )
    assert "bound" not in verdict.sentence
    beyond = samples.cell(variant="own", format="fp64", numerics="fp64", verdict=Verdict.VIOLATED, worst_ratio=2.0, certified=certified)
    both = headline(samples.record(cells=[by_a_side, beyond])).sentence
    assert "1 cell lies outside its bound, the worst with an error of 2.0 times its bound" in both
    assert "in 1 cell a side lies outside its own radius" in both
    ours = headline(samples.record(cells=[samples.cell(verdict=Verdict.VIOLATED, worst_ratio=0.52, certified=certified)]))
    assert "the update's" not in ours.sentence
