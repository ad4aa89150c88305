"""Random modules of one to six layers, as people write them: dense layers in odd layouts, activations, arithmetic, norms, reductions, in-place forms."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Layer = Callable[[Tensor], Tensor]
CASES = 2
WIDEST = 300


class Drawing:
    """Draws of one module."""

    def __init__(self, seed: int, dtype: torch.dtype) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = dtype

    def number(self, low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def one_of(self, *choices: Layer) -> Layer:
        return choices[self.number(0, len(choices) - 1)]

    def width(self) -> int:
        """Mostly narrow: an exact product of wide matrices takes its time."""
        return self.number(1, WIDEST) if self.number(0, 9) == 0 else self.number(1, 24)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).to(self.dtype)

    def matrix(self, rows: int, columns: int) -> Tensor:
        """(rows, columns), in one of the ways in which weights lie."""
        scale = columns**-0.5
        kind = self.number(0, 3)
        if kind == 0:
            return self.normal(rows, columns) * scale
        if kind == 1:
            return (self.normal(columns, rows) * scale).t()
        if kind == 2:
            return (self.normal(rows, columns + 3) * scale)[:, 3:]
        return (self.normal(rows + 2, columns) * scale)[1:-1]


def dense(draw: Drawing, width: int) -> tuple[Layer, int]:
    m = draw.width()
    weight, bias = draw.matrix(m, width), draw.normal(m)
    forms: tuple[Layer, ...] = (
        lambda x: F.linear(x, weight, bias),
        lambda x: F.linear(x, weight),
        lambda x: x @ weight.t() + bias,
        lambda x: torch.addmm(bias, x, weight.t()),
        lambda x: (weight @ x.t()).t(),
        lambda x: torch.einsum("bd,md->bm", x, weight),
        lambda x: torch.bmm(x.unsqueeze(1), weight.t().expand(len(x), -1, -1)).squeeze(1),
        lambda x: torch.baddbmm(bias, x.unsqueeze(1), weight.t().expand(len(x), -1, -1)).squeeze(1),
    )
    return draw.one_of(*forms), m


ACTIVATIONS: tuple[Layer, ...] = (
    torch.relu,
    F.gelu,
    lambda x: F.gelu(x, approximate="tanh"),
    F.silu,
    torch.tanh,
    torch.sigmoid,
    F.softplus,
    F.elu,
    F.leaky_relu,
    F.hardswish,
    F.mish,
    lambda x: x.clone().relu_(),
    lambda x: F.relu(x).square(),
    lambda x: 0.5 * x * (1.0 + torch.tanh(0.79788456 * (x + 0.044715 * torch.pow(x, 3.0)))),
    lambda x: x * torch.sigmoid(1.702 * x),
    lambda x: x.clamp(-2.0, 2.0),
    lambda x: torch.exp(-x.abs()),
    torch.sin,
    torch.erf,
)


def activation(draw: Drawing, width: int) -> tuple[Layer, int]:
    return draw.one_of(*ACTIVATIONS), width


def norm(draw: Drawing, width: int) -> tuple[Layer, int]:
    scale, bias = 1 + 0.1 * draw.normal(width), draw.normal(width)

    def by_hand(x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * scale

    def in_fp32(x: Tensor) -> Tensor:
        y = x.float() if x.dtype != torch.float64 else x
        return scale * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)

    forms: tuple[Layer, ...] = (
        lambda x: F.layer_norm(x, (width,), scale, bias),
        lambda x: F.layer_norm(x, (width,), scale),
        lambda x: F.rms_norm(x, (width,), scale, 1e-6),
        by_hand,
        in_fp32,
        lambda x: torch.softmax(x, -1),
    )
    return draw.one_of(*forms), width


def arithmetic(draw: Drawing, width: int) -> tuple[Layer, int]:
    other = draw.normal(width)

    def in_place(x: Tensor) -> Tensor:
        x = x.clone()
        x += other
        x *= 0.5
        x -= 0.25
        return x

    forms: tuple[Layer, ...] = (
        lambda x: x + other,
        lambda x: x - 2.0 * other,
        lambda x: x * other,
        lambda x: x / (other.abs() + 1.0),
        lambda x: 1.0 - x,
        lambda x: x / (x.abs() + 1.0),
        in_place,
        lambda x: torch.where(other > 0, x, -x),
        lambda x: torch.maximum(x, other),
        lambda x: x - x.mean(-1, keepdim=True),
        lambda x: x - x.amax(-1, keepdim=True),
        lambda x: x.masked_fill(other > 1.0, 0.0),
    )
    return draw.one_of(*forms), width


def shape(draw: Drawing, width: int) -> tuple[Layer, int]:
    half = width // 2
    if half == 0:
        return (lambda x: torch.cat([x, x], -1)), 2 * width

    def gated(x: Tensor) -> Tensor:
        first, second = x[:, : 2 * half].chunk(2, -1)
        return F.silu(first) * second

    forms: tuple[tuple[Layer, int], ...] = (
        (gated, half),
        (lambda x: x[:, half:], width - half),
        (lambda x: x.flip(-1), width),
        (lambda x: torch.stack([x[:, :half], x[:, half : 2 * half]], -1).flatten(1), 2 * half),
        (lambda x: x.t().contiguous().t(), width),
        (lambda x: torch.cat([-x[:, half:], x[:, :half]], -1), width),
    )
    return forms[draw.number(0, len(forms) - 1)]


KINDS = (dense, dense, dense, activation, activation, norm, arithmetic, shape)


def random_program(seed: int, dtype: torch.dtype) -> tuple[Layer, Tensor]:
    """A module of one to six layers, and what it is given: (cases, width)."""
    draw = Drawing(seed, dtype)
    width = draw.width()
    x, layers = draw.normal(CASES, width), []
    for _ in range(draw.number(1, 6)):
        layer, width = KINDS[draw.number(0, len(KINDS) - 1)](draw, width)
        residual = draw.number(0, 4) == 0
        layers.append((layer, residual))

    def program(x: Tensor) -> Tensor:
        for layer, residual in layers:
            y = layer(x)
            x = x + y if residual and y.shape == x.shape else y
        return x

    return program, x
