"""Every constant, term and factor of the modules that carry a bound is made another, and the module's own tests have to notice.

What is not noticed is one of three things, and the run tells which: no result became smaller (a wider bound is no wrong one); every result
stayed the same bits; or a result became smaller, and the tests still hold. The last two are listed (``spared``), each with the reason. A
mutant that goes unnoticed and is not listed fails, and so does a row that fits another number of mutants than it says. A few are tried by default, all
of them with ``pytest -m soak``, whose report counts them module by module.
"""

import pkgutil
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numeric
from numeric.experiments import one_update_many_queries
from tests.numeric.mutants import Mutant, in_force, mutants
from tests.numeric.noticing import Check, Outcome, checks_of, outcome, results
from tests.numeric.own_checks import ARITHMETICS, CHECKS, EXPERIMENTS, EXPLAINED, MACHINE, QUICK, RULES, SIDES
from tests.numeric.spared import SPARED, Spared, reason
from tests.numeric.turned import TURNED_TOO
from tests.numeric.without_bounds import WITHOUT_BOUNDS

SAMPLE = 5
"""Mutants of each quick module that are tried by default."""


def tried(module: str, chosen: tuple[Mutant, ...]) -> dict[Mutant, Outcome]:
    """What becomes of some mutants of a module."""
    checks: list[Check] = CHECKS[module]()
    plain = results(module, checks)
    return {mutant: outcome(mutant, checks, plain) for mutant in chosen}


def unexplained(found: dict[Mutant, Outcome]) -> list[str]:
    """The mutants that ought to have been noticed."""
    return [f"{found[mutant]} {mutant}" for mutant in found if found[mutant] in (Outcome.SURVIVED, Outcome.SAME) and reason(mutant) is None]


@pytest.mark.parametrize("module", QUICK)
def test_a_sample_is_noticed(module: str) -> None:
    """Drawn by a digest of their text, so that another source has another sample."""
    every = sorted(mutants(module), key=lambda mutant: sha256(str(mutant).encode()).hexdigest())
    found = tried(module, tuple(every[:SAMPLE]))
    assert not unexplained(found)
    assert Outcome.NOTICED in found.values()


PLANTED = {
    "the drift of the carried stream": (SIDES + "one_side", "_with_the_stream: None if drift is None else drift.unsqueeze(-1) → None"),
    "half of the error of a product of matrices": (ARITHMETICS + "matrix_products", "product_error: gamma(k, u) → gamma(k, u) * 0.5"),
    "LayerNorm's error of the variance": (RULES + "normalisation", "_central_moments: {0} + gamma(2 * n + 7, v) * summed → gamma(2 * n + 7, v) * summed"),
    "softmax's rounding of a quotient": (RULES + "normalisation", "softmax_rule: quotient + {1} → quotient"),
    "softmax's error of the argument": (RULES + "normalisation", "powers: argument + {2} → {2}"),
    "GELU's rounding of the argument": (RULES + "activations", "_phi_error: (2.0 + v) * v → v"),
    "what came with the argument": (RULES + "activations", "_sum_with_one: own + propagated → own"),
    "the widening of a margin": (SIDES + "judging", "_compare: bound * (1 + 4 * ROUNDOFF) + lost → bound * (1 + 4 * ROUNDOFF)"),
    "float64's doubt of a partial sum": (ARITHMETICS + "partial_sums", "partial_sums: part + nodes * doubt → part"),
}
"""Terms that were taken out once, and that no test of their module missed."""
PARTS = ("spread * (2.0 * root + spread)", "(2.0 + v) * v * (probability + quotient)", "2.0 * k * v * (above + argument)")


@pytest.mark.parametrize("what", PLANTED)
def test_a_term_that_was_missed_once_is_noticed(what: str) -> None:
    module, words = PLANTED[what]
    (mutant,) = (each for each in mutants(module) if str(each) == words.format(*PARTS))
    assert outcome(mutant, CHECKS[module](), []) is Outcome.NOTICED


def test_a_module_without_tests_notices_nothing() -> None:
    """The planted one: with no check at all every mutant goes unnoticed, and none is smaller, for nothing is compared."""
    some = mutants("numeric.arithmetics.matrix_products")[:8]
    assert {outcome(mutant, [], []) for mutant in some} == {Outcome.SAME}


def test_a_check_draws_the_same_examples_and_looks_for_no_smaller_ones() -> None:
    """So that what a mutant returns can be compared with what the module returns; Hypothesis's own way of running the same test is the planted one."""
    drawn: list[int] = []

    @settings(database=None)
    @given(st.integers())
    def fails_late(number: int) -> None:
        drawn.append(number)
        assert number < 1000

    module = ModuleType("drawn")
    fails_late.__module__, module.test_fails_late = "drawn", fails_late  # type: ignore[attr-defined]
    (check,) = checks_of(module)
    runs = []
    for run in (check, check, fails_late):
        drawn.clear()
        with pytest.raises(AssertionError):
            run()
        runs.append(list(drawn))
    first, second, shrunk = runs
    assert first == second
    failing = [{number for number in run if number >= 1000} for run in (first, shrunk)]
    assert len(failing[0]) == 1 < len(failing[1])
    assert shrunk[-1] == 1000


