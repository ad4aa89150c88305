"""The rules for elementary functions, activations and normalisations, against ball arithmetic, on operands drawn to be awkward.

Hypothesis draws seeds; a seed makes a batch of a thousand operands, for a ball a number would be slow one example at a time: numbers over the
whole range of a format, subnormal ones, near Ω, with few bits or all of them; columns that cancel; radii of zero and of all sizes; and the exact
input at either end of its radius or anywhere between. The machine's result has to lie within its radius of the exact one, with no tolerance.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import mpmath
import pytest
import torch
from flint import arb, ctx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.architecture.junctions import LargestOnly, Product, WeightedSum
from numeric.arithmetics.hazard import Hazards, hazards
from numeric.arithmetics.value_and_radius import WithRadius, exact
from numeric.formats.format import NATIVE, Format, format_named
from numeric.formats.storage import torch_dtype
from numeric.machine.error_model import ErrorModel, UnsupportedNumerics
from numeric.rules import activations, elementary, enclosures, library_probe, normalisation, reference
from numeric.rules.activations import GELU_LIPSCHITZ, GELU_TANH_LIPSCHITZ, SILU_LIPSCHITZ
from numeric.rules.library_errors import ELEMENTARY_ERRORS, UnknownElementaryFunction, elementary_error
from numeric.rules.library_probe import module_truth, plain_numerics, probe_elementary
from numeric.rules.table import RULES, rule_for

NAMES = [row.name for row in NATIVE]
FUNCTIONS = ["sqrt", "rsqrt", "exp", "abs", "max"]
MODULES = ["gelu", "gelu-tanh", "silu", "softmax", "layer-norm", "rms-norm"]
CASES, WIDTH = 63, 17
"""A batch has 1071 operands: the vectorised body of a kernel and its tail."""
EXAMPLES = 14
"""Batches for a rule and a format: 14,994 operands, of which 10,000 have to be compared."""
SOAKED = 1_000_000 // (CASES * WIDTH) + 1
EPS = 2.0**-10


def carefully(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))


seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    saved, ctx.prec = ctx.prec, 256
    yield
    ctx.prec = saved


# What is drawn.


def numbers(storage: Format, shape: tuple[int, ...], generator: torch.Generator, exponents: tuple[int, int]) -> Tensor:
    """Signed numbers of the format, held in it: significands of few bits, of all of them, or all ones; exponents in a range, some subnormal."""
    p = storage.significand_bits
    lowest = storage.min_exponent - p + 1

    def integers(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=generator)

    few = torch.tensor([2 ** (p - 1), 2 ** (p - 1) + 1, 2**p - 1, 3 * 2 ** (p - 2), 2 ** (p - 1) + 2 ** (p // 2)])
    significand = torch.where(integers(0, 3) == 0, few[integers(0, 4)], integers(2 ** (p - 1), 2**p - 1))
    places = integers(*exponents) - p + 1
    significand = torch.where(places < lowest, significand >> (lowest - places).clamp(0, 62), significand)
    x = torch.ldexp(significand.double(), places.clamp(min=lowest).int()) * (2.0 * integers(0, 1) - 1.0)
    stored = x.to(torch_dtype(storage))
    assert torch.equal(stored.double(), x)
    return stored


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns of a format, the radius of each number, and the share of it by which the exact one differs."""

    value: Tensor
    radius: Tensor
    shares: list[list[Fraction]]

    def truth(self, case: int) -> list[arb]:
        pairs = zip(self.value[case].flatten().tolist(), self.shares[case], self.radius[case].flatten().tolist(), strict=True)
        return [reference.inside(*drawn) for drawn in pairs]


