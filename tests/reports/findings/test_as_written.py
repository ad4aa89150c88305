"""Blocks as they are written: what is unequal is a violation, wrong patches that pass are a doubt, what has no update is undecided."""

import math

import pytest

from numeric.operators.updates import Mistake
from reports.findings.as_written import equal_cases, undecided_in_double, unequal_blocks, unnoticed_in_double
from reports.findings.faults import doubts, undecided, violations
from reports.findings.overview import checked
from reports.findings.unchecked import unchecked
from reports.record import Experiments, NotMeasured
from reports.record.as_written import WRONG_PATCHES, InDoubleRecord, WatchedRecord
from reports.record.contradictions import contradictions
from reports.record.experiment_contradictions import experiment_contradictions
from symbolic.vocabulary import Verdict
from tests import report_samples as samples

OWN = "mine.py:make_block"
NOTHING, Z, ALONE, ABSORBER = WRONG_PATCHES


def a_block(**changes: object) -> WatchedRecord:
    found = {
        "stream": "aten.add.Tensor at mine.py:9",
        "absorber": "out.bias",
        "absorbs_as": "bias",
        "claims": ["pre-ln"],
        "unproved": [],
        "way": "at the operator",
        "operators": ["aten.addmm.default", "aten.gelu.default"],
        "casts": [],
        "notes": [],
        "off": 2e-16,
        "allowed": 1e-13,
        "planted": {NOTHING: 0.5, ALONE: 0.25, ABSORBER: 0.25},
        "left_out": {Z: "‖z‖² = ‖a‖² up to roundoff"},
    }
    known = {"block": OWN, "weights": samples.DIGEST, "parameters": 58, "width": 4, "first": ["w"], "cuts": ["aten.mm.default at mine.py:8"]}
    return WatchedRecord(**{**known, **found, **changes})


def a_row(**changes: object) -> InDoubleRecord:
    known = {"block": OWN, "variant": "formula", "scenario": "random", "cases": 512, "refused": 2, "unequal": 0}
    claim = "theorem-2.2" if changes.get("scenario") == "subset" else "corollary-2.3.1"
    return InDoubleRecord(
        **{**known, "claim": claim, "off": 4e-16, "worst_ratio": 0.02, "planted": {NOTHING: (510, 510), ALONE: (500, 510)}, "seconds": 1.5, **changes}
    )


def of(*rows: WatchedRecord | InDoubleRecord):
    watched, in_double = ([row for row in rows if isinstance(row, kind)] for kind in (WatchedRecord, InDoubleRecord))
    return samples.empty_record(experiments=Experiments(watched=watched, in_double=in_double))


UNEQUAL = {"unequal": 3, "off": 0.5, "worst_ratio": 1e9}
REFUSED = {"refused": 512, "off": 0.0, "worst_ratio": 0.0, "planted": {}}


def test_what_held_is_no_finding() -> None:
    record = of(a_block(), a_row(), a_row(scenario="subset"))
    assert not [*violations(record), *doubts(record), *undecided(record)]
    assert [row.verdict for row in record.experiments.in_double] == [Verdict.HOLDS] * 2
    assert equal_cases(record.experiments) == 1020
    assert not [*contradictions(record)]


VIOLATED = {
    "cases that are unequal": (a_row(**UNEQUAL), "formula/random differs from the pass with the context in 3 of 510 cases, by up to 0.500 of the output"),
    "one case": (a_row(unequal=1, off=1e-9, worst_ratio=1.5), "in 1 of 510 cases"),
    "a distance that is not a number": (a_row(unequal=1, off=samples.NAN, worst_ratio=samples.NAN), "in 1 of 510 cases"),
    "a ratio above 1 with none unequal": (a_row(worst_ratio=1.5), "in 0 of 510 cases"),
    "a ratio that is not a number with none unequal": (a_row(worst_ratio=samples.NAN), "in 0 of 510 cases"),
    "a check that is off": (a_block(off=1e-6), f"the patched pass of {OWN} is off by 1.00 × 10⁻⁶ of its output"),
    "a check that is not a number": (a_block(off=samples.NAN), "is off by"),
    "a check that allows no number": (a_block(allowed=samples.NAN), "is off by"),
}
DOUBTED = {
    "a wrong patch that is noticed in a third": (a_row(planted={NOTHING: (510, 510), ALONE: (170, 510)}), f"in less than half of the cases ({ALONE})"),
    "a wrong patch that is noticed nowhere": (a_row(planted={NOTHING: (0, 510)}), f"in less than half of the cases ({NOTHING})"),
    "no wrong patch": (a_row(planted={}), "no wrong patch of mine.py:make_block/formula/random was planted in float64"),
    "a check in which a wrong patch passes": (a_block(planted={NOTHING: 0.5, ALONE: 1e-14}), f"no wrong patch was noticed in float64 ({ALONE})"),
    "a check in which a wrong patch is not a number": (a_block(planted={NOTHING: samples.NAN}), f"no wrong patch was noticed in float64 ({NOTHING})"),
    "a check without a wrong patch": (a_block(planted={}), "no wrong patch was noticed in float64 (none was planted)"),
}
UNDECIDED = {
    "only refused cases": (a_row(**REFUSED), "no case of mine.py:make_block/formula/random has an update in float64"),
    "cases in which no wrong patch is one": (
        a_row(planted={NOTHING: (0, 0), ALONE: (0, 0)}),
        "what was removed changes nothing in 510 cases of mine.py:make_block/formula/random, so that no wrong patch differs from the right one: "
        "ask for more cases, or give contexts that matter",
    ),
}


