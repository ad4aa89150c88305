"""Random small networks as people write them: functional calls, operators, chunked projections, in-place activations; and the same network by another code.

The output is that of the last token of s + F(N(s)), in one of several ways of writing it. ``plain`` computes it for one token from the drawn choices,
with parameters that are given, and shares no line with what the block runs.
"""

from dataclasses import dataclass

import hypothesis.strategies as st
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.numeric.operators.small_blocks import D, M, Small, attended

ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "leaky_relu", "elu", "softplus", "mish", "hardswish", "selu")
IN_PLACE = ("relu", "silu", "leaky_relu", "elu", "mish", "hardswish", "selu")
WRONG = ("none", "a dropped bias", "another activation", "a swapped operand")


@dataclass(frozen=True, slots=True)
class Spec:
    """The choices of one network."""

    writing: str
    """How a dense layer is written: linear, operators, einsum, addmm."""
    norm: str
    """rms, layer, none."""
    gated: str
    """no, two parameters, chunks of one."""
    activation: str
    in_place: bool
    deep: bool
    """A second hidden layer."""
    first_bias: bool
    last_bias: bool
    zero_first_bias: bool
    scale: str
    """no, layer scale, 0.5."""
    end: str
    """s + F, F += s, s - F, post norm."""

    @property
    def first(self) -> tuple[str, ...]:
        """The parameters that are W."""
        return ("gate", "up") if self.gated == "two parameters" else ("w",)

    @property
    def absorber(self) -> str:
        """The parameter that takes what the stream lacks: the last bias, or else the last scale or matrix."""
        return "c" if self.last_bias else "g" if self.scale == "layer scale" else "out"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The parameters, a matrix as (outputs, inputs)."""
        inner = {"gate": (M, D), "up": (M, D)} if self.gated == "two parameters" else {"w": (2 * M if self.gated == "chunks of one" else M, D)}
        return {
            **inner,
            **({"b": (M,)} if self.first_bias else {}),
            **({"middle": (M, M)} if self.deep else {}),
            "out": (D, M),
            **({"c": (D,)} if self.last_bias else {}),
            **({"g": (D,)} if self.scale == "layer scale" else {}),
        }


specs = st.builds(
    Spec,
    writing=st.sampled_from(["linear", "operators", "einsum", "addmm"]),
    norm=st.sampled_from(["rms", "layer", "none"]),
    gated=st.sampled_from(["no", "two parameters", "chunks of one"]),
    activation=st.sampled_from(ACTIVATIONS),
    in_place=st.booleans(),
    deep=st.booleans(),
    first_bias=st.booleans(),
    last_bias=st.booleans(),
    zero_first_bias=st.booleans(),
    scale=st.sampled_from(["no", "layer scale", "0.5"]),
    end=st.sampled_from(["s + F", "F += s", "s - F", "post norm"]),
)


class Random(Small):
    """The network of a spec, in its way of writing."""

    def __init__(self, spec: Spec, wrong: str = "none", fewer_than: int = 0) -> None:
        super().__init__(lambda p, x: x, **spec.shapes())
        if spec.first_bias and spec.zero_first_bias:
            self.b.data.zero_()  # type: ignore[operator]
        self.spec, self.wrong, self.fewer_than = spec, wrong, fewer_than

    def dense(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        if self.spec.writing == "linear":
            return F.linear(x, w, b)
        if self.spec.writing == "addmm" and b is not None:
            return torch.addmm(b, x.reshape(-1, x.shape[-1]), w.t()).view(*x.shape[:-1], len(w))
        y = torch.einsum("btd,md->btm", x, w) if self.spec.writing == "einsum" else x @ w.t()
        return y if b is None else y + b

    def forward(self, x: Tensor) -> Tensor:
        wrong = self.wrong if x.shape[1] < self.fewer_than else "none"
        spec, p = self.spec, dict(self.named_parameters())
        b = None if wrong == "a dropped bias" else p.get("b")
        s = x + attended(x)
        z = {"rms": lambda: F.rms_norm(s, (D,)), "layer": lambda: F.layer_norm(s, (D,)), "none": lambda: s}[spec.norm]()
        if spec.gated == "no":
            h = self.activated(self.dense(z, p["w"], b), wrong)
        else:
            made = (self.dense(z, p["gate"]), self.dense(z, p["up"])) if spec.gated == "two parameters" else self.dense(z, p["w"]).chunk(2, -1)
            gate, up = reversed(made) if wrong == "a swapped operand" else made
            h = self.activated(gate if b is None else gate + b, wrong).mul(up)
        if spec.deep:
            h = torch.tanh(self.dense(h, p["middle"]))
        y = self.dense(h, p["out"], p.get("c"))
        y = y * p["g"] if spec.scale == "layer scale" else 0.5 * y if spec.scale == "0.5" else y
        if spec.end == "F += s":
            y += s
            return y
        return s - y if spec.end == "s - F" else F.layer_norm(s + y, (D,)) if spec.end == "post norm" else s + y

    def activated(self, x: Tensor, wrong: str) -> Tensor:
        name = self.spec.activation
        if wrong == "another activation":
            name = "sigmoid" if name != "sigmoid" else "tanh"
        function = getattr(F, name, None) or getattr(torch, name)
        made: Tensor = function(x.clone(), inplace=True) if self.spec.in_place and name in IN_PLACE else function(x)
        return made


def stream(x: Tensor) -> Tensor:
    """The last token's s.  x: (n, d)."""
    weights = (x @ x[-1]).exp()
    return x[-1] + (weights / weights.sum()) @ x


