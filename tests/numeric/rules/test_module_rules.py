"""The rules for activations and normalisations, against ball arithmetic, on operands drawn to be awkward (``drawn_columns.py``).

Hypothesis draws the seeds of batches. The machine's result has to lie within its radius of the exact one, with no tolerance.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given

from numeric.formats import format_named, torch_dtype
from numeric.machine import ErrorModel
from tests.numeric.formats.drawn_operands import NAMES
from tests.numeric.rules.drawn_columns import (
    CASES,
    MODULES,
    WIDTH,
    Batch,
    batch,
    carefully,
    flushed,
    halved,
    honest,
    in_other_formats,
    module_named,
    outcome,
    seeds,
)

EXAMPLES = 14
"""Batches for a rule and a format: 14,994 operands, of which 10,000 have to be compared."""
SOAKED = 1_000_000 // (CASES * WIDTH) + 1


def removed(numerics: ErrorModel) -> ErrorModel:
    """The planted liar that knows of no roundoff at all, and of no underflow."""
    return in_other_formats(numerics, significand_bits=2000, min_exponent=-5000)  # 2^-2000 is no float64: zero


def holds_over(rule: str, name: str, examples: int) -> int:
    compared = 0

    @carefully(examples)
    @given(seeds)
    def holds(seed: int) -> None:
        nonlocal compared
        found = outcome(rule, batch(rule, format_named(name), seed), honest(name), seed)
        compared += found.compared
        assert not found.violations, found.violations[:3]

    holds()
    return compared


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", MODULES)
def test_every_exact_result_lies_within_the_radius(rule: str, name: str) -> None:
    """So many are compared, the foretold hazards left out: a rule that calls every case a hazard would prove nothing."""
    assert holds_over(rule, name, EXAMPLES) >= 10_000


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", MODULES)
def test_a_million_exact_results_lie_within_the_radius(rule: str, name: str) -> None:
    holds_over(rule, name, SOAKED)


# The rules walked, each with a planted defect that has to be seen.

LOOSE = [(rule, name) for rule in ("silu", "softmax", "layer-norm", "rms-norm") for name in ("fp64", "fp32")]
"""Where no error takes half of its radius, so that half of the constants is still enough. There the roundoff is removed altogether."""
ENOUGH = 60
"""Batches after which a defect counts as not seen; most are seen in the first."""


def ordinary(rule: str, name: str, seed: int) -> Batch:
    """A batch without radii in the middle of the range."""
    where = (-3, 3) if rule in ("layer-norm", "rms-norm") else (-3, 2)
    return batch(rule, format_named(name), seed, spread="none", where=where)


def tightest(rule: str, name: str, batches: int = 6) -> float:
    """The largest error/radius."""
    found = [outcome(rule, ordinary(rule, name, seed), honest(name), seed) for seed in range(batches)]
    assert not any(o.violations for o in found)
    return max(o.worst for o in found)


def caught(rule: str, name: str, numerics: ErrorModel) -> bool:
    """Whether an error model is seen to be wrong."""
    return any(outcome(rule, ordinary(rule, name, seed), numerics, seed).violations for seed in range(ENOUGH))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", MODULES)
def test_a_rule_with_half_of_its_constants_is_caught(rule: str, name: str, record_property: Callable[[str, object], None]) -> None:
    """Half of the assumed ulps and of the roundoff where the bound is attained to a factor of two; no roundoff at all where it is not."""
    ratio = tightest(rule, name)
    record_property("error/radius", ratio)
    loose = (rule, name) in LOOSE
    assert not loose or ratio < 0.5, "it is not that loose: half of the constants ought to be planted"
    assert caught(rule, name, removed(honest(name)) if loose else halved(honest(name))), f"the largest error takes {ratio:.3f} of its radius"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", MODULES)
def test_a_rule_without_the_inherited_error_is_caught(rule: str, name: str) -> None:
    """The exact input lies at the end of its radius, and the rule is told that it has none."""
    drawn = batch(rule, format_named(name), 1, spread="wide", where=(-3, 2))
    assert not outcome(rule, drawn, honest(name), 1).violations
    assert outcome(rule, drawn, honest(name), 1, radius=torch.zeros_like(drawn.radius)).violations


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("rule", ["gelu", "gelu-tanh", "silu", "softmax", "rms-norm"])
def test_a_rule_without_its_underflow_term_is_caught(rule: str, name: str) -> None:
    """Results between η and λ, under an error model whose η is zero: x/2, or e^x with x a little above ln η.

    Not in fp64: radii are float64 numbers themselves, and what they are widened by for their own underflow hides a missing η.
    """
    storage, numerics = format_named(name), honest(name)
    lowest = storage.min_exponent - storage.significand_bits + 1
    if rule == "softmax":
        depth = torch.linspace(0.02, 0.98, CASES * WIDTH, dtype=torch.float64) * storage.significand_bits
        value = ((lowest + depth) * 0.6931471805599453).to(torch_dtype(storage)).reshape(CASES, WIDTH, 1)
        value[:, 0] = 0.0
        drawn = Batch(value, torch.zeros(value.shape, dtype=torch.float64), [[Fraction(0)] * WIDTH] * CASES)
    else:
        drawn = batch(rule, storage, 1, spread="none", where=(lowest, storage.min_exponent - 1))
    blind = in_other_formats(numerics, min_exponent=-5000)  # ever smaller numbers: the same roundoff, and no η
    assert not outcome(rule, drawn, numerics, 1).violations
    assert outcome(rule, drawn, blind, 1).violations


@pytest.mark.parametrize("rule", MODULES)
def test_flushing_is_covered_and_a_rule_that_ignores_it_is_caught(rule: str) -> None:
    """fp32 with flushing switched on: subnormal operands, and results, come out as zero."""
    storage = format_named("fp32")
    flushing = replace(honest("fp32"), elementwise_flushes=True, flushing=frozenset({"any"}), running=flushed)
    drawn = batch(rule, storage, 3, spread="none", where=(storage.min_exponent - 23, storage.min_exponent + 2) if rule != "softmax" else (0, 6))
    if rule == "softmax":
        drawn.value[:, 0] = 0.0

    with flushed():
        value = module_named(rule, storage, 3)(drawn.value.squeeze(-1)).unsqueeze(-1)

    assert not outcome(rule, drawn, flushing, 3, value=value).violations
    if rule in ("gelu", "gelu-tanh", "silu"):  # in the others ε hides what is flushed, or the kernel (oneMKL's) keeps it
        assert outcome(rule, drawn, replace(flushing, elementwise_flushes=False), 3, value=value).violations