@pytest.mark.parametrize("name", VIOLATED)
def test_what_is_unequal_is_a_violation(name: str) -> None:
    row, words = VIOLATED[name]
    (line,) = violations(of(row))
    assert words in line
    assert list(unequal_blocks(of(row).experiments)) == [line]
    assert isinstance(row, WatchedRecord) or row.verdict is Verdict.VIOLATED


@pytest.mark.parametrize("name", DOUBTED)
def test_a_planted_patch_that_passes_is_a_doubt(name: str) -> None:
    row, words = DOUBTED[name]
    assert not list(violations(of(row)))
    (line,) = unnoticed_in_double(of(row).experiments)
    assert words in line
    assert line in doubts(of(row))
    assert isinstance(row, WatchedRecord) or row.verdict is Verdict.VACUOUS


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_has_no_update_is_undecided(name: str) -> None:
    row, words = UNDECIDED[name]
    record = of(a_block(), row)
    assert [*undecided(record)] == [*undecided_in_double(record.experiments)] == [words]
    assert not [*violations(record), *doubts(record)]
    assert record.experiments.in_double[0].verdict is Verdict.INCONCLUSIVE


def test_rows_that_do_not_hold_are_no_equal_cases() -> None:
    assert equal_cases(of(a_block(), *(row for row, _ in (*VIOLATED.values(), *DOUBTED.values(), *UNDECIDED.values()))).experiments) == 0


def test_half_of_the_cases_are_enough_and_one_less_is_not() -> None:
    assert a_row(cases=4, refused=0, planted={NOTHING: (2, 4)}).verdict is Verdict.HOLDS
    assert a_row(cases=5, refused=0, planted={NOTHING: (2, 5)}).verdict is Verdict.VACUOUS


IMPOSSIBLE = {
    "no case": ([a_row(cases=0, **{**REFUSED, "refused": 0})], "of 0 cases it refused 0"),
    "more refused than there are": ([a_row(cases=1)], "of 1 cases it refused 2"),
    "more unequal than judged": ([a_row(**{**UNEQUAL, "unequal": 511})], "of 512 cases it refused 2 and found 511 unequal"),
    "unequal inside what is allowed": ([a_row(unequal=1)], "1 cases are unequal, and the largest difference is 0.02 of what is allowed"),
    "equal outside what is allowed": ([a_row(worst_ratio=2.0)], "0 cases are unequal, and the largest difference is 2.0"),
    "equal, and not a number": ([a_row(worst_ratio=samples.NAN)], "0 cases are unequal"),
    "a difference of no case": ([a_row(**{**REFUSED, "off": 1e-16})], "it judged no case, and has a difference"),
    "a wrong patch in no case": ([a_row(**{**REFUSED, "planted": {NOTHING: (0, 0)}})], "it judged no case"),
    "a wrong patch noticed more often than tried": ([a_row(planted={NOTHING: (9, 8)})], "noticed in 9 of 8"),
    "a wrong patch tried more often than cases are judged": ([a_row(planted={NOTHING: (9, 511)})], "noticed in 9 of 511, of 510 judged"),
    "a row twice": ([a_row(), a_row()], "in_double"),
    "a block twice": ([a_block(), a_row()], "watched"),
    "another claim than the scenario's": ([a_row(claim="theorem-2.2")], "it is of the claim theorem-2.2"),
    "a ratio that no allowance makes": ([a_row(off=1.0, worst_ratio=math.inf, unequal=1)], "its largest difference is 1.0 of the output"),
    "a wrong patch that there is not": ([a_row(planted={"another one": (9, 9)})], "the block was watched without the wrong patch another one"),
    "an infinite difference and a ratio": ([a_row(off=math.inf, worst_ratio=9.0, unequal=1)], "its largest difference is inf of the output"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_does_not_add_up_is_a_contradiction(name: str) -> None:
    rows, words = IMPOSSIBLE[name]
    found = [*experiment_contradictions(of(a_block(), *rows).experiments)]
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"planted": {NOTHING: 0.5, ALONE: 0.25, ABSORBER: 0.25, "another one": 0.5}}, "it knows a wrong patch another one, which is none"),
        ({"left_out": {Z: "equal", "another one": "equal"}}, "it knows a wrong patch another one, which is none"),
        ({"planted": {NOTHING: 0.5, ALONE: 0.25}}, f"the wrong patch {ABSORBER} is neither planted nor left out"),
        ({"left_out": {}}, f"the wrong patch {Z} is neither planted nor left out"),
    ],
)
def test_every_wrong_patch_is_planted_or_left_out_and_no_other_one_is(changes: dict[str, object], words: str) -> None:
    assert [*experiment_contradictions(of(a_block(**changes)).experiments)] == [f"as written {OWN}: {words}"]


