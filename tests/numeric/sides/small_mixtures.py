"""Small mixtures of experts in ways in which people write them, and what they compute in plain loops.

s is the stream after an attention of equal weights, z its norm, g_e the gates of the k experts with the largest logits r_e·z. The output is
s + Σ g_e (V_e tanh(W_e z) + c_e) + c; c_e and c where the way has them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.operators.block import WatchedBlock
from tests.numeric.operators.small_blocks import last

D, M, EXPERTS = 8, 12, 4
Mixing = Callable[["Mixture", Tensor, Tensor, Tensor], Tensor]
"""The module, z (rows, d), gates (rows, k) and experts (rows, k): (rows, d)."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a mixture is written."""

    mixing: Mixing
    apart: bool = True
    """Whether each expert's matrices are parameters of their own, not parts of one."""
    biases: bool = False
    """c_e."""
    bias: bool = False
    """c."""
    chosen: int = 2
    normalised: bool = True
    """Whether gates add up to one."""


class Mixture(nn.Module):
    """A block with a mixture."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator) / shape[-1] ** 0.5

        self.way = way
        self.router = nn.Parameter(2 * drawn(EXPERTS, D))
        w, v, c = drawn(EXPERTS, M, D), drawn(EXPERTS, D, M), 0.5 + drawn(EXPERTS, D)
        if way.apart:
            self.w, self.v, self.c = (nn.ParameterList(nn.Parameter(each.clone()) for each in x) for x in (w, v, c))
        else:
            self.w, self.v, self.c = (nn.Parameter(x) for x in (w, v, c))
        self.bias, self.scale = nn.Parameter(drawn(D)), nn.Parameter(0.3 + drawn(D).abs() * D**0.5)

    def forward(self, x: Tensor) -> Tensor:
        s = x + 2 * x.mean(-2, keepdim=True)
        z = (F.layer_norm(s, (D,)) * self.scale).reshape(-1, D)
        gates, experts = F.softmax(z @ self.router.T, -1).topk(self.way.chosen, -1)
        if self.way.normalised:
            gates = gates / gates.sum(-1, keepdim=True)
        made = self.way.mixing(self, z, gates, experts).reshape(s.shape)
        return s + (made + self.bias if self.way.bias else made)

    def plainly(self, z: Tensor) -> Tensor:
        """What the network adds to the stream, by loops over float64.  z: (d,)."""
        logits = [float(row.double() @ z) for row in self.router]
        powers = [torch.exp(torch.tensor(each - max(logits), dtype=torch.float64)) for each in logits]
        chosen = sorted(range(EXPERTS), key=lambda e: -logits[e])[: self.way.chosen]
        total = sum(powers[e] for e in chosen) if self.way.normalised else sum(powers)
        made = self.bias.double() if self.way.bias else torch.zeros(D, dtype=torch.float64)
        for e in chosen:
            expert = self.v[e].double() @ torch.tanh(self.w[e].double() @ z)
            made = made + powers[e] / total * (expert + self.c[e].double() if self.way.biases else expert)
        return made

    def first_layer(self, z: Tensor) -> Tensor:
        """What the router's and the chosen experts' matrices make of z, one after the other.  z: (d,)."""
        logits = self.router.double() @ z
        chosen = sorted(logits.argsort(descending=True)[: self.way.chosen].tolist())
        return torch.cat([logits, *(self.w[e].double() @ z for e in chosen)])


def one_by_one(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
    made = torch.zeros_like(z)
    for e in range(EXPERTS):
        rows, place = torch.where(experts == e)
        if len(rows):
            out = F.linear(torch.tanh(F.linear(z[rows], p.w[e])), p.v[e])
            made.index_add_(0, rows, (out + p.c[e] if p.way.biases else out) * gates[rows, place, None])
    return made


def gathered(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
    hidden = torch.tanh(torch.bmm(p.w[experts.reshape(-1)], z.repeat_interleave(p.way.chosen, 0)[..., None]))
    out = torch.bmm(p.v[experts.reshape(-1)], hidden)[..., 0]
    out = out + p.c[experts.reshape(-1)] if p.way.biases else out
    return (out * gates.reshape(-1, 1)).view(len(z), p.way.chosen, D).sum(1)


def written_over(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
    made = torch.zeros_like(z)
    for e in range(EXPERTS):
        rows, place = torch.where(experts == e)
        if len(rows):
            made[rows] = made[rows] + F.linear(torch.tanh(F.linear(z[rows], p.w[e])), p.v[e]) * gates[rows, place, None]
    return made


def gates_written_over(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
    hidden = torch.tanh(torch.bmm(p.w[experts.reshape(-1)], z.repeat_interleave(p.way.chosen, 0)[..., None]))
    spread = gates.reshape(-1, 1).repeat(1, D)
    return spread.mul_(torch.bmm(p.v[experts.reshape(-1)], hidden)[..., 0]).view(len(z), p.way.chosen, D).sum(1)


def smuggled(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
    by_numpy = torch.from_numpy(experts.numpy().copy())
    return gathered(p, z, gates, experts) + p.c[by_numpy].sum(1)


WAYS = {
    "one by one": Way(one_by_one),
    "with biases": Way(one_by_one, biases=True),
    "one expert alone": Way(gathered, apart=False, chosen=1, normalised=False),
    "gates that add up to less": Way(one_by_one, biases=True, normalised=False),
    "a bias behind them": Way(one_by_one, bias=True),
    "parts of one parameter": Way(one_by_one, apart=False, biases=True),
    "gathered": Way(gathered, apart=False),
    "gathered, with biases": Way(gathered, apart=False, biases=True, normalised=False),
}


def mixture(way: Way, change: Callable[[Mixture], object] = lambda module: None) -> WatchedBlock:
    """A mixture, changed and then watched."""
    module = Mixture(way).eval().requires_grad_(False)
    change(module)
    first = ["router", *([f"w.{e}" for e in range(EXPERTS)] if way.apart else ["w"])]
    return WatchedBlock.of(ContextualBlock.of(module, last, first, width=D))
