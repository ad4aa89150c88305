"""Columns for the rules of activations and normalisations, drawn to be awkward, and what becomes of a batch of them beside ball arithmetic.

A seed makes a batch of a thousand operands, for a ball a number would be slow one example at a time: numbers over the whole range of a format,
subnormal ones, near Ω, with few bits or all of them; columns that cancel; radii of zero and of all sizes; and the exact input at either end of its
radius or anywhere between.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import torch
from flint import arb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.arithmetics import Hazards, WithRadius, exact, hazards
from numeric.formats import Format, format_named, torch_dtype
from numeric.machine import ErrorModel
from numeric.rules import reference, rule_for
from numeric.rules.library_probe import module_truth, plain_numerics

MODULES = ["gelu", "gelu-tanh", "silu", "softmax", "layer-norm", "rms-norm"]
CASES, WIDTH = 63, 17
"""A batch has 1071 operands: the vectorised body of a kernel and its tail."""
EPS = 2.0**-10


FEW = 60
"""So many examples are the same each time, since how many of them are compared hangs on the draw; more are drawn anew."""


def carefully(examples: int) -> settings:
    return settings(max_examples=examples, derandomize=examples <= FEW, deadline=None, database=None, suppress_health_check=list(HealthCheck))


seeds = st.integers(0, 2**32 - 1)


@contextmanager
def flushed() -> Iterator[None]:
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


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
    usual = {"softmax": (-p, 6), "layer-norm": (-6, 6), "rms-norm": (-6, 6)}
    near = usual.get(rule, (-p, 5))
    shape = (CASES, WIDTH, 1)
    x = numbers(storage, shape, generator, where or near)
    if where is None:
        far = numbers(storage, shape, generator, everywhere)
        x = torch.where(torch.arange(CASES).reshape(-1, 1, 1) % 4 == 0, far, x)
        if rule in ("softmax", "layer-norm", "rms-norm"):  # a column that cancels: neighbours of one number, and one that is subnormal
            base = x[1:2, :1].expand(CASES, WIDTH, 1).double() * (1.0 + 2.0 * storage.unit_roundoff * torch.randint(-3, 4, shape, generator=generator))
            x = torch.where(torch.arange(CASES).reshape(-1, 1, 1) % 8 == 1, base.to(x.dtype), x)
    size = x.double().abs()
    scale = torch.randint(0, 4, (CASES, 1, 1), generator=generator)
    relative = torch.tensor([0.0, 2.0**-5, 2.0**-14, 2.0 ** -(p + 1)], dtype=torch.float64)[scale]
    radius = size * {"none": 0.0, "any": relative, "wide": 2.0**-5}[spread]
    drawn = torch.randint(-8, 9, (CASES, WIDTH), generator=generator).clamp(-4, 4)  # the ends are as likely as all that lies between
    shares = [[Fraction(int(s), 4) for s in row] for row in drawn]
    return Batch(x, radius, shares)


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


def in_other_formats(numerics: ErrorModel, **changes: int) -> ErrorModel:
    """The same error model, of formats with these fields."""
    return replace(numerics, service=None, **{part: replace(getattr(numerics, part), **changes) for part in ("storage", "accumulation", "opmath")})


def halved(numerics: ErrorModel) -> ErrorModel:
    """The planted liar: an error model with half of every roundoff, and so of every ulp and of every underflow."""
    parts = {part: getattr(numerics, part) for part in ("storage", "accumulation", "opmath")}
    return replace(numerics, service=None, **{part: replace(row, significand_bits=row.significand_bits + 1) for part, row in parts.items()})


def asked(
    rule: str, drawn: Batch, numerics: ErrorModel, seed: int, *, radius: Tensor | None = None, value: Tensor | None = None
) -> tuple[WithRadius, Hazards, Callable[[int], list[arb]]]:
    """The machine's result with its radius, and the exact results of a case.  value: the result, if it was computed elsewhere."""
    marked = hazards(CASES)
    x = exact(drawn.value, numerics, marked, radius=drawn.radius if radius is None else radius)
    module = module_named(rule, format_named(numerics.storage.name), seed)
    value = module(drawn.value.squeeze(-1)).unsqueeze(-1) if value is None else value
    found_rule = rule_for(module)
    assert found_rule is not None
    return found_rule(module, x, value), marked, lambda case: module_truth(module, drawn.truth(case), numerics.opmath)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one batch."""

    compared: int
    violations: list[str]
    worst: float
    """The largest share of its radius that an error took."""


def outcome(rule: str, drawn: Batch, numerics: ErrorModel, seed: int, *, radius: Tensor | None = None, value: Tensor | None = None) -> Outcome:
    result, marked, truth = asked(rule, drawn, numerics, seed, radius=radius, value=value)
    radii = result.entry_radius.squeeze(-1).tolist()
    values = result.value.double().squeeze(-1).tolist()
    excused = (marked.underflow | marked.overflowed(torch.isfinite(result.value).all(-2).squeeze(-1))).tolist()
    compared, violations, worst = 0, [], 0.0
    for case in range(CASES):
        if excused[case]:
            continue
        for place, (number, bound, true) in enumerate(zip(values[case], radii[case], truth(case), strict=True)):
            assert bound == bound, "a radius is a number"
            compared += 1
            if number - number != 0.0:
                violations.append(f"case {case}, {place}: {number}, and nothing foretold it")
                continue
            error = abs(arb(number) - true)
            if bound == float("inf"):
                continue
            # A comparison of balls is true only if it is true of all their points.
            if not error <= arb(bound):
                violations.append(f"case {case}, {place}: |{number} - {true}| > {bound}")
            worst = max(worst, float(error) / bound if bound else 0.0)
    return Outcome(compared, violations, worst)