def test_the_wrong_patches_are_those_that_the_check_plants() -> None:
    assert [mistake.value for mistake in Mistake] == [*WRONG_PATCHES]


def test_a_wrong_patch_that_is_tried_nowhere_beside_one_that_is_noticed_is_no_doubt() -> None:
    """Without the absorber's part a patch is the right one where the stream lacks nothing."""
    row = a_row(planted={NOTHING: (510, 510), ALONE: (0, 0)})
    assert (row.verdict, row.unaffected) == (Verdict.HOLDS, False)
    assert not [*unnoticed_in_double(of(row).experiments), *undecided_in_double(of(row).experiments)]


def test_what_adds_up_is_none() -> None:
    """The right twins, with a number at each limit."""
    for changes in (UNEQUAL, {**UNEQUAL, "unequal": 510}, {"unequal": 1, "worst_ratio": samples.NAN}, {"worst_ratio": 1.0}, REFUSED, *EXTREME):
        assert not [*experiment_contradictions(of(a_block(), a_row(**changes)).experiments)]
    assert not [*experiment_contradictions(of(a_block(stream=None, absorber=None, absorbs_as=None), a_row()).experiments)]


EXTREME = (
    {"unequal": 1, "off": samples.NAN, "worst_ratio": samples.NAN},
    {"unequal": 1, "off": math.inf, "worst_ratio": math.inf},
    {"unequal": 1, "off": math.inf, "worst_ratio": samples.NAN},
    {"unequal": 1, "off": 1e300, "worst_ratio": math.inf},  # a quotient that overflowed
    {"off": 2.0**-53, "worst_ratio": 1.0},  # one rounding, condition number 1
    {"off": 0.0, "worst_ratio": 0.0},
)


def test_a_block_that_was_not_watched_is_a_contradiction_unless_the_run_says_why() -> None:
    found = Experiments(in_double=[a_row()])
    late = NotMeasured(block=OWN, what="the float64 check", reason="out of time")
    words = "it measured mine.py:make_block in float64, which it did not watch"
    assert words in [*contradictions(samples.empty_record(experiments=found))]
    assert words not in [*contradictions(samples.empty_record(experiments=found.model_copy(update={"out_of_time": [late]})))]
    cut_off = samples.run_info(finished=None, exit_status=130)
    assert words not in [*contradictions(samples.empty_record(run=cut_off, experiments=found))]


def test_what_its_judgement_leaves_open_is_said() -> None:
    row = a_block(
        claims=["pre-ln", "post-ln"],
        unproved=["post-ln"],
        casts=["rope.py:40", "norm.py:9"],
        notes=["mine.py:7 decides by a value of the input, before the cut"],
    )
    text = " ".join(unchecked(of(row, a_row())))
    assert f"{OWN} needs the claims pre-ln and post-ln beside the scenario's; not proved yet, and so measured alone: post-ln." in text
    assert f"{OWN} casts to shorter formats, at rope.py:40 and norm.py:9; in float64 these casts are left out" in text
    assert f"{OWN}: mine.py:7 decides by a value of the input" in text
    assert f"2 cases of {OWN}/formula/random refused in float64" in text
    assert OWN not in " ".join(unchecked(of(a_block(), a_row(refused=0))))


def test_the_overview_counts_its_cases() -> None:
    (line,) = (line for line in checked(of(a_block(), a_row(), a_row(scenario="subset", **UNEQUAL))) if "as they are written" in str(line))
    assert "1,024" in str(line)
    assert "510 equal" in str(line)