def normalised(spec: Spec, s: Tensor) -> Tensor:
    if spec.norm == "rms":
        return s / (s.square().mean() + torch.finfo(s.dtype).eps).sqrt()
    if spec.norm == "layer":
        return (s - s.mean()) / (s.var(unbiased=False) + 1e-5).sqrt()
    return s


def plain(spec: Spec, p: dict[str, Tensor], s: Tensor, wrong: str = "none") -> Tensor:
    """The output for a stream s (d,), with the parameters p."""
    return ending(spec, s, network(spec, p, normalised(spec, s), wrong)[0])


def network(spec: Spec, p: dict[str, Tensor], z: Tensor, wrong: str = "none") -> tuple[Tensor, Tensor, Tensor]:
    """F(z), what its last matrix reads, and what its last scale multiplies."""
    name = spec.activation if wrong != "another activation" else "sigmoid" if spec.activation != "sigmoid" else "tanh"
    module = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU}
    module |= {"softplus": nn.Softplus, "mish": nn.Mish, "hardswish": nn.Hardswish, "selu": nn.SELU}
    made = torch.cat([p["gate"], p["up"]]) @ z if spec.gated == "two parameters" else p["w"] @ z
    one, other = made[:M], made[M:]
    if wrong == "a swapped operand" and spec.gated != "no":
        one, other = other, one
    h = module[name]()(one + p["b"] if spec.first_bias and wrong != "a dropped bias" else one)
    h = h * other if spec.gated != "no" else h
    h = (p["middle"] @ h).tanh() if spec.deep else h
    y = p["out"] @ h + (p["c"] if spec.last_bias else 0.0)
    return y * (p["g"] if spec.scale == "layer scale" else 0.5 if spec.scale == "0.5" else 1.0), h, y


def ending(spec: Spec, s: Tensor, y: Tensor) -> Tensor:
    total = s - y if spec.end == "s - F" else s + y
    return (total - total.mean()) / (total.var(unbiased=False) + 1e-5).sqrt() if spec.end == "post norm" else total


def patched(spec: Spec, p: dict[str, Tensor], s: Tensor, t: Tensor) -> dict[str, Tensor]:
    """The parameters with which the stream t gives the output of s, by the formulas of the claims."""
    z, a = normalised(spec, s), normalised(spec, t)
    new = {name: x + torch.outer(x @ (z - a), a) / (a @ a) if name in spec.first else x for name, x in p.items()}
    lacking = -(s - t) if spec.end == "s - F" else s - t
    _, h, y = network(spec, p, z)
    factor = p["g"] if spec.scale == "layer scale" else torch.tensor(0.5 if spec.scale == "0.5" else 1.0, dtype=s.dtype)
    if spec.absorber == "c":
        new["c"] = p["c"] + lacking / factor
    elif spec.absorber == "g":
        new["g"] = p["g"] + lacking / y
    else:
        new["out"] = p["out"] + torch.outer(lacking / factor, h) / (h @ h)
    return new
