"""What the patched pass puts into the block: the update."""

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact
from numeric.arithmetics.value_and_radius import in_arithmetic, stored
from numeric.formats import in_storage
from numeric.sides.passes import Patch
from numeric.sides.setting import Setting
from symbolic import formulas


def numbers(patch: Patch[WithRadius]) -> Patch[Tensor]:
    """A patch without its radii, case by case.  A bias with a radius is a column."""
    parameters = {}
    for name, x in patch.parameters.items():
        value = x.value.expand(len(x.hazards.overflow), -1, -1)
        parameters[name] = value.squeeze(-1) if name.endswith(".bias") else value
    return Patch(parameters, {name: (v.value, a.value) for name, (v, a) in patch.factors.items()})


def first_layer_patch(setting: Setting, delta: WithRadius, a: WithRadius) -> Patch[WithRadius]:
    """The update, and how it is stored for the patched pass; nothing in a parallel block, whose first layer reads no context."""
    patch: Patch[WithRadius] = Patch()
    probed = setting.probed
    for name, layer in () if setting.block.parallel else setting.first_layers:
        W = exact(layer.weight.detach(), probed.update, delta.hazards)
        if setting.variant.factored:
            patch.factors[name] = in_arithmetic(W @ delta, probed.adapter), in_arithmetic(a, probed.adapter)
        else:
            weight = formulas.patched_weight(W, setting.variant.update(W, delta, a))
            patch.parameters[f"network.{name}.weight"] = stored(weight, probed.mode.weights, probed.layer)
    return patch


def patch_of_tensors(setting: Setting, right: Patch[Tensor], delta: Tensor, a: Tensor) -> Patch[Tensor]:
    """What the update returns for tensors in the format, of numbers alone: its bound is that of another run of the same function.

    right: what else is patched; delta, a: (cases, d, 1).
    """
    variant, probed = setting.variant, setting.probed
    weights: dict[str, Tensor] = {}
    factors: dict[str, tuple[Tensor, Tensor]] = {}
    with torch.no_grad(), probed.update.running():
        for name, layer in setting.first_layers:
            W = layer.weight.detach()
            if variant.factored:
                factors[name] = W @ delta, a
            else:
                weights[f"network.{name}.weight"] = in_storage(formulas.patched_weight(W, variant.update(W, delta, a)), probed.mode.weights)
    return Patch(right.parameters | weights, factors)
