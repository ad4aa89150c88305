"""A Pre-LN block whose network is a mixture of experts.

    γ = the largest two entries of softmax(W_r a),    M(a) = Σ_k γ_k O_k GELU(U_k a),    a = N(v)

The router reads what the experts read, so it is a first layer like theirs. The chosen gates do not sum to 1. Shazeer et al., "Outrageously
large neural networks" (2017), §2; Fedus, Zoph and Shazeer, "Switch transformers" (2022), for gates that are not normalised again. All experts
are run, and those that are not chosen weigh nothing.
"""

from torch import Tensor, nn

from numeric.architecture import Block, ContextualBlock, LargestOnly, Recipe, WeightedSum
from numeric.architecture.layers import PreNormAttention, unscaled_rms_norm

EXPERTS, CHOSEN = 4, 2


class Experts(nn.Module):
    """The mixture."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.router = nn.Linear(width, EXPERTS, bias=False)
        self.probabilities = nn.Softmax(dim=-1)
        self.chosen = LargestOnly(CHOSEN)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, width, bias=False)) for _ in range(EXPERTS)
        )
        self.mixed = WeightedSum()

    def forward(self, a: Tensor) -> Tensor:
        """a: (batch, width). Returns (batch, width)."""
        return self.mixed(self.chosen(self.probabilities(self.router(a))), *(expert(a) for expert in self.experts))


def _build(recipe: Recipe) -> ContextualBlock:
    attention = PreNormAttention(recipe.width, recipe.heads, unscaled_rms_norm)
    first = ("router", *(f"experts.{k}.0" for k in range(EXPERTS)))
    network = Experts(recipe.width, recipe.hidden)
    return ContextualBlock(attention, network, first, input_width=recipe.width, norm=unscaled_rms_norm(recipe.width))


BLOCKS = (
    Block(
        "mixture-of-experts",
        "Pre-LN: softmax attention, RMSNorm, two of four GELU experts",
        _build,
        Recipe(heads=4, hidden=32, steps=400),
        too_coarse_in=(("subset", "fp16"),),
        normalises=True,
    ),
)
