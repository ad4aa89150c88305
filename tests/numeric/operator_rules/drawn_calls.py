"""Calls of our own for an overload: shapes from none to four dimensions, odd sizes, tensors that lie in many ways, numbers of every size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

SIZES = (1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33)
MOST = 66
"""Entries of a tensor at most: each is compared in ball arithmetic."""
KINDS = ("moderate", "moderate", "small", "wide", "tiny", "huge", "zeros")
"""Which numbers a call has; the first three are such that a doubt has to be predicted."""
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(slots=True)
class Drawer:
    """Draws the operands of one call."""

    generator: torch.Generator
    dtype: torch.dtype
    kind: str

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def number(self, low: float, high: float) -> float:
        """A Python number that no format needs to hold."""
        return low + (high - low) * float(torch.rand((), generator=self.generator, dtype=torch.float64))

    def shape(self, least: int = 0, most: int = 4) -> tuple[int, ...]:
        """Of at most ``MOST`` entries."""
        while True:
            sizes = tuple(SIZES[self.integer(0, len(SIZES) - 1)] for _ in range(self.integer(least, most)))
            if torch.Size(sizes).numel() <= MOST:
                return sizes

    def numbers(self, shape: tuple[int, ...]) -> Tensor:
        """Numbers of the kind, as the format holds them."""
        info = torch.finfo(self.dtype)
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        share = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        spread = {
            "moderate": 3.0 * drawn,
            "small": drawn * torch.exp2(-20.0 * share),
            "wide": drawn * torch.exp2(torch.log2(torch.tensor(info.max, dtype=torch.float64)) * 0.5 * (2.0 * share - 1.0)),
            "tiny": drawn * info.smallest_normal * torch.exp2(4.0 - 8.0 * share),
            "huge": drawn.sign() * info.max * torch.exp2(-4.0 * share),
            "zeros": torch.where(share < 0.5, 0.0, drawn),
        }[self.kind]
        return spread.clamp(info.min, info.max).to(self.dtype)

    def tensor(self, shape: tuple[int, ...], *, positive: bool = False, overwritten: bool = False) -> Tensor:
        """A tensor of that shape, however it lies.  overwritten: not expanded."""
        way = self.integer(0, 4 if not overwritten else 3)
        if not shape or way == 0:
            x = self.numbers(shape)
        elif way == 1:
            x = self.numbers(tuple(reversed(shape))).permute(*reversed(range(len(shape))))
        elif way == 2:
            x = self.numbers((*shape[:-1], 2 * shape[-1] + 1))[..., 1::2]
        elif way == 3:
            x = self.numbers((*shape[:-1], shape[-1] + 1))[..., 1:]
        else:
            x = self.numbers((*shape[:-1], 1)).expand(shape)
        return x.abs_() if positive and 0 not in x.stride() else x.abs() if positive else x


Draw = Callable[[Drawer, bool], Arguments]
"""The arguments of a call; the flag says that the first one is overwritten."""


def _one(draw: Drawer, overwritten: bool) -> Arguments:
    return (draw.tensor(draw.shape(), overwritten=overwritten),), {}


def _positive(draw: Drawer, overwritten: bool) -> Arguments:
    return (draw.tensor(draw.shape(), positive=draw.integer(0, 3) > 0, overwritten=overwritten),), {}


def _with(*ranges: tuple[float, float]) -> Draw:
    def draw(by: Drawer, overwritten: bool) -> Arguments:
        return (by.tensor(by.shape(), overwritten=overwritten), *(by.number(*each) for each in ranges)), {}

    return draw


def _two(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape()
    other = shape if overwritten or draw.integer(0, 1) else shape[1:]
    return (draw.tensor(shape, overwritten=overwritten), draw.tensor(other)), {}


def _bounds(draw: Drawer, overwritten: bool) -> Arguments:
    low, high = draw.number(-3.0, 0.0), draw.number(0.0, 3.0)
    return (draw.tensor(draw.shape(), overwritten=overwritten), *((low, high), (low, None), (None, high), (high, low))[draw.integer(0, 3)]), {}


def _tensor_bounds(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape()
    low, high = draw.tensor(shape), draw.tensor(shape[-1:])
    return (draw.tensor(shape, overwritten=overwritten), *((low, high), (low, None), (None, high))[draw.integer(0, 2)]), {}


def _clamped_by_one(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape()
    wide = torch.tensor(draw.number(-2.0, 2.0), dtype=torch.float64)  # without dimensions, so of no say in the result's type
    return (draw.tensor(shape, overwritten=overwritten), (draw.tensor(shape), wide)[draw.integer(0, 1)]), {}


EXPONENTS = (2, 3, 4, 0.5, -0.5, -1, -2, 2.0, 1, 0, 0.3, 1.7, -1.3, 5, -3)


def _power(draw: Drawer, overwritten: bool) -> Arguments:
    exponent = EXPONENTS[draw.integer(0, len(EXPONENTS) - 1)]
    whole = float(exponent).is_integer()
    return (draw.tensor(draw.shape(), positive=not whole or draw.integer(0, 1) == 0, overwritten=overwritten), exponent), {}


def _power_of_number(draw: Drawer, overwritten: bool) -> Arguments:
    return (draw.number(0.1, 4.0), draw.tensor(draw.shape())), {}


def _power_of_tensor(draw: Drawer, overwritten: bool) -> Arguments:
    (x, p), _ = _two(draw, overwritten)
    whole = draw.integer(0, 2) == 0
    return (x if whole else x.abs(), p.round().clamp(-9, 9) if whole else p), {}


def _along(least: int = 0) -> Draw:
    def draw(by: Drawer, overwritten: bool) -> Arguments:
        shape = by.shape(least)
        return (by.tensor(shape), by.integer(-len(shape), len(shape) - 1) if shape else 0, False), {}

    return draw


def _masked(draw: Drawer, overwritten: bool) -> Arguments:
    """Some numbers are -inf, now and then all of a row."""
    shape = draw.shape(1)
    closed = torch.rand(shape, generator=draw.generator) < draw.number(0.2, 0.9)
    return (draw.tensor(shape).masked_fill(closed, -torch.inf), draw.integer(-len(shape), len(shape) - 1)), {}


def _log_sum(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape()
    axes = [axis for axis in range(len(shape)) if draw.integer(0, 1)] or list(range(len(shape)))
    return (draw.tensor(shape), axes, bool(draw.integer(0, 1))), {}


EPSILONS = (1e-5, 1e-6, 1e-3, 0.5)


def _eps(draw: Drawer) -> float:
    return EPSILONS[draw.integer(0, len(EPSILONS) - 1)]


def _weights(draw: Drawer, shape: tuple[int, ...]) -> tuple[Tensor | None, Tensor | None]:
    return tuple(draw.tensor(shape) if draw.integer(0, 2) else None for _ in range(2))  # type: ignore[return-value]


def _layer_norm(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape(1)
    inner = shape[draw.integer(0, len(shape) - 1) :]
    return (draw.tensor(shape), list(inner), *_weights(draw, inner), _eps(draw)), {}


def _rms_norm(draw: Drawer, overwritten: bool) -> Arguments:
    (x, inner, weight, _, eps), _ = _layer_norm(draw, overwritten)
    return (x, inner, weight, (eps, None)[draw.integer(0, 1)]), {}


def _group_norm(draw: Drawer, overwritten: bool) -> Arguments:
    N, groups, each, entries = draw.integer(1, 2), draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 4)
    C = groups * each
    return (draw.tensor((N, C, entries)).contiguous(), *_weights(draw, (C,)), N, C, entries, groups, _eps(draw)), {}


def _batch_norm(*rest: Any) -> Draw:
    def draw(by: Drawer, overwritten: bool) -> Arguments:
        shape = by.shape(2)
        mean, variance = by.tensor(shape[1:2]), by.tensor(shape[1:2], positive=True)
        return (by.tensor(shape), *_weights(by, shape[1:2]), mean, variance, *rest, 0.1, _eps(by)), {}

    return draw


def _halves(draw: Drawer, overwritten: bool) -> Arguments:
    shape = draw.shape(1, 3)
    axis = draw.integer(0, len(shape) - 1)
    return (draw.tensor(tuple(2 * size if place == axis else size for place, size in enumerate(shape))), axis - (len(shape) if draw.integer(0, 1) else 0)), {}


def _slopes(draw: Drawer, overwritten: bool) -> Arguments:
    (x, _), _ = _two(draw, overwritten)
    return (x, draw.tensor((*(1 for _ in x.shape[1:]), *x.shape[-1:])[: x.dim()])), {}


ONES = ("exp", "exp2", "expm1", "tanh", "sigmoid", "erf", "sin", "cos", "silu", "mish", "relu", "hardswish", "hardsigmoid", "abs", "log_sigmoid_forward")
DRAWS: dict[str, Draw] = {
    **{f"aten.{name}.default": _one for name in ONES},
    **{f"aten.{name}.default": _positive for name in ("log", "log2", "log1p", "sqrt", "rsqrt")},
    "aten.gelu.default": lambda draw, overwritten: (_one(draw, overwritten)[0], {"approximate": ("none", "tanh")[draw.integer(0, 1)]}),
    "aten.softplus.default": _with((0.3, 3.0), (1.0, 30.0)),
    "aten.elu.default": _with((0.1, 3.0), (0.5, 2.0), (0.5, 2.0)),
    "aten.celu.default": _with((0.1, 3.0)),
    "aten.leaky_relu.default": _with((-0.5, 1.5)),
    "aten._prelu_kernel.default": _slopes,
    "aten.glu.default": _halves,
    **dict.fromkeys(("aten.softshrink.default", "aten.hardshrink.default"), _with((0.0, 2.0))),
    "aten.nan_to_num.default": _one,
    "aten.threshold.default": _with((-1.0, 1.0), (-2.0, 2.0)),
    "aten.hardtanh.default": _with((-3.0, 0.0), (0.0, 6.0)),
    "aten.clamp.default": _bounds,
    "aten.clamp.Tensor": _tensor_bounds,
    "aten.clamp_min.default": _with((-2.0, 2.0)),
    "aten.clamp_max.default": _with((-2.0, 2.0)),
    "aten.clamp_min.Tensor": _clamped_by_one,
    "aten.clamp_max.Tensor": _clamped_by_one,
    **{f"aten.{name}.default": _two for name in ("maximum", "minimum", "fmax", "fmin")},
    "aten.pow.Tensor_Scalar": _power,
    "aten.pow_.Scalar": _power,
    "aten.pow.Scalar": _power_of_number,
    "aten.pow.Tensor_Tensor": _power_of_tensor,
    "aten.pow_.Tensor": _power_of_tensor,
    "aten._softmax.default": _along(),
    "aten._log_softmax.default": _along(),
    "aten._safe_softmax.default": _masked,
    "aten.logsumexp.default": _log_sum,
    "aten.native_layer_norm.default": _layer_norm,
    "aten._fused_rms_norm.default": _rms_norm,
    "aten.native_group_norm.default": _group_norm,
    "aten.native_batch_norm.default": _batch_norm(False),
    "aten._native_batch_norm_legit.default": _batch_norm(False),
    "aten._native_batch_norm_legit_no_training.default": _batch_norm(),
}
"""By the overload; an in-place form is drawn as the form that it writes back."""


def overload_named(name: str) -> OpOverload:
    """E.g. of ``aten.exp.default``."""
    namespace, operator, overload = name.split(".")
    found = getattr(getattr(getattr(torch.ops, namespace), operator), overload)
    assert isinstance(found, OpOverload)
    return found


def plain(name: str) -> str:
    """The name of the form that an in-place form writes back."""
    return name.replace("_.", ".") if name.split(".")[1].endswith("_") else name


def in_place_forms() -> Iterator[str]:
    """Those that ATen has of the overloads here."""
    for name in DRAWS:
        _, operator, overload = name.split(".")
        if not operator.endswith("_") and overload in getattr(getattr(torch.ops.aten, f"{operator}_", None), "overloads", list)():
            yield f"aten.{operator}_.{overload}"


def drawn(name: str, dtype: torch.dtype, seed: int) -> tuple[OpOverload, tuple[Any, ...], dict[str, Any], str]:
    """A call of an overload, and its kind."""
    kind = KINDS[seed % len(KINDS)]
    operator = overload_named(name)
    draw = DRAWS[name] if name in DRAWS else DRAWS[plain(name)]
    args, kwargs = draw(Drawer(torch.Generator().manual_seed(seed), dtype, kind), operator._schema.is_mutable)
    return operator, args, kwargs, kind