def batch(rule: str, storage: Format, seed: int, *, spread: str = "any", where: tuple[int, int] | None = None) -> Batch:
    """Columns that suit a rule.  spread: ``none`` for no radius at all, ``wide`` for one everywhere. where: exponents, other than the usual."""
    generator = torch.Generator().manual_seed(seed)
    p = storage.significand_bits
    everywhere = (storage.min_exponent - p + 1, storage.max_exponent)
    usual = {"exp": (-p, math.frexp(math.log(storage.largest))[1] - 1), "softmax": (-p, 6), "layer-norm": (-6, 6), "rms-norm": (-6, 6)}
    near = usual.get(rule, (-p, 5))
    shape = (CASES, WIDTH, 1)
    x = numbers(storage, shape, generator, where or near)
    if where is None:
        far = numbers(storage, shape, generator, everywhere)
        x = torch.where(torch.arange(CASES).reshape(-1, 1, 1) % 4 == 0, far, x)
        if rule in ("softmax", "layer-norm", "rms-norm", "max"):  # a column that cancels: neighbours of one number, and one that is subnormal
            base = x[1:2, :1].expand(CASES, WIDTH, 1).double() * (1.0 + 2.0 * storage.unit_roundoff * torch.randint(-3, 4, shape, generator=generator))
            x = torch.where(torch.arange(CASES).reshape(-1, 1, 1) % 8 == 1, base.to(x.dtype), x)
    if rule in ("sqrt", "rsqrt"):
        x = x.abs()
    if rule == "exp":  # not beyond where e^x passes Ω, but for one column in eight
        x = torch.where((x.double() > math.log(storage.largest) - 1.0) & (torch.arange(CASES).reshape(-1, 1, 1) % 8 != 7), -x, x)
    size = x.double().abs()
    scale = torch.randint(0, 4, (CASES, 1, 1), generator=generator)
    relative = torch.tensor([0.0, 2.0**-5, 2.0**-14, 2.0 ** -(p + 1)], dtype=torch.float64)[scale]
    radius = size * {"none": 0.0, "any": relative, "wide": 2.0**-5}[spread]
    drawn = torch.randint(-8, 9, (CASES, WIDTH), generator=generator).clamp(-4, 4)  # the ends are as likely as all that lies between
    shares = [[Fraction(int(s), 4) for s in row] for row in drawn]
    return Batch(x, radius, shares)


# What is asked.


def module_named(rule: str, storage: Format, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed + 1)
    made: nn.Module = {
        "gelu": nn.GELU,
        "gelu-tanh": lambda: nn.GELU(approximate="tanh"),
        "silu": nn.SiLU,
        "softmax": lambda: nn.Softmax(dim=-1),
        "layer-norm": lambda: nn.LayerNorm(WIDTH, eps=EPS),
        "rms-norm": lambda: nn.RMSNorm(WIDTH, eps=EPS),
    }[rule]()
    for parameter in made.parameters():
        parameter.data.copy_(torch.randn(WIDTH, generator=generator))
        parameter.requires_grad_(False)
    return made.to(torch_dtype(storage))


@cache
def honest(name: str) -> ErrorModel:
    return plain_numerics(format_named(name), "cpu")


def halved(numerics: ErrorModel) -> ErrorModel:
    """The planted liar: an error model with half of every roundoff, and so of every ulp and of every underflow."""

    def more(row: Format) -> Format:
        return replace(row, significand_bits=row.significand_bits + 1)

    return replace(numerics, storage=more(numerics.storage), accumulation=more(numerics.accumulation), opmath=more(numerics.opmath))


def removed(numerics: ErrorModel) -> ErrorModel:
    """The planted liar that knows of no roundoff at all, and of no underflow."""

    def endless(row: Format) -> Format:
        return replace(row, significand_bits=2000, min_exponent=-5000)  # 2^-2000 is no float64: zero

    return replace(numerics, storage=endless(numerics.storage), accumulation=endless(numerics.accumulation), opmath=endless(numerics.opmath))


def asked(rule: str, drawn: Batch, numerics: ErrorModel, seed: int, *, radius: Tensor | None = None) -> tuple[WithRadius, Hazards, Callable[[int], list[arb]]]:
    """The machine's result with its radius, and the exact results of a case."""
    found = hazards(CASES)
    x = exact(drawn.value, numerics, found, radius=drawn.radius if radius is None else radius)
    if rule in FUNCTIONS:
        result = {
            "sqrt": elementary.square_root,
            "rsqrt": elementary.reciprocal_root,
            "exp": elementary.exponential,
            "abs": elementary.absolute,
            "max": elementary.largest,
        }[rule](x)
        truths: dict[str, Callable[[list[arb]], list[arb]]] = {
            "sqrt": lambda column: [t.sqrt() for t in column],
            "rsqrt": lambda column: [1 / t.sqrt() for t in column],
            "exp": lambda column: [t.exp() for t in column],
            "abs": lambda column: [abs(t) for t in column],
            "max": lambda column: [_largest(column)],
        }
        return result, found, lambda case: truths[rule](drawn.truth(case))
    module = module_named(rule, format_named(numerics.storage.name), seed)
    value = module(drawn.value.squeeze(-1)).unsqueeze(-1)
    found_rule = rule_for(module)
    assert found_rule is not None
    return found_rule(module, x, value), found, lambda case: module_truth(module, drawn.truth(case), numerics.opmath)


