"""The rules of modules at both ends of a format's range: each case is refused by name, or its error is at most its radius.

Hypothesis draws widths, magnitudes over the whole range, parameters and ε; the exact results are those of ``plain_truths.py``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.arithmetics import Hazards, WithRadius, exact, hazards
from numeric.formats import Format, format_named, torch_dtype
from numeric.machine import ErrorModel
from numeric.rules import normalisation, rule_for
from tests.numeric.rules import plain_truths
from tests.numeric.rules.drawn_columns import carefully, honest, in_other_formats, numbers, seeds

MODULES = ["relu", "gelu", "gelu-tanh", "silu", "softmax", "layer-norm", "rms-norm"]
NORMS = ["layer-norm", "rms-norm"]
MODES = ["fp64", "fp32", "bf16", "fp16", "fp32-ftz"]
CASES, EXAMPLES, SOAKED = 24, 4, 400
REFERENCE = mpmath.mpf(2) ** -280
"""More than what a few dozen operations of 300 bits lose, relative to their largest number: it is added to the error, and never to the radius."""


@contextmanager
def running(mode: str) -> Iterator[None]:
    torch.set_flush_denormal(mode == "fp32-ftz")
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def numerics_of(mode: str) -> ErrorModel:
    if mode == "fp32-ftz":
        return replace(honest("fp32"), elementwise_flushes=True, flushing=frozenset({"any"}))
    return honest(mode)


def storage_of(mode: str) -> Format:
    return format_named(mode.removesuffix("-ftz"))


@st.composite
def modules(draw: st.DrawFn, name: str, storage: Format, width: int) -> nn.Module:
    """A module of that name, its parameters of any magnitude."""
    plain = {"relu": nn.ReLU(), "gelu": nn.GELU(), "gelu-tanh": nn.GELU(approximate="tanh"), "silu": nn.SiLU(), "softmax": nn.Softmax(dim=-1)}
    if name in plain:
        return plain[name]
    eps = draw(st.one_of(st.sampled_from([0.0, 1e-5, 1e-12, 1e-50]), st.integers(-330, 20).map(lambda k: 2.0**k)))
    affine = draw(st.booleans())
    if name == "rms-norm":
        module: nn.Module = nn.RMSNorm(width, eps=draw(st.sampled_from([None, eps])), elementwise_affine=affine)
    else:
        module = nn.LayerNorm(width, eps=eps, elementwise_affine=affine, bias=draw(st.booleans()))
    module = module.to(torch_dtype(storage)).requires_grad_(False)
    generator = torch.Generator().manual_seed(draw(seeds))
    for parameter in module.parameters():
        top = draw(st.one_of(st.just(0), st.integers(storage.min_exponent - 2, storage.max_exponent)))
        parameter.data.copy_(numbers(storage, (width,), generator, (max(top - 3, storage.min_exponent - 3), top)))
    return module


@st.composite
def columns(draw: st.DrawFn, storage: Format, width: int) -> Tensor:
    """CASES columns: each of a magnitude of its own, anywhere in the range or near one of its ends; entries alike, apart, few, or nearly equal."""
    generator = torch.Generator().manual_seed(draw(seeds))
    p, lowest, highest = storage.significand_bits, storage.min_exponent - storage.significand_bits + 1, storage.max_exponent
    roots = [(end // 2 - 6, end // 2 + 6) for end in (lowest, highest)]
    low, high = draw(st.sampled_from([(lowest, lowest + p + 2), (highest - 3, highest), *roots, (lowest, highest), (-3, 3)]))
    spread = draw(st.sampled_from([0, 3, 2 * p, highest - lowest]))
    made = []
    for _ in range(CASES):
        top = int(torch.randint(low, high + 1, (1,), generator=generator))
        column = numbers(storage, (1, width, 1), generator, (max(lowest, top - spread), top))
        kind = int(torch.randint(0, 4, (1,), generator=generator))
        if kind == 1:  # one entry alone
            column = torch.where(torch.arange(width).reshape(1, -1, 1) == int(torch.randint(0, width, (1,), generator=generator)), column, 0.0)
        if kind == 2:  # neighbours of one number
            near = column[:, :1].double() * (1.0 + 2.0 * storage.unit_roundoff * torch.randint(-3, 4, column.shape, generator=generator))
            column = near.clamp(-storage.largest, storage.largest).to(column.dtype)
        made.append(column.to(torch_dtype(storage)))
    return torch.cat(made)


@dataclass(slots=True)
class Tally:
    """What was compared, what was refused, and what lay outside."""

    compared: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)


def judged(module: nn.Module, x: WithRadius, inside: list[list[Fraction]], result: WithRadius, tally: Tally) -> None:
    """Every case of a batch.  inside: the exact operands."""
    found: Hazards = x.hazards
    values = result.value.double().squeeze(-1)
    overflowed = found.overflowed(torch.isfinite(values).all(-1))
    radii = result.entry_radius.expand(result.value.shape).squeeze(-1).tolist()
    for case, column in enumerate(inside):
        reason = "underflow" if found.underflow[case] else "hidden overflow" if found.hidden[case] else "overflow" if overflowed[case] else ""
        if reason:
            tally.refused[reason] = tally.refused.get(reason, 0) + 1
            continue
        tally.compared += 1
        try:
            true = plain_truths.truth(module, column, 2.0 * x.numerics.opmath.unit_roundoff)
        except plain_truths.Undefined:
            tally.outside.append(f"{module}: {[plain_truths.shown(t) for t in column]} has no exact result, and is not refused")
            continue
        for value, bound, t in zip(values[case].tolist(), radii[case], true, strict=True):
            assert bound == bound, "a radius is a number"
            if value - value != 0.0:
                tally.outside.append(f"{module}, {[plain_truths.shown(t) for t in column]}: {value}, and nothing foretold it")
            elif bound != float("inf") and (value != t or not t) and not abs(mpmath.mpf(value) - t) + REFERENCE * abs(t) * (bound > 0) <= bound:
                tally.outside.append(f"{module}, {[plain_truths.shown(t) for t in column]}: |{value} - {mpmath.nstr(t, 20)}| > {bound}")


def asked(name: str, mode: str, data: st.DataObject, tally: Tally) -> None:
    """One batch through one module."""
    storage, numerics = storage_of(mode), numerics_of(mode)
    width = data.draw(st.integers(1, 40))
    module, value = data.draw(modules(name, storage, width)), data.draw(columns(storage, width))
    share = data.draw(st.sampled_from([0.0, 0.0, 2.0**-14, 2.0**-5]))
    radius = value.double().abs() * share
    drawn = torch.randint(-8, 9, (CASES, width), generator=torch.Generator().manual_seed(data.draw(seeds))).clamp(-4, 4).tolist()
    inside = [
        [Fraction(v) + Fraction(r) * Fraction(k, 4) for v, r, k in zip(column, around, shares, strict=True)]
        for column, around, shares in zip(value.double().squeeze(-1).tolist(), radius.squeeze(-1).tolist(), drawn, strict=True)
    ]
    x = exact(value, numerics, hazards(CASES), radius=radius)
    with torch.no_grad(), running(mode):
        result = module(value.squeeze(-1)).unsqueeze(-1)
    rule = rule_for(module)
    assert rule is not None
    with mpmath.workprec(plain_truths.BITS):
        judged(module, x, inside, rule(module, x, result), tally)


def asked_often(name: str, mode: str, examples: int) -> Tally:
    tally = Tally()

    @carefully(examples)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        asked(name, mode, data, tally)
        assert not tally.outside, tally.outside[:3]

    holds()
    return tally


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MODULES)
def test_a_case_is_refused_or_inside_its_radius(name: str, mode: str) -> None:
    """At least half of the cases are compared, so that no rule gets by with refusals; of a norm a quarter."""
    tally = asked_often(name, mode, EXAMPLES)
    assert tally.compared >= EXAMPLES * CASES / (4 if name in NORMS else 2), tally.refused


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MODULES)
def test_many_cases_are_refused_or_inside_their_radius(name: str, mode: str) -> None:
    assert not asked_often(name, mode, SOAKED).outside


def one_case(module: nn.Module, values: list[float], numerics: ErrorModel) -> Tally:
    """A column, exactly known."""
    column = torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1).to(torch_dtype(format_named(numerics.storage.name)))
    x, tally = exact(column, numerics, hazards(1)), Tally()
    rule = rule_for(module)
    assert rule is not None
    with torch.no_grad(), mpmath.workprec(plain_truths.BITS):
        result = rule(module, x, module(column.squeeze(-1)).unsqueeze(-1))
        judged(module, x, [[Fraction(t) for t in column.double().flatten().tolist()]], result, tally)
    return tally


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16"])
@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_a_sum_of_squares_that_overflows_is_refused_though_its_result_is_finite(
    norm: type[nn.LayerNorm | nn.RMSNorm], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Σx² = ∞ and x/√∞ = 0, where the exact result is near ±1. The planted negative: where nobody says that it hides, 0 lies outside its radius.

    In fp64 the radius overflows, too, and says no more than that no result is farther than √n from another.
    """
    storage = format_named(name)
    large = 2.0 ** ((storage.max_exponent + 1) // 2)
    module = norm(5, eps=1e-6).to(torch_dtype(storage))
    columns = [large, -1.5 * large, large, -1.5 * large, large]
    assert bool((module(torch.tensor([columns], dtype=torch.float64).to(torch_dtype(storage))) == 0).all())
    tally = one_case(module, columns, honest(name))
    assert (tally.refused, tally.outside) == ({"hidden overflow": 1}, [])
    below = one_case(module, [t / 32 for t in columns], honest(name))
    assert (below.refused, below.outside, below.compared) == ({}, [], 1)
    real = normalisation.foretell_overflow
    monkeypatch.setattr(normalisation, "foretell_overflow", lambda found, largest, storage, *, hides=False: real(found, largest, storage))
    unseen = one_case(module, columns, honest(name))
    assert unseen.compared == 1
    assert bool(unseen.outside) == (name != "fp64")


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_an_epsilon_that_the_format_does_not_hold_is_no_floor(norm: type[nn.LayerNorm | nn.RMSNorm]) -> None:
    """In fp32 ε = 2^-160 is 0, and so is (2^-80)²: 1/√0 = ∞ is foretold, unless the rule believes that the format goes on for ever."""
    module, columns, numerics = norm(4, eps=2.0**-160), [2.0**-80, 0.0, -(2.0**-80), 0.0], honest("fp32")
    assert one_case(module, columns, numerics).refused == {"overflow": 1}
    assert one_case(module, columns, in_other_formats(numerics, min_exponent=-5000)).outside
    held = one_case(norm(4, eps=2.0**-120), columns, numerics)
    assert (held.compared, held.outside) == (1, [])


@pytest.mark.parametrize("mode", ["fp32"])
@pytest.mark.parametrize("name", MODULES[1:])  # relu rounds nothing
def test_a_radius_of_nothing_is_noticed(name: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative of the comparison: every radius a 2^30th."""
    real = WithRadius.entry_radius.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(WithRadius, "entry_radius", property(lambda x: real(x) * 2.0**-30))
    tally = Tally()

    @carefully(EXAMPLES)
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        asked(name, mode, data, tally)

    ask()
    assert tally.outside
