"""What sums, choices and comparisons are, over object arrays of balls; and of an index every one that is right."""

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpz

from tests.numeric.operator_rules.references_moves import REFERENCES as OF_MOVES
from tests.numeric.operator_rules.references_moves import Array, balls


def _axes(dim: Any, x: Array) -> tuple[int, ...]:
    chosen = [] if dim is None else list(dim) if isinstance(dim, list | tuple) else [dim]
    return tuple(each % x.ndim for each in chosen) if chosen and x.ndim else tuple(range(x.ndim))


def total(self: Array, dim: Any = None, keepdim: bool = False, *, dtype: object = None) -> Array:
    x = balls(self)
    return balls(x.sum(axis=_axes(dim, x), keepdims=keepdim)) if x.ndim else x


def mean(self: Array, dim: Any = None, keepdim: bool = False, *, dtype: object = None) -> Array:
    count = int(np.prod([self.shape[axis] for axis in _axes(dim, self)]))
    return balls(total(self, dim, keepdim) / arb(count)) if count else balls(np.full(total(self, dim, keepdim).shape, np.nan))


def running_total(self: Array, dim: int, *, dtype: object = None) -> Array:
    return balls(np.cumsum(balls(self), axis=dim)) if self.ndim else balls(self)


def norm(self: Array, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: object = None) -> Array:
    sizes = _each(balls(self), abs)
    if np.isinf(ord):
        return (largest if ord > 0 else smallest)(sizes, dim, keepdim)
    return total(sizes, dim, keepdim) if ord == 1 else _each(total(sizes * sizes, dim, keepdim), lambda x: x.sqrt())


def spread_out(self: Array, dim: Any = None, *, correction: float | None = None, keepdim: bool = False, root: bool) -> tuple[Array, Array]:
    """The variance or its root, and the mean, by Σ(x - μ)²."""
    axes = _axes(dim, self)
    count = int(np.prod([self.shape[axis] for axis in axes]))
    average = mean(self, dim, True)
    squares = total((balls(self) - average) ** 2, dim, keepdim)
    free = arb(count) - arb(1.0 if correction is None else float(correction))
    if not free > 0 or not count:
        squares = balls(np.full(np.shape(squares), np.nan))
    made = _each(squares, lambda x: (x / free).sqrt() if root else x / free)
    return made, mean(self, dim, keepdim)


def product_of_all(self: Array, dim: Any = None, keepdim: bool = False, *, dtype: object = None) -> Array:
    x = balls(self)
    return balls(np.prod(x, axis=None if dim is None else _axes(dim, x), keepdims=keepdim)) if x.ndim else x


def running_product(self: Array, dim: int, *, dtype: object = None) -> Array:
    return balls(np.cumprod(balls(self), axis=dim)) if self.ndim else balls(self)


def _each(x: Array, function: Callable[[Any], Any]) -> Array:
    made = np.empty(np.shape(x), dtype=object)
    for place in np.ndindex(made.shape):
        made[place] = function(x[place])
    return made


def extreme(best: Callable[..., Any]) -> Callable[..., Array]:
    def of(self: Array, dim: Any = None, keepdim: bool = False) -> Array:
        axes = _axes(dim, self)
        moved = np.moveaxis(self, axes, range(-len(axes), 0)) if self.ndim else self
        kept = moved.shape[: self.ndim - len(axes)]
        made = np.empty(kept, dtype=object)
        for place in np.ndindex(kept):
            made[place] = best(list(np.ravel(moved[place] if self.ndim else moved)))
        return made.reshape([1 if axis in axes else self.shape[axis] for axis in range(self.ndim)]) if keepdim else made

    return of


largest, smallest = extreme(max), extreme(min)


def where_it_is(best: Callable[..., Any]) -> Callable[..., Array]:
    """Each index at which the extreme entry stands."""
    return extreme(lambda entries: frozenset(place for place, each in enumerate(entries) if each == best(entries)))


def ordered(self: Array, dim: int, descending: bool, count: int | None = None, every: bool = False) -> tuple[Array, Array]:
    """The first entries of an axis in order, and of each the indices at which it stands; ``every``: of the set, for an order that is free."""
    if not self.ndim:
        return self, _each(self, lambda _: frozenset({0}))
    moved = np.moveaxis(self, dim, -1)
    count = moved.shape[-1] if count is None else count
    values, places = np.empty((*moved.shape[:-1], count), dtype=object), np.empty((*moved.shape[:-1], count), dtype=object)
    for at in np.ndindex(moved.shape[:-1]):
        line = list(moved[at])
        values[at] = sorted(line, reverse=descending)[:count]
        for k in range(count):
            places[(*at, k)] = frozenset(j for j, each in enumerate(line) if each == values[(*at, k)])
        if every:
            places[at] = [frozenset().union(*places[at])] * count
    return np.moveaxis(values, -1, dim), np.moveaxis(places, -1, dim)


def topk(self: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Any, Array]:
    values, places = ordered(self, dim, largest, k, not sorted)
    return values if sorted else None, places


def kth(self: Array, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Array, Array]:
    values, places = ordered(self, dim, False)
    pick = (lambda x: np.take(x, [k - 1], axis=dim) if keepdim else np.take(x, k - 1, axis=dim)) if self.ndim else (lambda x: x)
    return np.asarray(pick(values), dtype=object), np.asarray(pick(places), dtype=object)