def _largest(column: list[arb]) -> arb:
    largest = column[0]
    for t in column[1:]:
        largest = largest.max(t)
    return largest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one batch."""

    compared: int
    violations: list[str]
    worst: float
    """The largest share of its radius that an error took."""


def outcome(rule: str, drawn: Batch, numerics: ErrorModel, seed: int, *, radius: Tensor | None = None) -> Outcome:
    result, found, truth = asked(rule, drawn, numerics, seed, radius=radius)
    radii = result.entry_radius.squeeze(-1).tolist()
    values = result.value.double().squeeze(-1).tolist()
    excused = (found.overflow | found.underflow).tolist()
    compared, violations, worst = 0, [], 0.0
    for case in range(CASES):
        if excused[case]:
            continue
        for place, (value, bound, true) in enumerate(zip(values[case], radii[case], truth(case), strict=True)):
            assert bound == bound, "a radius is a number"
            compared += 1
            if value - value != 0.0:
                violations.append(f"case {case}, {place}: {value}, and nothing foretold it")
                continue
            error = abs(arb(value) - true)
            if bound == float("inf"):
                continue
            # A comparison of balls is true only if it is true of all their points.
            if not error <= arb(bound):
                violations.append(f"case {case}, {place}: |{value} - {true}| > {bound}")
            worst = max(worst, float(error) / bound if bound else 0.0)
    return Outcome(compared, violations, worst)


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
@pytest.mark.parametrize("rule", FUNCTIONS + MODULES)
def test_every_exact_result_lies_within_the_radius(rule: str, name: str) -> None:
    """So many are compared, the foretold hazards left out: a rule that calls every case a hazard would prove nothing."""
    compared = holds_over(rule, name, EXAMPLES)
    assert compared * (WIDTH if rule == "max" else 1) >= 10_000


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", FUNCTIONS + MODULES)
def test_a_million_exact_results_lie_within_the_radius(rule: str, name: str) -> None:
    holds_over(rule, name, SOAKED)


# The rules walked, each with a planted defect that has to be seen.

LOOSE = [(rule, name) for rule in ("silu", "softmax", "layer-norm", "rms-norm") for name in ("fp64", "fp32")]
"""Where no error takes half of its radius, so that half of the constants is still enough. There the roundoff is removed altogether."""
ROUNDING = ["sqrt", "rsqrt", "exp", *MODULES]
ENOUGH = 60
"""Batches after which a defect counts as not seen; most are seen in the first."""


def ordinary(rule: str, name: str, seed: int) -> Batch:
    """A batch without radii in the middle of the range."""
    p = format_named(name).significand_bits
    where = {"layer-norm": (-3, 3), "rms-norm": (-3, 3), "exp": (-p, 2), "sqrt": (-8, 8), "rsqrt": (-8, 8)}.get(rule, (-3, 2))
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
@pytest.mark.parametrize("rule", ROUNDING)
def test_a_rule_with_half_of_its_constants_is_caught(rule: str, name: str, record_property: Callable[[str, object], None]) -> None:
    """Half of the assumed ulps and of the roundoff where the bound is attained to a factor of two; no roundoff at all where it is not."""
    ratio = tightest(rule, name)
    record_property("error/radius", ratio)
    loose = (rule, name) in LOOSE
    assert not loose or ratio < 0.5, "it is not that loose: half of the constants ought to be planted"
    assert caught(rule, name, removed(honest(name)) if loose else halved(honest(name))), f"the largest error takes {ratio:.3f} of its radius"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", FUNCTIONS + MODULES)
def test_a_rule_without_the_inherited_error_is_caught(rule: str, name: str) -> None:
    """The exact input lies at the end of its radius, and the rule is told that it has none."""
    drawn = batch(rule, format_named(name), 1, spread="wide", where=(-3, 2))
    assert not outcome(rule, drawn, honest(name), 1).violations
    assert outcome(rule, drawn, honest(name), 1, radius=torch.zeros_like(drawn.radius)).violations


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("rule", ["exp", "gelu", "gelu-tanh", "silu", "softmax", "rms-norm"])
def test_a_rule_without_its_underflow_term_is_caught(rule: str, name: str) -> None:
    """Results between η and λ, under an error model whose η is zero: x/2, or e^x with x a little above ln η.

    Not in fp64: radii are float64 numbers themselves, and what they are widened by for their own underflow hides a missing η.
    """
    storage, numerics = format_named(name), honest(name)
    lowest = storage.min_exponent - storage.significand_bits + 1
    if rule in ("exp", "softmax"):
        depth = torch.linspace(0.02, 0.98, CASES * WIDTH, dtype=torch.float64) * storage.significand_bits
        value = ((lowest + depth) * 0.6931471805599453).to(torch_dtype(storage)).reshape(CASES, WIDTH, 1)
        if rule == "softmax":
            value[:, 0] = 0.0
        drawn = Batch(value, torch.zeros(value.shape, dtype=torch.float64), [[Fraction(0)] * WIDTH] * CASES)
    else:
        drawn = batch(rule, storage, 1, spread="none", where=(lowest, storage.min_exponent - 1))

    def without(row: Format) -> Format:
        # Ever smaller numbers: the same roundoff, and no η.
        return replace(row, min_exponent=-5000)

    blind = replace(numerics, storage=without(storage), opmath=without(numerics.opmath), accumulation=without(numerics.accumulation))
    assert not outcome(rule, drawn, numerics, 1).violations
    assert outcome(rule, drawn, blind, 1).violations


@pytest.mark.parametrize("rule", ["sqrt", "exp", *MODULES])
def test_flushing_is_covered_and_a_rule_that_ignores_it_is_caught(rule: str) -> None:
    """fp32 with flushing switched on: subnormal operands, and results, come out as zero."""
    storage = format_named("fp32")
    flushing = replace(honest("fp32"), elementwise_flushes=True, flushing=frozenset({"any"}), running=_flushed)
    drawn = batch(rule, storage, 3, spread="none", where=(storage.min_exponent - 23, storage.min_exponent + 2) if rule not in ("exp", "softmax") else (0, 6))
    if rule == "softmax":
        drawn.value[:, 0] = 0.0

    def measured(numerics: ErrorModel) -> Outcome:
        with _flushed():
            kept = module_named(rule, storage, 3)(drawn.value.squeeze(-1)).unsqueeze(-1) if rule in MODULES else None
        if kept is None:
            return outcome(rule, drawn, numerics, 3)
        return _compared(rule, drawn, numerics, 3, kept)

    assert not measured(flushing).violations
    if rule in ("gelu", "gelu-tanh", "silu"):  # in the others ε hides what is flushed, or the kernel (oneMKL's) keeps it
        assert measured(replace(flushing, elementwise_flushes=False)).violations


class _flushed:  # noqa: N801
    def __enter__(self) -> None:
        torch.set_flush_denormal(True)

    def __exit__(self, *raised: object) -> None:
        torch.set_flush_denormal(False)


def _compared(rule: str, drawn: Batch, numerics: ErrorModel, seed: int, value: Tensor) -> Outcome:
    """As ``outcome``, of a value that was computed elsewhere."""
    found = hazards(CASES)
    module = module_named(rule, numerics.storage, seed)
    made = rule_for(module)
    assert made is not None
    result = made(module, exact(drawn.value, numerics, found, radius=drawn.radius), value)
    radii = result.radius.dense(WIDTH, 1).squeeze(-1)
    violations = []
    for case in range(CASES):
        truth = module_truth(module, drawn.truth(case), numerics.opmath)
        for got, bound, true in zip(value[case].flatten().tolist(), radii[case].tolist(), truth, strict=True):
            if not abs(arb(got) - true) <= arb(bound):
                violations.append(f"|{got} - {true}| > {bound}")
    return Outcome(CASES * WIDTH, violations, 0.0)


# What the rules rest on.


def certified_supremum(slope: Callable[[arb], arb], bound: float, low: Fraction, high: Fraction) -> bool:
    """Whether |slope| ≤ bound on an interval, by balls that cover it and are halved until they show it."""
    middle, half = (low + high) / 2, (high - low) / 2
    if abs(slope(arb(float(middle)))) > arb(bound):
        return False
    if abs(slope(arb(mid=float(middle), rad=float(half)))) <= arb(bound):
        return True
    assert half > 2**-20, "too close to the supremum to be decided"
    return certified_supremum(slope, bound, low, middle) and certified_supremum(slope, bound, middle, high)


def _phi(x: arb) -> arb:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _gelu_slope(x: arb) -> arb:
    return (1 + (x / arb(2).sqrt()).erf()) / 2 + x * _phi(x)


def _silu_slope(x: arb) -> arb:
    s = reference.sigmoid(x)
    return s + x * s * (1 - s)


def _gelu_tanh_slope(x: arb) -> arb:
    c, a = (2 / arb.pi()).sqrt(), arb("0.044715")
    s = reference.sigmoid(2 * c * (x + a * x * x * x))
    return s + x * 2 * c * (1 + 3 * a * x * x) * s * (1 - s)


@pytest.mark.parametrize(
    ("slope", "bound"),
    [(_gelu_slope, GELU_LIPSCHITZ), (_gelu_tanh_slope, GELU_TANH_LIPSCHITZ), (_silu_slope, SILU_LIPSCHITZ)],
    ids=["gelu", "gelu-tanh", "silu"],
)
def test_the_lipschitz_constants_are_certified(slope: Callable[[arb], arb], bound: float) -> None:
    """On [-12, 12] by balls; beyond, |x|G'(x) is below 12e^-12 < 10^-4 for all three gates and G within [0, 1], which leaves less than 1.01."""
    ends = Fraction(-12), Fraction(12)
    assert certified_supremum(slope, bound, *ends)
    assert not certified_supremum(slope, bound - 2.0**-10, *ends), "a constant that is too small is refused"


