"""The functions of one or two numbers, the softmaxes and the norms over arrays of balls, each written from its definition."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from flint import arb

from numeric.rules import reference
from tests.numeric.operator_rules.against_exact import Reference

Array = np.ndarray


def each(f: Callable[..., arb], *arrays: Any) -> Array:
    """f of each entry of arrays, or numbers, that broadcast."""
    given = [x if isinstance(x, np.ndarray) else np.asarray(_number(x), dtype=object) for x in arrays]
    shape = np.broadcast_shapes(*(x.shape for x in given))
    made = np.empty(math.prod(shape), dtype=object)
    for place, entries in enumerate(zip(*(np.broadcast_to(x, shape).flatten() for x in given), strict=True)):
        made[place] = f(*map(_number, entries))
    return made.reshape(shape)


def _number(x: Any) -> arb:
    return x if isinstance(x, arb) else arb(float(x))


def larger(x: arb, y: arb) -> arb:
    return x if x >= y else y


def smaller(x: arb, y: arb) -> arb:
    return x if x <= y else y


def power(x: arb, p: arb) -> arb:
    if p == p.floor() and abs(p) < 2**62:
        return x ** int(float(p))
    return arb(0) if x == 0 and p > 0 else x**p


def clamped(x: arb, low: arb | None, high: arb | None) -> arb:
    x = x if low is None else larger(x, low)
    return x if high is None else smaller(x, high)


def _clamp(self: Array, min: Any = None, max: Any = None) -> Array:
    if min is None or max is None:
        return each(smaller, self, max) if min is None else each(larger, self, min)
    return each(clamped, self, min, max)


def _gelu(self: Array, *, approximate: str = "none") -> Array:
    return each(reference.gelu if approximate == "none" else reference.gelu_tanh, self)


def softplus(x: arb, beta: float = 1, threshold: float = 20) -> arb:
    return x if x * beta > threshold else (x * beta).exp().log1p() / beta


def _mish(x: arb) -> arb:
    if x > 2000:
        return x - 2 * x * (-2 * x).exp()  # to e^-3x; a power of more bits than a ball has is none
    w = x.exp()
    return x * w * (2 + w) / (2 + w * (2 + w))


def _log_sigmoid(self: Array) -> tuple[Array, Array]:
    return each(lambda x: smaller(x, arb(0)) - (-abs(x)).exp().log1p(), self), each(lambda x: (-abs(x)).exp(), self)


def _elu(self: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    return each(lambda x: x * scale if x > 0 else (x * arb(input_scale)).expm1() * arb(alpha) * arb(scale), self)


def _celu(self: Array, alpha: float = 1.0) -> Array:
    return each(lambda x: x if x > 0 else (x / alpha).expm1() * alpha, self)


def _rows(f: Callable[[Sequence[arb]], Sequence[arb]], x: Array, dim: int) -> Array:
    """f of the entries along an axis."""
    if x.ndim == 0:
        return np.asarray(f([x.item()])[0], dtype=object)
    moved = np.moveaxis(x, dim, -1)
    made = np.empty(moved.shape, dtype=object)
    for place in np.ndindex(*moved.shape[:-1]):
        made[place] = f(list(moved[place]))
    return np.moveaxis(made, -1, dim)


def _softmax(self: Array, dim: int, half_to_float: bool = False) -> Array:
    return _rows(reference.softmax, self, dim)


def _open_softmax(x: Sequence[arb]) -> list[arb]:
    """Closed where it is -inf; 0 where all are."""
    kept = [t for t in x if t != arb("-inf")]
    weights = iter(reference.softmax(kept) if kept else [])
    return [next(weights) if t != arb("-inf") else arb(0) for t in x]


def log_sum(x: Sequence[arb], less: arb | None = None) -> arb:
    """ln Σe^x_j, less a number."""
    top = max(x, key=lambda t: t.mid())
    return (top if less is None else top - less) + sum(((t - top).exp() for t in x), arb(0)).log()


def _log_softmax(self: Array, dim: int, half_to_float: bool = False) -> Array:
    return _rows(lambda x: [-log_sum(x, t) for t in x], self, dim)


def _logsumexp(self: Array, dim: Sequence[int], keepdim: bool = False) -> Array:
    axes = tuple(axis % self.ndim for axis in dim) if self.ndim else ()
    kept = [axis for axis in range(self.ndim) if axis not in axes]
    width = math.prod(self.shape[axis] for axis in axes)
    moved = np.transpose(self, [*kept, *axes]).reshape(-1, width)
    made = np.empty(len(moved), dtype=object)
    for place, row in enumerate(moved):
        made[place] = log_sum(list(row))
    return made.reshape([1 if axis in axes else size for axis, size in enumerate(self.shape) if keepdim or axis not in axes])


def normalised(x: Array, eps: float, *, centred: bool) -> tuple[Array, Array, Array]:
    """(x_i - μ)/√(V + ε) of each row, μ, and the reciprocal root.  x: (rows, p)."""
    made, means, roots = np.empty(x.shape, dtype=object), np.empty(len(x), dtype=object), np.empty(len(x), dtype=object)
    for place, row in enumerate(x):
        mean = sum(row, arb(0)) / len(row) if centred else arb(0)
        root = 1 / (sum(((t - mean) * (t - mean) for t in row), arb(0)) / len(row) + arb(eps)).sqrt()
        made[place], means[place], roots[place] = [(t - mean) * root for t in row], mean, root
    return made, means, roots


def _scaled(x: Array, weight: Array | None, bias: Array | None) -> Array:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(input: Array, normalized_shape: Sequence[int], weight: Array | None, bias: Array | None, eps: float) -> tuple[Any, ...]:
    outer, width = input.shape[: input.ndim - len(normalized_shape)], math.prod(normalized_shape)
    if input.size == 0:
        return input, None, None
    z, means, roots = normalised(input.reshape(-1, width), eps, centred=True)
    ones = (*outer, *(1 for _ in normalized_shape))
    return _scaled(z.reshape(input.shape), weight, bias), means.reshape(ones), roots.reshape(ones)


def _rms_norm(input: Array, normalized_shape: Sequence[int], weight: Array | None, eps: float | None, *, computing: float) -> tuple[Any, ...]:
    outer, width = input.shape[: input.ndim - len(normalized_shape)], math.prod(normalized_shape)
    z, _, roots = normalised(input.reshape(-1, width), computing if eps is None else eps, centred=False)
    return _scaled(z.reshape(input.shape), weight, None), roots.reshape((*outer, *(1 for _ in normalized_shape)))


def _group_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Any, ...]:
    if input.size == 0:
        return input, None, None
    z, means, roots = normalised(input.reshape(N * group, -1), eps, centred=True)
    channels = [None if each is None else each.reshape(1, C, 1) for each in (weight, bias)]
    return _scaled(z.reshape(N, C, HxW), *channels).reshape(input.shape), means.reshape(N, group), roots.reshape(N, group)


def _batch_norm(input: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, *rest: Any) -> tuple[Any, ...]:
    """The last argument is ε; training is off."""
    shape = (1, -1, *(1 for _ in input.shape[2:]))
    weight, bias, mean, variance = (None if x is None else x.reshape(shape) for x in (weight, bias, running_mean, running_var))
    root = each(lambda t: 1 / (t + arb(rest[-1])).sqrt(), variance)
    return _scaled((input - mean) * root, weight, bias), None, None


def _glu(self: Array, dim: int = -1) -> Array:
    a, b = np.split(self, 2, axis=dim)
    return each(lambda x, y: x * reference.sigmoid(y), a, b)


def shrunk(x: arb, edge: arb) -> arb:
    return x - edge if x > edge else x + edge if x < -edge else arb(0)


def _numbers(self: Array, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Array:
    """Of finite numbers, which every one here is."""
    return self


def _of_one(f: Callable[[arb], arb]) -> Reference:
    return lambda self: each(f, self)


def _of_two(f: Callable[[arb, arb], arb]) -> Reference:
    return lambda self, other: each(f, self, other)


REFERENCES: dict[str, Reference] = {
    "aten.exp.default": _of_one(arb.exp),
    "aten.exp2.default": _of_one(lambda x: arb(2) ** x),
    "aten.expm1.default": _of_one(arb.expm1),
    "aten.log.default": _of_one(arb.log),
    "aten.log2.default": _of_one(lambda x: x.log() / arb(2).log()),
    "aten.log1p.default": _of_one(arb.log1p),
    "aten.sqrt.default": _of_one(arb.sqrt),
    "aten.rsqrt.default": _of_one(lambda x: 1 / x.sqrt()),
    "aten.tanh.default": _of_one(arb.tanh),
    "aten.sigmoid.default": _of_one(reference.sigmoid),
    "aten.erf.default": _of_one(arb.erf),
    "aten.sin.default": _of_one(arb.sin),
    "aten.cos.default": _of_one(arb.cos),
    "aten.silu.default": _of_one(reference.silu),
    "aten.gelu.default": _gelu,
    "aten.mish.default": _of_one(_mish),
    "aten.softplus.default": lambda self, beta=1, threshold=20: each(lambda x: softplus(x, beta, threshold), self),
    "aten.log_sigmoid_forward.default": _log_sigmoid,
    "aten.elu.default": _elu,
    "aten.celu.default": _celu,
    "aten.relu.default": _of_one(lambda x: larger(x, arb(0))),
    "aten.leaky_relu.default": lambda self, negative_slope=0.01: each(lambda x: x if x > 0 else x * arb(negative_slope), self),
    "aten.threshold.default": lambda self, threshold, value: each(lambda x: x if x > threshold else arb(value), self),
    "aten._prelu_kernel.default": lambda self, weight: each(lambda x, s: x if x > 0 else x * s, self, weight),
    "aten.glu.default": _glu,
    "aten.softshrink.default": lambda self, lambd=0.5: each(lambda x: shrunk(x, arb(lambd)), self),
    "aten.hardshrink.default": lambda self, lambd=0.5: each(lambda x: x if abs(x) > arb(lambd) else arb(0), self),
    "aten.nan_to_num.default": _numbers,
    "aten.hardtanh.default": lambda self, min_val=-1, max_val=1: _clamp(self, min_val, max_val),
    "aten.hardswish.default": _of_one(lambda x: x * clamped(x + 3, arb(0), arb(6)) / 6),
    "aten.hardsigmoid.default": _of_one(lambda x: clamped(x + 3, arb(0), arb(6)) / 6),
    "aten.abs.default": _of_one(abs),
    **dict.fromkeys((f"aten.{name}.{of}" for name in ("clamp", "clamp_min") for of in ("default", "Tensor")), _clamp),
    **dict.fromkeys(("aten.clamp_max.default", "aten.clamp_max.Tensor"), lambda self, max: each(smaller, self, max)),
    **dict.fromkeys(("aten.maximum.default", "aten.fmax.default"), _of_two(larger)),
    **dict.fromkeys(("aten.minimum.default", "aten.fmin.default"), _of_two(smaller)),
    **dict.fromkeys((f"aten.pow.{of}" for of in ("Tensor_Scalar", "Scalar", "Tensor_Tensor", "Tensor")), lambda self, exponent: each(power, self, exponent)),
    "aten._softmax.default": _softmax,
    "aten._safe_softmax.default": lambda self, dim, dtype=None: _rows(_open_softmax, self, dim),
    "aten._log_softmax.default": _log_softmax,
    "aten.logsumexp.default": _logsumexp,
    "aten.native_layer_norm.default": _layer_norm,
    "aten._fused_rms_norm.default": partial(_rms_norm, computing=2.0**-23),
    "aten.native_group_norm.default": _group_norm,
    **dict.fromkeys((f"aten.{name}.default" for name in ("native_batch_norm", "_native_batch_norm_legit")), _batch_norm),
    "aten._native_batch_norm_legit_no_training.default": _batch_norm,
}
"""By the overload's name; an in-place form has the reference of the form that it writes back."""
