"""Small blocks for the tests of user's blocks, and one measured as a cell measures it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from numeric import ContextualBlock, LargestOnly, Product, WeightedSum
from numeric.architecture import asked_shapes
from numeric.cells import variant_of
from numeric.formats import modes_named
from numeric.machine import probe
from numeric.user_blocks import own_block
from tests.numeric import measuring

D, M = 4, 6


class Average(nn.Module):
    def __init__(self, width: int = D) -> None:
        super().__init__()
        self.map = nn.Linear(D, width, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        asked = query.unsqueeze(1)
        return self.map((asked if context is None else torch.cat([context, asked], dim=1)).mean(dim=1))


def network(*front: nn.Module) -> nn.Sequential:
    return nn.Sequential(*front, nn.Linear(D, M), nn.ReLU(), nn.Linear(M, D))


def block(contextual: Callable[..., Tensor] | None = None, net: nn.Module | None = None, first: str | list[str] = "0", **options: object) -> ContextualBlock:
    torch.manual_seed(0)
    return ContextualBlock(Average() if contextual is None else contextual, net or network(), first, input_width=D, **options)  # type: ignore[arg-type]


class SwiGlu(nn.Module):
    def __init__(self, *, bias: bool = False, meeting: bool = True) -> None:
        super().__init__()
        self.gate, self.act, self.up = nn.Linear(D, M, bias=bias), nn.SiLU(), nn.Linear(D, M, bias=bias)
        self.product, self.down = Product() if meeting else nn.Identity(), nn.Linear(M, D, bias=bias)
        self.meeting = meeting

    def forward(self, a: Tensor) -> Tensor:
        gate, up = self.act(self.gate(a)), self.up(a)
        return self.down(self.product(gate, up) if self.meeting else self.product(gate * up))


class TwoExperts(nn.Module):
    """The better of two, each with a bias at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.gates, self.best = nn.Linear(D, 2), nn.Softmax(dim=-1), LargestOnly(1)
        self.one, self.other, self.sum = network(), network(), WeightedSum()

    def forward(self, a: Tensor) -> Tensor:
        return self.sum(self.best(self.gates(self.router(a))), self.one(a), self.other(a))


class Direction(Average):
    """Uses W, but neither its size nor its sign; in a list, which torch does not look into."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.hidden = [layer]

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        mean, W = super().forward(context, query), self.hidden[0].weight
        cosine = (mean @ W.mT).square().sum(-1, keepdim=True) / (W.square().sum() * mean.square().sum(-1, keepdim=True))
        return mean * (1 + cosine)


def reaching_for_its_direction() -> ContextualBlock:
    layers = network()
    return block(Direction(layers[0]), layers)


EXPERTS = ["router", "one.0", "other.0"]


def measured(variant: str, made: ContextualBlock, update: Callable[..., object] | None = None):
    subject = own_block("mine", made, update=update)
    (mode,) = modes_named(["fp64"])
    return measuring.measured(subject, probe(mode, **asked_shapes([subject.model.block])), variant_of(subject, variant), cases=128)
