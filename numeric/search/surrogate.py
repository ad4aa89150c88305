"""How few roundings share the bound: a smooth guess at how near a context could bring the error to it.

To first order the bound of an entry is a sum Σ_k w_k over the roundings on the way, each of which can use up its w_k and no more.
An error comes near to that sum only if chance takes all roundings that matter to their ends at once, which is the likelier the
fewer they are. Were they equal, they would number

    (Σ_k w_k)² / Σ_k w_k²,        and the surrogate is  ρ = √(Σ_k w_k²) / Σ_k w_k,       between 1/√n and 1.

The w_k are those of Eq. (1) as written (the other variants differ in few of them), with z = A(C,x), δ = z - a, v = Wδ, s = ‖a‖²:

    Wz + b, W'a + b   u_acc|s_t| at every node t of the order in which the kernel adds, and u|y| where the sum is stored in a narrower format
    δ, v, s           u|W_ij δ_j|; as a product; as a product, relative to s
    v aᵀ/s            2u|v_i a_j²/s|
    W + ΔW            u|W'_ij a_j|

Source of the terms: Higham, §3.1-3.3, as in ``value_and_radius.py``, whose rigorous bound this follows and never replaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.machine import ErrorModel, ProbedMode
from numeric.machine.kernels import BARE, DENSE, INNER_PRODUCT, PATCHED_WEIGHT, SHARED_PRODUCT, KernelAt
from numeric.machine.summation_tree import ADD, PUSH, Order


@dataclass(frozen=True, slots=True)
class _Sum:
    """How a kernel adds."""

    nodes: Tensor
    """(nodes, leaves) of 0 and 1: the leaves below each addition."""
    in_accumulator: float
    """Roundoff of a partial sum, and of a product that is rounded apart."""
    products_apart: bool
    stored: float
    """Roundoff of the result where it is stored in a narrower format than it was summed in; else 0."""

    def roundings(self, terms: Tensor) -> list[Tensor]:
        """terms: (cases, p, leaves). Returns the w_k, each (cases, p, some)."""
        w = [terms @ self.nodes.mT * self.in_accumulator]
        if self.products_apart:
            w.append(terms * self.in_accumulator)
        if self.stored:
            w.append(terms.sum(-1, keepdim=True) * self.stored)
        return w


@dataclass(frozen=True, slots=True)
class Surrogate:
    """ρ of every entry of the first dense layer's output."""

    W: Tensor
    """(m, d) float32, as all that follows: it is a guess."""
    b: Tensor
    """(m, 1)."""
    sums: Mapping[str, _Sum]
    update: float
    """Roundoff of one operation of the update. All roundoffs are in units of that of the layers' storage."""
    weights: float
    """Roundoff of a weight as it is stored."""
    bias_apart: Mapping[str, bool]

    def __call__(self, z: Tensor, a: Tensor) -> Tensor:
        """Log ρ.  z, a: (cases, d). Returns (cases, m)."""
        delta, s = z - a, a.square().sum(-1, keepdim=True)
        v = (delta @ self.W.mT).unsqueeze(-1)
        share = (a.square() / s).unsqueeze(1)
        moved, update = self.W * delta.unsqueeze(1), v * share
        patched = self.W * a.unsqueeze(1) + update
        w = self._layer(DENSE, self.W * z.unsqueeze(1)) + self._layer(PATCHED_WEIGHT, patched)
        w += [moved * self.update, *self.sums[SHARED_PRODUCT].roundings(moved)]
        w += [part * v for part in self.sums[INNER_PRODUCT].roundings(share)]
        w += [update * self.update, update * self.update, patched * self.weights]
        squares, total = sum(part.square().sum(-1) for part in w), sum(part.abs().sum(-1) for part in w)
        assert isinstance(squares, Tensor)
        assert isinstance(total, Tensor)
        return 0.5 * squares.log() - total.log()

    def _layer(self, kernel: str, products: Tensor) -> list[Tensor]:
        """The roundings of a dense layer.  products: (cases, m, d)."""
        bias = self.b.expand(len(products), -1, -1)
        kernel_sum = self.sums[kernel]
        if not self.bias_apart[kernel]:
            return kernel_sum.roundings(torch.cat([products, bias], dim=-1))
        return [*kernel_sum.roundings(products), products.sum(-1, keepdim=True) + bias]


def surrogate(block: ContextualBlock, probed: ProbedMode) -> Surrogate:
    """The surrogate of a block in a mode, with the orders of summation that the machine showed; of several first layers, the first one's."""
    W, b = block.first.weight.detach().float(), block.first.bias
    m, d = W.shape
    layer, update = probed.layer, probed.update
    unit = layer.storage.unit_roundoff
    apart = {DENSE: layer.rounds_before_bias, PATCHED_WEIGHT: layer.patched_rounds_before_bias}
    if b is None:  # then a zero is added, which rounds nothing
        apart = dict.fromkeys(apart, True)
    sums = {kernel: _sum(layer, BARE[kernel] if b is None else kernel, m, d, d + (not apart[kernel]), unit) for kernel in apart}
    sums |= {SHARED_PRODUCT: _sum(update, SHARED_PRODUCT, m, d, d, unit), INNER_PRODUCT: _sum(update, INNER_PRODUCT, 1, d, d, unit)}
    bias = torch.zeros_like(W[:, :1]) if b is None else b.detach().float().unsqueeze(-1)
    return Surrogate(W, bias, sums, update.storage.unit_roundoff / unit, probed.mode.weights.unit_roundoff / unit, apart)


def _sum(n: ErrorModel, kernel: str, rows: int, columns: int, leaves: int, unit: float) -> _Sum:
    """A kernel's sum; one after the other, where its order is not known."""
    order = n.orders.get(KernelAt(kernel, rows, columns))
    known = order is not None and order.leaves == leaves
    accumulator = n.accumulation.unit_roundoff / unit
    stored = 0.0 if n.accumulation == n.storage else n.storage.unit_roundoff / unit
    fused = known and order is not None and order.fused
    return _Sum(_nodes(order if known else None, leaves).to(n.device), accumulator, not (fused or n.product_is_exact), stored)


def _nodes(order: Order | None, leaves: int) -> Tensor:
    program = ((PUSH, 0), *((ADD, leaf) for leaf in range(1, leaves))) if order is None else order.program
    stack: list[set[int]] = []
    sums: list[set[int]] = []
    for op, leaf in program:
        if op == PUSH:
            stack.append({leaf})
            continue
        more = {leaf} if op == ADD else stack.pop()
        stack[-1] = stack[-1] | more
        sums.append(stack[-1])
    nodes = torch.zeros(len(sums), leaves)
    for row, below in enumerate(sums):
        nodes[row, list(below)] = 1.0
    return nodes
