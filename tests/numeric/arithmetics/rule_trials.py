"""Operands at which a rule's terms are used up, one after another, judged in exact rational arithmetic.

Most are ties. With u the roundoff, j·k = 1/(4u) and j + k even, (1 + 2uj)(1 + 2uk) = 1 + 2u(j + k) + u lies midway
between two numbers of the format, and is rounded down by u. What a kernel answers, where this machine has none that would,
is computed here step by step, in rationals.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from numeric.arithmetics import hazards
from numeric.formats import Format, format_named, round_to, torch_dtype
from numeric.machine import ErrorModel
from numeric.machine.kernels import KernelAt
from numeric.machine.operands import KernelCall
from numeric.machine.summation_tree import ADD, PUSH, Order, order_of

FP32, TF32 = format_named("fp32"), format_named("tf32")
OPMATH = Format("fp13", "a format hardly wider than fp16, in which double rounding shows", 13, -126, 127, "float32", native=False)


def rounded(t: Fraction, row: Format, to_integer: Callable[[Fraction], int]) -> Fraction:
    """t rounded in a format without an end."""
    if t == 0:
        return t
    size = abs(t)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > size
    place = Fraction(2) ** (max(exponent, row.min_exponent) - row.significand_bits + 1)
    return to_integer(t / place) * place


def nearest(t: Fraction, row: Format) -> Fraction:
    """t rounded to nearest, ties to even: Python's ``round``."""
    return rounded(t, row, round)


