"""What the patched pass puts into the block: the update, the parameters as they are, and the planted wrong update."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric.arithmetics.value_and_radius import WithRadius, exact, in_arithmetic, stored
from numeric.formats.storage import in_storage
from numeric.sides.output_patch import unchanged, wrong_output_patch
from numeric.sides.passes import Factors, Patch
from numeric.sides.setting import Setting
from symbolic import formulas


@dataclass(frozen=True, slots=True)
class Patched:
    """A patch with its radii."""

    parameters: dict[str, WithRadius] = field(default_factory=dict)
    """By name in the block: (cases, *shape); a bias as a column."""
    factors: dict[str, tuple[WithRadius, WithRadius]] = field(default_factory=dict)
    """WΔA and a of a factored patch, by the first layer's name."""

    def numbers(self) -> Patch:
        """As the patched pass takes it, case by case."""
        parameters = {}
        for name, x in self.parameters.items():
            value = x.value.expand(len(x.hazards.overflow), -1, -1)
            parameters[name] = value.squeeze(-1) if name.endswith(".bias") else value
        return Patch(parameters, {name: (v.value, a.value) for name, (v, a) in self.factors.items()})


def first_layer_patch(setting: Setting, delta: WithRadius, a: WithRadius) -> Patched:
    """The update, and how it is stored for the patched pass; nothing in a parallel block, whose first layer reads no context."""
    patched, probed = Patched(), setting.probed
    for name, layer in () if setting.block.parallel else setting.first_layers:
        W = exact(layer.weight.detach(), probed.update, delta.hazards)
        if setting.variant.factored:
            patched.factors[name] = in_arithmetic(W @ delta, probed.adapter), in_arithmetic(a, probed.adapter)
        else:
            weight = formulas.patched_weight(W, setting.variant.update(W, delta, a))
            patched.parameters[f"network.{name}.weight"] = stored(weight, probed.mode.weights, probed.layer)
    return patched


def no_patch(setting: Setting) -> Patch:
    """What the patched pass replaces, as it is, so that the same kernels run."""
    parameters = unchanged(setting.block, setting.outputs)
    if not (setting.variant.factored or setting.block.parallel):
        parameters |= {f"network.{name}.weight": layer.weight.detach() for name, layer in setting.first_layers}
    return Patch({name: x.expand(len(setting.cases.query), *x.shape) for name, x in parameters.items()})


def wrong_patch(setting: Setting, right: Patch, delta: Tensor, z: Tensor) -> Patch:
    """Planted, as well scaled as the right one: A(C,x) in it for A(C∖Y,x), a mistake seen in the wild.

    (WΔA)zᵀ/‖z‖², of numbers alone, for its bound is the right one's.  delta, z: (cases, d, 1).
    """
    variant, probed = setting.variant, setting.probed
    weights: dict[str, Tensor] = {}
    factors: dict[str, Factors] = {}
    with torch.no_grad(), probed.update.running():
        for name, layer in setting.first_layers:
            W = layer.weight.detach()
            if variant.factored:
                factors[name] = W @ delta, z
            else:
                weights[f"network.{name}.weight"] = in_storage(formulas.patched_weight(W, variant.update(W, delta, z)), probed.mode.weights)
    return Patch(right.parameters | weights, factors)


def wrong_parallel_patch(setting: Setting, right: Patch, change: Tensor, layers: dict[str, Tensor]) -> Patch:
    """Planted in a parallel block, whose first layer takes no update: the wrong output patch.  layers: what each module returned with the context."""
    return Patch(right.parameters | wrong_output_patch(setting.block, setting.calls, setting.outputs, change, layers, setting.probed))