def test_the_constants_lie_on_their_sides() -> None:
    root = (2 / arb.pi()).sqrt()
    assert arb(activations.DENSITY_AT_ZERO) >= 1 / (2 * arb.pi()).sqrt()
    assert arb(activations.ROOT_HALF) >= 1 / arb(2).sqrt()
    assert arb(activations.TWO_OVER_ROOT_PI) >= 2 / arb.pi().sqrt()
    assert arb(activations.TANH_SCALE[0]) <= root <= arb(activations.TANH_SCALE[1])
    assert Fraction(activations.TANH_CUBE[0]) < Fraction("0.044715") < Fraction(activations.TANH_CUBE[1])


@carefully(30)
@given(seeds)
def test_float64_bounds_enclose_the_functions(seed: int) -> None:
    """What radii are made of: the outward rounded exp and root of float64, and e^r - 1."""
    x = numbers(format_named("fp64"), (200,), torch.Generator().manual_seed(seed), (-40, 9))
    for low, high, t in zip(enclosures.exp_below(x).tolist(), enclosures.exp_above(x).tolist(), x.tolist(), strict=True):
        assert arb(low) <= arb(t).exp()
        assert high == float("inf") or arb(t).exp() <= arb(high)
    size = x.abs()
    for low, high, grown, t in zip(
        enclosures.sqrt_below(size).tolist(), enclosures.sqrt_above(size).tolist(), elementary.growth(size).tolist(), size.tolist(), strict=True
    ):
        assert arb(low) <= arb(t).sqrt() <= arb(high)
        assert grown == float("inf") or arb(t).expm1() <= arb(grown)