class Machine(TorchFunctionMode):
    """A machine that prepares its operands and finishes its results; between the two it computes in float64."""

    def __init__(self, start: Callable[[Tensor], Tensor], finish: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.start, self.finish = start, finish

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if getattr(func, "__name__", "") not in ("add", "sub", "div", "matmul"):
            return func(*args, **(kwargs or {}))
        return self.finish(func(*(self.start(x).double() for x in args))).to(args[0].dtype)


@dataclass(slots=True)
class Desk:
    """Makes operands of one format for one set of rules, and judges."""

    rules: ModuleType
    row: Format
    numerics: ErrorModel = field(init=False)
    found: Any = field(init=False)

    def __post_init__(self) -> None:
        self.numerics = ErrorModel(self.row, self.row, self.row, frozenset(), False, False, False, "cpu")
        self.found = hazards(1)

    @property
    def short(self) -> bool:
        """Whether products are summed in a wider format."""
        return self.row.significand_bits < 24

    @property
    def u(self) -> float:
        return self.row.unit_roundoff

    @property
    def factors(self) -> tuple[float, float]:
        """Two numbers whose product lies midway between two others."""
        bits = self.row.significand_bits - 2
        j, k = 2 ** (bits // 2), 2 ** (bits - bits // 2)
        assert j * k * 4 * self.u == 1
        return 1 + 2 * self.u * j, 1 + 2 * self.u * k

    @property
    def below(self) -> float:
        """The largest subnormal number."""
        return self.row.smallest_normal - self.row.smallest_subnormal

    def having(self, **fields: Any) -> "Desk":
        """The same desk at another machine."""
        other = Desk(self.rules, self.row)
        other.numerics = replace(self.numerics, **fields)
        return other

    @property
    def wide(self) -> "Desk":
        """Sums in fp32."""
        return self.having(accumulation=FP32, opmath=FP32)

    @property
    def twice(self) -> "Desk":
        """Every operation is rounded to a format that is hardly wider, then to storage."""
        wider = replace(OPMATH, min_exponent=self.row.min_exponent, max_exponent=self.row.max_exponent)
        return self.having(opmath=wider, running=lambda: Machine(lambda x: x, lambda x: round_to(x.float(), wider)))

    def flushing(self, **fields: Any) -> "Desk":
        """Subnormal operands and results are zeros."""

        def flushed(x: Tensor) -> Tensor:
            return torch.where(x.abs() < self.row.smallest_normal, 0.0, x)

        def finish(x: Tensor) -> Tensor:
            return flushed(x.to(torch_dtype(self.row)))

        return self.having(running=lambda: Machine(flushed, finish), **fields)

    def held(self, *values: float) -> Tensor:
        exact = torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)
        kept = exact.to(torch_dtype(self.row))
        assert torch.equal(kept.double(), exact)
        return kept

    def column(self, *values: float, radius: float | None = None) -> Any:
        around = None if radius is None else torch.full((1, len(values), 1), radius, dtype=torch.float64)
        return self.rules.exact(self.held(*values), self.numerics, self.found, radius=around)

    def matrix(self, *values: float, shared: bool = False, radius: float | None = None) -> Any:
        """Two equal rows, of a case's own or shared by all."""
        one = self.held(*values).mT.expand(1, 2, -1).contiguous()
        one = one[0] if shared else one
        around = None if radius is None else torch.full(one.shape, radius, dtype=torch.float64)
        return self.rules.exact(one, self.numerics, self.found, radius=around)

    def inside(self, result: Any, truth: Fraction) -> bool:
        """Whether the first entry is within its radius of the truth."""
        shape = result.value.shape[-2:]
        assert bool(torch.isfinite(result.value).all())
        return _within(result.value.double().flatten()[0], truth, result.radius.dense(*shape).flatten()[0])

    def kept(self, result: Any, truth: Fraction) -> bool:
        """The same; and the magnitude is none too small, nor is the distance to the short form."""
        shape, value = result.value.shape[-2:], result.value.double().flatten()[0]
        near = Fraction(0)
        if result.form is not None:
            near += 0 if result.form.shared is None else Fraction(result.form.shared.flatten()[0].item())
            near += sum(Fraction(col.flatten()[0].item()) * Fraction(row.flatten()[0].item()) for col, row in result.form.outers)
        close = result.form is None or _within(value, near, result.form.slack.dense(*shape).flatten()[0])
        return self.inside(result, truth) and close and _within(value, Fraction(0), result.magnitude.dense(*shape).flatten()[0])

    def summed(self, X: Any, y: Any, value: Fraction | float, truth: Fraction, *, bias: float | None = None, order: Order | None = None) -> bool:
        """Whether a product, which came out so, is within its radius."""
        answer = self.held(float(value)).expand(1, X.value.shape[-2], 1)
        if order is not None:
            X = replace(X, numerics=replace(self.numerics, orders={KernelAt("asked", *X.value.shape[-2:]): order}))
        offset = None if bias is None else self.held(bias).expand(1, X.value.shape[-2], 1)
        radius = self.rules.product_radius(X, y, answer, KernelCall.of("asked", X.value, y.value), bias=offset)
        return _within(answer.double().flatten()[0], truth, radius.flatten()[0])

    def foretold(self, result: Any) -> bool:
        """Whether a result that is not finite was expected."""
        assert not bool(torch.isfinite(result.value).all())
        return bool((self.found.overflow | self.found.underflow).all())

    def layer(self, W: list[float], x: list[float], b: float | None, value: float, *, apart: bool = False, radius: float | None = None) -> Any:
        """A dense layer with one output, which came out so.  b: None if it has no bias; radius: of its bias."""
        row, bias = self.column(*W).mT, None if b is None else self.column(b, radius=radius)
        answer = torch.full((1, 1, 1), value, dtype=torch.float64).to(torch_dtype(self.row))
        weight = replace(row, numerics=replace(self.numerics, rounds_before_bias=apart))
        return self.rules.dense_layer(weight, bias, self.column(*x), answer, "asked")


def _within(value: Tensor, truth: Fraction, bound: Tensor) -> bool:
    limit = bound.item()
    return limit == float("inf") or abs(Fraction(value.item()) - truth) <= Fraction(limit)


def chain(leaves: int, *, fused: bool = True, block: int = 0) -> Order:
    """One after the other, products not rounded apart; or blocks of so many, each stored before they are added."""

    def one_after_the_other(parts: list[Any]) -> Any:
        tree = parts[0]
        for part in parts[1:]:
            tree = (tree, part)
        return tree

    every = list(range(leaves))
    blocks = [one_after_the_other(every[start : start + block]) for start in range(0, leaves, block)] if block else every
    return replace(order_of(one_after_the_other(blocks)), fused=fused, stored_strands=bool(block))


def added(order: Order, terms: list[Fraction], accumulator: Format, storage: Format) -> Fraction:
    """What a machine gets that adds exact products in that order; unless they are fused, they are rounded first."""
    stack: list[Fraction] = []
    for op, leaf in order.program:
        if op == PUSH:
            stack.append(nearest(terms[leaf], accumulator))
        elif op == ADD:
            stack.append(nearest(stack.pop() + (terms[leaf] if order.fused else nearest(terms[leaf], accumulator)), accumulator))
        else:
            stack.append(nearest(nearest(stack.pop(), storage) + nearest(stack.pop(), storage), storage))
    return nearest(stack.pop(), storage)


Trial = Callable[[Desk], Iterator[bool]]
TRIALS: list[tuple[tuple[str, ...], Trial]] = []
"""The rules that a trial asks, and the trial: it yields whether each of its results lies where its rule says."""


def of(*rules: str) -> Callable[[Trial], Trial]:
    """Names the rules."""

    def remember(trial: Trial) -> Trial:
        TRIALS.append((rules, trial))
        return trial

    return remember


def exactly(*factors: float) -> Fraction:
    """The product, in rationals."""
    product = Fraction(1)
    for factor in factors:
        product *= Fraction(factor)
    return product
