"""No term of a rule could be half as large: each is made so, at every place in the source where it stands, and a trial has to see it.

The sites are read off the sources of ``value_and_radius.py``, ``roundoff.py`` and ``hazard.py``, and of the constants of ``ErrorModel``
(``rule_mutants.py``); the operands are those of
``rule_operands.py`` and its like, and only the trials that name a rule are run for it. What is spared stands in a table, with the reason: a term of which half
would still be enough is removed altogether instead, and a term that proofs need and no operands can use up is named as that. The table fails
when it is stale.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import trunc
from types import ModuleType

import pytest

from numeric.arithmetics import value_and_radius
from numeric.formats import Format, format_named
from numeric.machine import ErrorModel
from tests.numeric.arithmetics import (
    rule_operands,  # noqa: F401 - it fills the list of trials
    rule_trials,
)
from tests.numeric.arithmetics.rule_operands_of_products import lost_in_a_wide_accumulator
from tests.numeric.arithmetics.rule_trials import FP32, Desk, rounded
from tests.numeric.formats.drawn_operands import NATIVE
from tests.numeric.rules.rule_mutants import HALF, NOTHING, PROPERTIES, Mutant, Site, mutant, rules, sites, source

SITES = list(sites("rounding")) + [site for site in sites("numerics") if site.function in PROPERTIES]
EVERY = tuple(row.name for row in NATIVE)
LONG, SHORT = ("fp64", "fp32"), ("bf16", "fp16")
HALVED, REMOVED, IDLE, UNREACHED = "half is seen", "its removal is seen", "its removal is not seen", "not evaluated"


@dataclass(frozen=True, slots=True)
class Spared:
    """Sites at which half is not seen, and why."""

    sites: str
    formats: tuple[str, ...]
    outcome: str
    why: str


SECOND_ORDER = "the proof's terms of second order: γ_n(u) ≥ nu, and nu is enough (Jeannerod and Rump, SIAM J. Matrix Anal. Appl. 34 (2013))"
WIDENED = "a radius is a float64 number itself, and widening it for its own underflow adds more than fp64's η"
OPERANDS = "only products of fp32 round their operands first"
COARSE_OPERANDS = "beside what the operands lose by being rounded to 11 bits, the roundings of their sum in fp32 are small"
NARROWER = "no narrower format is held in its dtype"
OPMATH = "operations are computed in the storage format"
ACROSS = "it would have to take Wx across a power of two, where a rounding counts twice as much"
TWICE = "u + 2u' bounds (1+u)(1+u') - 1 for u as large as 1; for these it is hardly more than u + u'"

SPARED = (
    Spared("_lifted.given_radius#1", ("fp64",), IDLE, "a constant is a float64 number"),
    Spared("elementwise_underflow.half_subnormal#1 product_radius.half_subnormal#1 sum_error.smallest_normal#1", ("fp64",), IDLE, WIDENED),
    Spared("foretell_overflow.largest#1", ("fp64",), IDLE, "2Ω is an infinity, and below one lies no infinity"),
    Spared("_outer.smallest_normal#1 product_radius.smallest_normal#1", ("fp16",), IDLE, "no product of two fp16 numbers is subnormal in fp32"),
    Spared("_sum.elementwise_roundoff#1", EVERY, IDLE, "a sum below Ω is rounded to at most Ω"),
    Spared("_largest_entry.radius#1 product_radius.radius#2", EVERY, REMOVED, "it is only asked whether it is zero"),
    Spared("dense_layer.elementwise_roundoff#1", LONG, IDLE, "a bound of Wx is asked for where a wider accumulator is rounded"),
    Spared("largest_product.magnitude#1", LONG, IDLE, "a bound of Wx is asked for where a wider accumulator is rounded"),
    Spared("largest_product.gamma#1 largest_product.sum_roundoff#1 largest_product.half_subnormal#1", EVERY, IDLE, ACROSS),
    Spared("dense_layer.unit_roundoff#1", ("fp32",), IDLE, SECOND_ORDER),
    Spared("product_radius.unit_roundoff#1", ("fp32",), IDLE, SECOND_ORDER),
    Spared("product_radius.magnitude#4", ("fp32",), IDLE, COARSE_OPERANDS),
    Spared("_sum_error_in_order.gamma#1", EVERY, IDLE, SECOND_ORDER),
    Spared("_sum_error_in_order.gamma#2", SHORT, IDLE, SECOND_ORDER),
    Spared("rounding_error.unit_roundoff#2 entrywise_rounding.unit_roundoff#2 elementwise_roundoff.unit_roundoff#2", SHORT, REMOVED, TWICE),
    Spared("rounding_error.unit_roundoff#2 entrywise_rounding.unit_roundoff#2 elementwise_roundoff.unit_roundoff#2", LONG, UNREACHED, OPMATH),
    Spared("elementwise_underflow.half_subnormal#2", LONG, UNREACHED, OPMATH),
    Spared("product_radius.rounding_error#1 product_radius.half_subnormal#2", LONG, UNREACHED, "the accumulator is no wider than storage"),
    Spared("_sum_error_in_order.unit_roundoff#1 _sum_error_in_order.unit_roundoff#2 _sum_error_in_order.gamma#2", LONG, UNREACHED, "no strands are stored"),
    Spared("_outer.operand_error#1 dense_layer.operand_error#1 dense_layer.unit_roundoff#1 dense_layer.unit_roundoff#2", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("operand_error.unit_roundoff#1 operand_error.half_subnormal#1", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("operand_error_of_matrix.operand_error#1 operand_error_of_matrix.half_subnormal#1", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("operand_error_of_matrix.magnitude#1 operand_error_of_matrix.unit_roundoff#1", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("product_radius.operand_error_of_matrix#1 product_radius.operand_error#1", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("product_radius.magnitude#3 product_radius.magnitude#4 product_radius.magnitude#5", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("product_radius.unit_roundoff#1", ("fp64", *SHORT), UNREACHED, OPERANDS),
    Spared("stored.magnitude#1 stored.magnitude#2 stored.magnitude#3 stored.half_subnormal#1 stored.unit_roundoff#1", SHORT, UNREACHED, NARROWER),
    Spared("stored.unit_roundoff#2 stored.first_place#1 stored.slack#1 stored.radius#1 stored.entry_radius#1", SHORT, UNREACHED, NARROWER),
)


@dataclass(frozen=True, slots=True)
class Together:
    """Sites of which each makes up for the other: removed together they are missed."""

    sites: str
    formats: tuple[str, ...]
    why: str


FLUSHED_ONCE = "a product is flushed in the accumulator or in storage, and each of the terms is as large as what is lost"
TOGETHER = (
    Together("_outer.smallest_normal#1 _outer.smallest_normal#2", ("fp64", "fp32", "bf16"), FLUSHED_ONCE),
    Together(
        "product_radius.smallest_normal#1 product_radius.smallest_normal#2 dense_layer.subnormal_part#1",
        ("fp64", "fp32", "bf16"),
        f"{FLUSHED_ONCE}; the bias is counted among the terms of the sum",
    ),
)


def expected(site: Site, name: str) -> str:
    listed = [row.outcome for row in SPARED if str(site) in row.sites.split() and name in row.formats]
    listed += [IDLE for row in TOGETHER if str(site) in row.sites.split() and name in row.formats]
    assert len(listed) <= 1, f"{site} is spared twice in {name}"
    return listed[0] if listed else HALVED


@contextmanager
def in_force(changed: Mutant, site: Site) -> Iterator[ModuleType]:
    """The rules with the change: a module of rules, or the usual one under a constant that is another."""
    if site.module == "rounding":
        yield changed.module
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ErrorModel, site.function, getattr(changed.module.ErrorModel, site.function))
        yield value_and_radius


@cache
def changed(factors: tuple[float, float], *of: Site) -> Mutant:
    return mutant(of, factors)


def seen(row: Format, factors: tuple[float, float], *of: Site) -> bool:
    """Whether a trial that names the rule finds a result outside of its radius."""
    functions = {site.function for site in of}
    with in_force(changed(factors, *of), of[0]) as with_change:
        trials = [trial for named, trial in rule_trials.TRIALS if functions & set(named) or of[0].module == "numerics"]
        return any(not holds for trial in trials for holds in trial(Desk(with_change, row)))


def outcome(site: Site, row: Format) -> str:
    """What becomes of the change."""
    if seen(row, HALF, site):
        return HALVED
    changed(NOTHING, site).reached.clear()
    if seen(row, NOTHING, site):
        return REMOVED
    return IDLE if changed(NOTHING, site).reached else UNREACHED


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
@pytest.mark.parametrize("trial", [trial for _, trial in rule_trials.TRIALS], ids=lambda trial: trial.__name__)
def test_every_result_lies_within_the_radius(trial: rule_trials.Trial, row: Format) -> None:
    assert all(trial(Desk(value_and_radius, row)))


@pytest.mark.parametrize("site", SITES, ids=str)
def test_a_term_that_is_half_as_large_is_seen(site: Site) -> None:
    assert {row.name: outcome(site, row) for row in NATIVE} == {row.name: expected(site, row.name) for row in NATIVE}


@pytest.mark.parametrize("row", TOGETHER, ids=lambda row: row.sites)
def test_terms_that_make_up_for_each_other_are_seen_together(row: Together) -> None:
    gone = [site for site in SITES if str(site) in row.sites.split()]
    assert len(gone) == len(row.sites.split())
    assert all(seen(format_named(name), NOTHING, *gone) for name in row.formats)


def test_every_rule_is_asked_by_a_trial_and_every_exception_is_of_a_site() -> None:
    asked = {name for named, _ in rule_trials.TRIALS for name in named}
    assert rules() <= asked
    assert {site.function for site in SITES} <= asked | set(PROPERTIES)
    named = {name for row in (*SPARED, *TOGETHER) for name in row.sites.split()}
    assert named <= {str(site) for site in SITES}
    assert all(row.why for row in (*SPARED, *TOGETHER))


def test_a_rule_that_nobody_asks_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new rule is not named by a trial; and without its trials a term that is half as large goes unseen."""

    def fused(x: value_and_radius.WithRadius) -> value_and_radius.WithRadius:
        return x

    fused.__module__ = value_and_radius.__name__
    monkeypatch.setattr(value_and_radius, "fused", fused, raising=False)
    assert rules() - {name for named, _ in rule_trials.TRIALS for name in named} == {"fused"}
    site = next(site for site in SITES if str(site) == "sum_error.rounding_error#1")
    assert outcome(site, FP32) == HALVED
    monkeypatch.setattr(rule_trials, "TRIALS", [])
    assert outcome(site, FP32) == UNREACHED


