"""The first dense layer with other weights put in: Wᵢxᵢ + b beside W₀yᵢ + b, by the kernels of the block's own passes.

    |fl(Ŵᵢxᵢ + b) - fl(W₀yᵢ + b)| ≤ r_left + r_right + |Ŵᵢxᵢ - W₀yᵢ|,

r the rule of a dense layer for operands that are as the machine holds them (``value_and_radius.py``), and the last term what the path to Ŵᵢ
has strayed by, Eq. (2) of ``weight_paths.py``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics import Enclosed, Hazards, exact, hazards, outward
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.experiments.weight_paths import Path
from numeric.machine import ProbedMode
from numeric.machine.kernels import DENSE, PATCHED_WEIGHT, kernels


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """Both sides of an identity.  Each (prompts, numbers of tokens, p, q) float64."""

    left: Tensor
    right: Tensor
    bound: Tensor
    effect: Tensor


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """The first dense layer with weights W₀, or with others put in, by the kernels of the block's own passes."""

    W: Tensor
    b: Tensor
    probed: ProbedMode
    flags: Hazards

    def of(self, W: Tensor, x: Tensor) -> Enclosed:
        """Wx + b.  W: (m, d), or a matrix for each x; x: (prompts, some, d, 1). Each (prompts, some, m, 1)."""
        n, columns, shared = self.probed.layer, x.flatten(0, 1), W.dim() == 2
        kernel = kernels()[DENSE if shared else PATCHED_WEIGHT]
        matrices = W.unsqueeze(0) if shared else W.flatten(0, 1)
        with torch.no_grad(), n.running():
            value = kernel.run(matrices, columns, self.b.squeeze(-1))
        flags = self.flags if len(columns) == len(self.flags.overflow) else hazards(len(columns), self.probed.device)
        weight, bias, column = (exact(each, n, flags) for each in (W if shared else matrices, self.b, columns))
        radius = dense_layer(weight, bias, column, value, kernel.name).entry_radius
        return Enclosed(*(each.unflatten(0, x.shape[:2]) for each in (value.double(), radius)))

    def compared(self, path: Path, x: Tensor, whole: Tensor) -> LayerDifference:
        """Ŵᵢxᵢ + b and W₀yᵢ + b for i = 1..n.  x, whole: (prompts, n, d, 1), xᵢ and yᵢ."""
        left, right, before = self.of(path.weights[:, 1:], x), self.of(self.W, whole), self.of(self.W, x)
        return LayerDifference(left.value, right.value, outward(left.radius + right.radius + path.carried(x), 2), right.value - before.value)