def test_merged_and_updated_variances_stay_within_the_family_bound() -> None:
    """Welford's update, pairwise merges and two passes, each in fp32 step by step, on columns whose mean is large: B covers them all."""
    n = 48
    numerics = honest("fp32")
    generator = torch.Generator().manual_seed(5)
    x = (torch.randn((16, n, 1), generator=generator) * 2.0 ** torch.arange(-4, 4).repeat(2).reshape(16, 1, 1) + 100.0).float()
    moments = normalisation._central_moments(exact(x, numerics, hazards(16)))
    for case, column in enumerate(x.squeeze(-1)):
        truth = [Fraction(t) for t in column.tolist()]
        mean = sum(truth) / n
        square = sum((t - mean) ** 2 for t in truth)
        assert Fraction(moments.below[case].item()) <= square <= Fraction(moments.above[case].item())
        for found_mean, found in (_welford(column), _merged(column), _two_passes(column)):
            assert abs(Fraction(found_mean) - mean) <= Fraction(moments.mean_error[case].item())
            assert abs(Fraction(found) - square) <= Fraction(moments.error[case].item())
        naive = float((column * column).sum() - column.sum() ** 2 / n)
        if case == 0:
            assert abs(Fraction(naive) - square) > Fraction(moments.error[case].item()), "the textbook formula is no member of the family"


