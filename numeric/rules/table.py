"""Which rule a module of a block's network has: one row each."""

from collections.abc import Callable

from torch import Tensor, nn

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.arithmetics import WithRadius
from numeric.rules.activations import GELU, GELU_TANH, SILU, gated
from numeric.rules.enclosures import finished, input_radius
from numeric.rules.junctions import largest_only, product_rule, weighted_sum
from numeric.rules.normalisation import layer_norm_rule, rms_norm_rule, softmax_rule

RoundingRule = Callable[..., WithRadius]
"""From the module, its inputs, each (cases, p, 1), and what it computed to the output with its radius."""


def _relu(module: nn.Module, x: WithRadius, value: Tensor) -> WithRadius:
    """max(0, ·) rounds nothing and is 1-Lipschitz in each entry."""
    return finished(value, input_radius(x), x)


def _gelu(module: nn.Module, x: WithRadius, value: Tensor) -> WithRadius:
    assert isinstance(module, nn.GELU)
    return gated(GELU if module.approximate == "none" else GELU_TANH, x, value)


def _silu(module: nn.Module, x: WithRadius, value: Tensor) -> WithRadius:
    return gated(SILU, x, value)


RULES: dict[type[nn.Module], RoundingRule] = {
    nn.ReLU: _relu,
    nn.GELU: _gelu,
    nn.SiLU: _silu,
    nn.Softmax: softmax_rule,
    nn.LayerNorm: layer_norm_rule,
    nn.RMSNorm: rms_norm_rule,
    Product: product_rule,
    LargestOnly: largest_only,
    WeightedSum: weighted_sum,
}
"""By the exact type: a subclass may compute something else."""


EXACT = (nn.ReLU, LargestOnly, Product, WeightedSum)
"""Those that need no more of a library than IEEE arithmetic."""


def assumes_a_library(network: nn.Module) -> bool:
    """Whether a module of the network has a rule that rests on what a library promises of its functions, which has to be asked about then."""
    return any(type(module) in RULES and type(module) not in EXACT for module in network.modules())


def rule_for(module: nn.Module) -> RoundingRule | None:
    """The rule of a module, or None: where none is known, and where it works along another axis than that of the entries (``along_the_entries``)."""
    return RULES.get(type(module)) if along_the_entries(module) else None


def along_the_entries(module: nn.Module) -> bool:
    """Whether a module of a network, which is given (batch, entries), sums over the entries of a case if it sums at all.

    Axis 1 is the last one then, and the one that PyTorch takes for a matrix if none is named.
    """
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return len(module.normalized_shape) == 1
    return not isinstance(module, nn.Softmax) or module.dim in (-1, 1, None)