def test_a_check_of_one_parameter_is_handed_it() -> None:
    """Also where ``pytest.param`` holds it, which holds a tuple; a check that is handed another thing fails with every mutant, which looks like noticing."""
    seen: list[object] = []
    module = ModuleType("parametrized")

    @pytest.mark.parametrize("of", ["plain", pytest.param("marked", marks=pytest.mark.soak), (1, 2)])
    def test_of_one(of: object) -> None:
        seen.append(of)

    @pytest.mark.parametrize(("one", "two"), [(1, 2), pytest.param(3, 4)])
    def test_of_two(one: int, two: int) -> None:
        seen.append(one + two)

    for each in (test_of_one, test_of_two):
        each.__module__ = "parametrized"
        setattr(module, each.__name__, each)
    for check in checks_of(module):
        check()
    assert seen == ["plain", "marked", (1, 2), 3, 7]


def test_what_is_changed_is_a_number_or_a_term_and_no_type() -> None:
    """``Tensor | None`` is no union of flags; and a slice that a number makes is a constant like any other."""
    assert not [mutant for mutant in mutants(EXPERIMENTS + "patched_stack") if mutant.before == "Tensor | None"]
    assert [mutant for mutant in mutants(SIDES + "both_sides") if " | " in mutant.before]
    (longer,) = (each for each in mutants(EXPERIMENTS + "one_update_many_queries") if str(each) == "constant: 96 → 192")
    before = one_update_many_queries.FRESH
    with in_force(longer):
        assert one_update_many_queries.FRESH.stop == before.stop + 96
    assert before is one_update_many_queries.FRESH


def test_conditions_are_turned_about_where_that_is_said() -> None:
    """Of ``if``, of ``and``, ``or`` and ``not``, of ``is``; and a difference has its operands exchanged. In a module that is not named, none."""
    words = {str(mutant) for module in TURNED_TOO for mutant in mutants(module)}
    assert "first_layer_patch: setting.variant.factored → not setting.variant.factored" in words
    assert "first_layer_patch: () if setting.block.parallel else setting.first_layers → setting.first_layers" in words
    assert "ErrorModel.name: self.label or self.storage.name → self.label" in words
    assert "Envelope.is_zero: not (self.outers or self.parts or self.weighted) → self.outers or self.parts or self.weighted" in words
    assert "exact_patch: ridge == 0 and d > K → d > K" in words
    assert "distance: patch - right → right - patch" in words
    assert "_sum_error_in_order: n.matrices is None → n.matrices is not None" in words
    assert not any(" → not " in str(mutant) for mutant in mutants(EXPERIMENTS + "paper_figures"))


def test_every_row_of_the_list_has_a_module_and_a_reason() -> None:
    assert {row.module for row in SPARED} <= set(CHECKS)
    assert TURNED_TOO <= set(EXPLAINED) <= set(CHECKS)
    assert all(row.why for row in SPARED)


@pytest.mark.parametrize("row", SPARED, ids=lambda row: f"{row.module}: {row.pattern}")
def test_a_row_fits_no_more_mutants_than_it_says(row: Spared) -> None:
    """So that a constant that is written tomorrow is not excused by a pattern of today, and no row is of nothing."""
    assert row.matched > 0
    assert sum(row.of(mutant) for mutant in mutants(row.module)) == row.matched


def unasked(listed: set[str]) -> set[str]:
    """Modules of ``numeric`` that have mutants, of which none is tried and that are not listed; and those that are listed for nothing."""
    every = {info.name for info in pkgutil.walk_packages(numeric.__path__, "numeric.") if not info.ispkg}
    return {name for name in every - set(CHECKS) if mutants(name)} ^ listed


def test_every_module_with_a_mutant_is_asked_or_says_why_not() -> None:
    """A constant, a sum or a condition that is written tomorrow in a module of its own has to have tests of its own, too."""
    rows = [f"numeric.{name}" for names in WITHOUT_BOUNDS.values() for name in names]
    assert len(rows) == len(set(rows))
    assert not unasked(set(rows))
    assert unasked(set(rows[1:])) == {rows[0]}, "the planted one"
    assert unasked({*rows, "numeric.sides.setting"}) == {"numeric.sides.setting"}, "and a row for nothing"


@pytest.mark.parametrize("module", [MACHINE + "error_model", EXPERIMENTS + "paper_figures"])
def test_every_mutant_of_these_is_noticed_at_once(module: str) -> None:
    """The constants that all bounds share, and the one bound of Figure 1: their tests take no time."""
    chosen = tuple(mutant for mutant in mutants(module) if module.endswith("error_model") or mutant.function == "losses_apart")
    found = tried(module, chosen)
    assert not unexplained(found)
    assert len(chosen) > 20


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("module", EXPLAINED)
def test_every_mutant_is_noticed_or_explained(module: str, record_property: Callable[[str, object], None]) -> None:
    found = tried(module, mutants(module))
    counts = Counter(found.values())
    explained = Counter(reason(mutant) for mutant in found if found[mutant] in (Outcome.SURVIVED, Outcome.SAME))
    record_property("mutants", f"{module}: {len(found)} mutants; " + ", ".join(f"{counts[word]} {word}" for word in Outcome))
    print(f"\n{module}: {len(found)} mutants; " + ", ".join(f"{counts[word]} {word}" for word in Outcome))
    for why, number in explained.most_common():
        print(f"  {number:4} {why or 'NOT EXPLAINED'}")
    assert not unexplained(found)