def _welford(column: Tensor) -> tuple[float, float]:
    mean = square = torch.zeros(())
    for k, t in enumerate(column, 1):
        delta = t - mean
        mean = mean + delta / k
        square = square + delta * (t - mean)
    return mean.item(), square.item()


def _merged(column: Tensor) -> tuple[float, float]:
    parts = [(1, t, torch.zeros(())) for t in column]
    while len(parts) > 1:
        joined = []
        for (n, mean, square), (m, other, more) in zip(parts[::2], parts[1::2], strict=False):
            delta, share = other - mean, torch.tensor(m) / torch.tensor(n + m)
            joined.append((n + m, mean + share * delta, square + (more + delta * delta * share * n)))
        parts = joined + parts[len(parts) - len(parts) % 2 :]
    return parts[0][1].item(), parts[0][2].item()


def _two_passes(column: Tensor) -> tuple[float, float]:
    mean = torch.zeros(())
    for t in column:
        mean = mean + t
    mean = mean / len(column)
    square = torch.zeros(())
    for t in column:
        square = square + (t - mean) ** 2
    return mean.item(), square.item()


@pytest.mark.parametrize("rule", MODULES)
def test_mpmath_agrees_with_the_balls(rule: str) -> None:
    """An independent library, 200 bits, a small sample."""
    drawn = batch(rule, format_named("fp32"), 9, spread="none", where=(-3, 2))
    module = module_named(rule, format_named("fp32"), 9)
    with mpmath.workprec(200):
        for case in range(4):
            column = [mpmath.mpf(t) for t in drawn.value[case].flatten().tolist()]
            ours = module_truth(module, drawn.truth(case), format_named("fp32"))
            for ball, theirs, operand in zip(ours, _by_mpmath(module, column), column, strict=True):
                # 50 digits of the ball are printed; 1 + tanh cancels in mpmath's formula, which leaves an error of the operand's size.
                assert abs(mpmath.mpf(ball.str(50, radius=False)) - theirs) <= abs(theirs) * mpmath.mpf(10) ** -49 + abs(operand) * mpmath.mpf(2) ** -190


def _by_mpmath(module: nn.Module, x: list[mpmath.mpf]) -> list[mpmath.mpf]:
    n = len(x)
    if isinstance(module, nn.Softmax):
        return [1 / mpmath.fsum(mpmath.exp(s - t) for s in x) for t in x]
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        mean = mpmath.fsum(x) / n if isinstance(module, nn.LayerNorm) else mpmath.mpf(0)
        root = mpmath.sqrt(mpmath.fsum((t - mean) ** 2 for t in x) / n + mpmath.mpf(EPS))
        bias = module.bias.tolist() if isinstance(module, nn.LayerNorm) else [0.0] * n
        return [(t - mean) / root * w + b for t, w, b in zip(x, module.weight.tolist(), bias, strict=True)]
    if isinstance(module, nn.GELU) and module.approximate == "none":
        return [t * mpmath.ncdf(t) for t in x]
    if isinstance(module, nn.GELU):
        return [t / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf("0.044715") * t**3))) for t in x]
    return [t / (1 + mpmath.exp(-t)) for t in x]