def test_every_mention_of_a_constant_is_a_site() -> None:
    """Counted in another way: every attribute of that name in the text of the functions."""
    constants = ("unit_roundoff", "half_subnormal", "smallest_normal")
    words = [node.attr for node in ast.walk(source("rounding")) if isinstance(node, ast.Attribute) and node.attr in constants]
    found = [site.term for site in sites("rounding")]
    assert all(words.count(word) == found.count(word) > 0 for word in set(words))


@pytest.mark.parametrize("factor", [4.0, 2.0, 1.0])
def test_a_truncating_accumulator(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off one after the other, a sum loses up to 2u a step; 4u is for hardware that aligns several terms at once, and half of it is enough here."""
    desk = Desk(value_and_radius, FP32).having(truncates=True)
    monkeypatch.setattr(ErrorModel, "sum_roundoff", property(lambda n: n.accumulation.unit_roundoff * factor))
    u = Fraction(FP32.unit_roundoff)
    terms = [Fraction(1), *[2 * u - u / 64] * 6]
    total = Fraction(0)
    for term in terms:
        total = rounded(total + term, FP32, trunc)
    assert total == 1
    holds = desk.summed(desk.column(*[1.0] * len(terms)).mT, desk.column(*map(float, terms)), total, sum(terms, Fraction(0)))
    assert holds is (factor > 1.0)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("name", SHORT)
def test_half_of_gamma_is_enough_in_a_wide_accumulator(name: str, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sum is not stored with a larger error still, it cancels, and no partial sum is over half of Σ|x_k y_k|."""
    gamma = value_and_radius.gamma
    monkeypatch.setattr(value_and_radius, "gamma", lambda k, u: factor * gamma(k, u))
    assert lost_in_a_wide_accumulator(Desk(value_and_radius, format_named(name)).wide) is (factor > 0.0)
