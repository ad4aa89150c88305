"""The rounding rules of the modules at which strands meet.

x ⊙ y          |x̂|r_y + r_x|ŷ| + r_x r_y + ω(ẑ) + η'                      Higham (2.8), and the product rule
largest k      r_i of an entry that stays, 0 of one that becomes zero, if k stay and x̂_i - r_i > x̂_j + r_j for each i that stays and j
               that does not: then the same k of the exact entries are the largest; otherwise, and where entries tie, nothing is known
Σ γ_k y_k      the two rules above it, term by term, in the order in which the module adds
"""

import torch
from torch import Tensor, nn

from numeric.architecture import LargestOnly, WeightedSum
from numeric.arithmetics import WithRadius, foretell_overflow, outward
from numeric.arithmetics.roundoff import rounding_error
from numeric.rules.enclosures import down, finished, input_radius, magnitude, up


def product_rule(module: nn.Module, x: WithRadius, y: WithRadius, value: Tensor) -> WithRadius:
    """The rule for ``Product``.  x, y, value: (cases, p, 1)."""
    return entrywise_product(x, y, value)


def entrywise_product(x: WithRadius, y: WithRadius, value: Tensor) -> WithRadius:
    """fl(x ⊙ y), whose value is known; x may be one number a case."""
    n = x.numerics
    a, b, ra, rb = magnitude(x), magnitude(y), input_radius(x), input_radius(y)
    inherited = outward(a * rb + ra * outward(b + rb, 1), 3)
    foretell_overflow(x.hazards, outward((a * b).amax((-2, -1), keepdim=True), 1), n.storage)
    return finished(value, outward(inherited + rounding_error(value, n) + n.elementwise_underflow, 2), y)


def largest_only(module: nn.Module, x: WithRadius, value: Tensor) -> WithRadius:
    """The rule for ``LargestOnly``."""
    assert isinstance(module, LargestOnly)
    centre, radius = x.value.double(), input_radius(x)
    stays = centre >= centre.topk(module.k, dim=-2).values[..., -1:, :]
    least = torch.where(stays, down(centre - radius), torch.inf).amin(-2, keepdim=True)
    most = torch.where(stays, -torch.inf, up(centre + radius)).amax(-2, keepdim=True)
    settled = (least > most) & (stays.sum(-2, keepdim=True) == module.k)
    x.hazards.undecided |= ~settled.reshape(-1)
    return finished(value, torch.where(settled, torch.where(stays, radius, 0.0), torch.inf), x)


def weighted_sum(module: nn.Module, gates: WithRadius, *terms_and_value: WithRadius | Tensor) -> WithRadius:
    """The rule for ``WeightedSum``."""
    assert isinstance(module, WeightedSum)
    *terms, value = terms_and_value
    total = None
    for k, term in enumerate(terms):
        assert isinstance(term, WithRadius)
        gate = _entry(gates, k)
        with gate.numerics.running():
            product = gate.value * term.value
        weighed = entrywise_product(gate, term, product)
        total = weighed if total is None else total + weighed
    assert total is not None
    assert isinstance(value, Tensor)
    assert torch.equal(torch.nan_to_num(total.value), torch.nan_to_num(value)), "the module adds in another order than its rule"
    return total


def _entry(x: WithRadius, k: int) -> WithRadius:
    """One entry of a column, as one number a case."""
    return finished(x.value[..., k : k + 1, :], x.entry_radius[..., k : k + 1, :].expand(len(x.value), 1, 1), x)