@pytest.mark.parametrize(("rule", "function"), [("sqrt", mpmath.sqrt), ("rsqrt", lambda t: 1 / mpmath.sqrt(t)), ("exp", mpmath.exp)])
def test_mpmath_confirms_the_radii_of_functions(rule: str, function: Callable[[mpmath.mpf], mpmath.mpf]) -> None:
    drawn = batch(rule, format_named("fp32"), 9, spread="none", where=(-3, 2))
    result = asked(rule, drawn, honest("fp32"), 9)[0]
    radius = result.radius.dense(WIDTH, 1)
    with mpmath.workprec(200):
        for x, y, r in zip(drawn.value[:8].flatten().tolist(), result.value[:8].flatten().tolist(), radius[:8].flatten().tolist(), strict=True):
            assert abs(mpmath.mpf(y) - function(mpmath.mpf(x))) <= r


# The table, the probe, and what has no rule.


@pytest.mark.parametrize("name", NAMES)
def test_the_machine_errs_no_more_than_the_table_says(name: str) -> None:
    answers = probe_elementary(format_named(name), "cpu", widths=(WIDTH,))
    assert {answer.id for answer in answers} >= {f"{name}/{question.name}" for question in library_probe.QUESTIONS}


@pytest.mark.parametrize("function", ["exp", "sqrt", "rsqrt", "tanh"])
def test_a_function_that_errs_more_is_refused(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted library: its last bit is wrong, then one more."""
    question = next(q for q in library_probe.QUESTIONS if q.name == function)
    rough = replace(question, run=lambda x: question.run(x) * (1.0 + 2.0**-21))
    monkeypatch.setattr(library_probe, "QUESTIONS", (rough,))
    with pytest.raises(UnsupportedNumerics, match=function):
        probe_elementary(format_named("fp32"), "cpu", widths=())


def test_a_kernel_outside_its_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted kernel computes GELU by its tanh approximation and calls it exact."""
    monkeypatch.setattr(nn.GELU, "forward", lambda self, x: nn.functional.gelu(x, approximate="tanh"))
    with pytest.raises(UnsupportedNumerics, match="GELU"):
        probe_elementary(format_named("fp32"), "cpu", widths=(WIDTH,))


def test_the_table_has_one_row_for_each_function_device_and_format() -> None:
    keys = [(row.function, row.device, row.format) for row in ELEMENTARY_ERRORS]
    assert len(set(keys)) == len(keys)
    functions = {row.function for row in ELEMENTARY_ERRORS}
    assert len(keys) == len(functions) * 2 * len(NAMES)
    assert all(row.ulps >= 0.5 and row.source for row in ELEMENTARY_ERRORS)
    with pytest.raises(UnknownElementaryFunction, match=r"cosh.*exp"):
        elementary_error("cosh", "cpu", "fp32")


def test_a_module_without_a_rule_has_none() -> None:
    assert all(rule_for(made) is not None for made in (nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Softmax(dim=-1), nn.LayerNorm(3), nn.RMSNorm(3), nn.Identity()))
    assert all(rule_for(made) is not None for made in (Product(), LargestOnly(1), WeightedSum()))
    assert rule_for(nn.Dropout().eval()) is not None
    assert rule_for(nn.Dropout()) is None, "in training it is no function"
    assert rule_for(nn.Tanh()) is None
    assert rule_for(nn.LayerNorm((3, 4))) is None
    assert rule_for(nn.Softmax(dim=0)) is None
    assert len(RULES) == 11


def test_a_root_or_an_exponential_out_of_range_is_foretold() -> None:
    numerics = honest("fp32")
    column = torch.tensor([[1.0, 2.0], [0.0, 4.0], [90.0, 1.0]]).unsqueeze(-1)
    found = hazards(3)
    elementary.reciprocal_root(exact(column, numerics, found))
    assert found.underflow.tolist() == [False, True, False]
    found = hazards(3)
    elementary.exponential(exact(column, numerics, found))
    assert found.overflow.tolist() == [False, False, True]
    assert found.not_finite.tolist() == [False, False, True]
