"""The planted wrong update, which every cell has to notice: made like the right one, so that only the mistake tells them apart."""

from torch import Tensor

from numeric.sides.output_patch import wrong_output_patch
from numeric.sides.passes import Patch
from numeric.sides.patches import patch_of_tensors
from numeric.sides.setting import Setting


def wrong_patch(setting: Setting, right: Patch[Tensor], delta: Tensor, z: Tensor) -> Patch[Tensor]:
    """As well scaled as the right one: A(C,x) in it for A(C∖Y,x), a mistake seen in the wild: (WΔA)zᵀ/‖z‖².  delta, z: (cases, d, 1)."""
    return patch_of_tensors(setting, right, delta, z)


def wrong_parallel_patch(setting: Setting, right: Patch[Tensor], change: Tensor, layers: dict[str, Tensor]) -> Patch[Tensor]:
    """Of a parallel block, whose first layer takes no update: the wrong output patch.  layers: what each module returned with the context."""
    return Patch(right.parameters | wrong_output_patch(setting.block, setting.calls, setting.outputs, change, layers, setting.probed))
