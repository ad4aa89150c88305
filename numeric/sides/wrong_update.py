"""The planted wrong update, which every cell has to notice: made like the right one, so that only the mistake tells them apart."""

import torch
from torch import Tensor

from numeric.formats import in_storage
from numeric.sides.output_patch import wrong_output_patch
from numeric.sides.passes import Patch
from numeric.sides.setting import Setting
from symbolic import formulas


def wrong_patch(setting: Setting, right: Patch[Tensor], delta: Tensor, z: Tensor) -> Patch[Tensor]:
    """Planted, as well scaled as the right one: A(C,x) in it for A(C∖Y,x), a mistake seen in the wild.

    (WΔA)zᵀ/‖z‖², of numbers alone, for its bound is the right one's.  delta, z: (cases, d, 1).
    """
    variant, probed = setting.variant, setting.probed
    weights: dict[str, Tensor] = {}
    factors: dict[str, tuple[Tensor, Tensor]] = {}
    with torch.no_grad(), probed.update.running():
        for name, layer in setting.first_layers:
            W = layer.weight.detach()
            if variant.factored:
                factors[name] = W @ delta, z
            else:
                weights[f"network.{name}.weight"] = in_storage(formulas.patched_weight(W, variant.update(W, delta, z)), probed.mode.weights)
    return Patch(right.parameters | weights, factors)


def wrong_parallel_patch(setting: Setting, right: Patch[Tensor], change: Tensor, layers: dict[str, Tensor]) -> Patch[Tensor]:
    """Planted in a parallel block, whose first layer takes no update: the wrong output patch.  layers: what each module returned with the context."""
    return Patch(right.parameters | wrong_output_patch(setting.block, setting.calls, setting.outputs, change, layers, setting.probed))