def sort(self: Array, *given: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> tuple[Array, Array]:
    dim, descending = (*given, *(dim, descending)[len(given) :])
    return ordered(self, dim, descending)


def compared(relation: Callable[[Any, Any], bool]) -> Callable[..., Array]:
    def of(self: Any, other: Any) -> Array:
        x, y = np.broadcast_arrays(balls(self), balls(other))
        made = np.empty(x.shape, dtype=object)
        for place in np.ndindex(x.shape):
            made[place] = bool(relation(x[place], y[place]))
        return made

    return of


def _true(x: Any) -> Array:
    return _each(balls(x), lambda each: not operator.eq(each, 0))  # a NaN is not 0, which balls do not say


def doubts_over(together: Callable[[Any], bool]) -> Callable[..., Array]:
    return lambda self, dim=None, keepdim=False: extreme(together)(_true(self), dim, keepdim)


def chosen(condition: Array, self: Any, other: Any) -> Array:
    return np.where(condition, balls(self), balls(other))


def stepped(step: Callable[[Fraction], int]) -> Callable[..., Array]:
    """A step of exact numbers, which are fractions."""

    def of(x: arb) -> arb:
        mantissa, exponent = x.man_exp()
        return arb(fmpz(step(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))))

    return lambda self: _each(balls(self), of)


STEPS: dict[str, Callable[[Fraction], int]] = {
    "sign": lambda x: (x > 0) - (x < 0),
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
}
"""Of fractions; ``round`` takes the even one of two that are as near."""


def lerp(self: Array, end: Array, weight: Any) -> Array:
    return self + balls(weight) * (end - self)


RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: not operator.eq(x, y),
}

REFERENCES: dict[str, Callable[..., Any]] = {
    **OF_MOVES,
    **dict.fromkeys(("aten.sum.default", "aten.sum.dim_IntList"), total),
    **dict.fromkeys(("aten.mean.default", "aten.mean.dim"), mean),
    "aten.cumsum.default": running_total,
    "aten.linalg_vector_norm.default": norm,
    "aten.var.correction": lambda self, *given, **named: spread_out(self, *given, **named, root=False)[0],
    "aten.std.correction": lambda self, *given, **named: spread_out(self, *given, **named, root=True)[0],
    "aten.var_mean.correction": lambda self, *given, **named: spread_out(self, *given, **named, root=False),
    "aten.std_mean.correction": lambda self, *given, **named: spread_out(self, *given, **named, root=True),
    **dict.fromkeys(("aten.prod.default", "aten.prod.dim_int"), product_of_all),
    "aten.cumprod.default": running_product,
    **dict.fromkeys(("aten.amax.default", "aten.max.default"), largest),
    **dict.fromkeys(("aten.amin.default", "aten.min.default"), smallest),
    "aten.aminmax.default": lambda self, *, dim=None, keepdim=False: (smallest(self, dim, keepdim), largest(self, dim, keepdim)),
    "aten.max.dim": lambda self, dim, keepdim=False: (largest(self, dim, keepdim), where_it_is(max)(self, dim, keepdim)),
    "aten.min.dim": lambda self, dim, keepdim=False: (smallest(self, dim, keepdim), where_it_is(min)(self, dim, keepdim)),
    "aten.argmax.default": where_it_is(max),
    "aten.argmin.default": where_it_is(min),
    **dict.fromkeys(("aten.sort.default", "aten.sort.stable"), sort),
    "aten.topk.default": topk,
    "aten.kthvalue.default": kth,
    **{f"aten.{name}.{form}": compared(relation) for name, relation in RELATIONS.items() for form in ("Tensor", "Scalar")},
    "aten.logical_not.default": lambda self: _each(_true(self), lambda x: not x),
    "aten.bitwise_not.default": lambda self: _each(self, lambda x: not x),
    "aten.logical_and.default": lambda self, other: _true(self) & _true(other),
    "aten.logical_or.default": lambda self, other: _true(self) | _true(other),
    "aten.logical_xor.default": lambda self, other: _true(self) ^ _true(other),
    "aten.bitwise_and.Tensor": lambda self, other: np.asarray(self) & np.asarray(other),
    "aten.bitwise_or.Tensor": lambda self, other: np.asarray(self) | np.asarray(other),
    "aten.bitwise_xor.Tensor": lambda self, other: np.asarray(self) ^ np.asarray(other),
    **dict.fromkeys((f"aten.any.{form}" for form in ("default", "dim", "dims")), doubts_over(any)),
    **dict.fromkeys((f"aten.all.{form}" for form in ("default", "dim", "dims")), doubts_over(all)),
    "aten.isnan.default": lambda self: _each(balls(self), lambda x: x.is_nan()),
    "aten.isinf.default": lambda self: _each(balls(self), lambda x: not x.is_finite() and not x.is_nan()),
    "aten.isposinf.default": lambda self: _each(balls(self), lambda x: x == arb("inf")),
    "aten.isneginf.default": lambda self: _each(balls(self), lambda x: x == arb("-inf")),
    **{f"aten.{name}.default": stepped(step) for name, step in STEPS.items()},
    "aten.where.self": chosen,
    **dict.fromkeys(("aten.masked_fill.Scalar", "aten.masked_fill.Tensor"), lambda self, mask, value: chosen(mask, value, self)),
    "aten.nonzero.default": lambda self: np.argwhere(_true(self).astype(bool)) if self.ndim else np.empty((int(_true(self)[()]), 0), dtype=object),
    "aten.addcmul.default": lambda self, tensor1, tensor2, *, value=1: self + arb(value) * balls(tensor1) * balls(tensor2),
    "aten.addcdiv.default": lambda self, tensor1, tensor2, *, value=1: self + arb(value) * balls(tensor1) / balls(tensor2),
    **dict.fromkeys(("aten.lerp.Scalar", "aten.lerp.Tensor"), lerp),
}
"""By overload, with ATen's argument names."""
