"""The rows of operators that add entries to places that an index names: index_add, scatter_add, index_put and put with accumulation.

    r_x + |α| Σ r + γ_k (|x̂| + |α| Σ|ŝ|)       k terms are added to x̂, each step rounded to storage, in any order: Higham (4.4);
                                            where ku is not small, e^{ku} for γ_k: both are at least (1 + u)^k - 1
    ω(ẑ)                                        in the place of the last, where k = 1 and α = 1: one rounding, of which the result is known
    0                                           where k = 0: nothing is computed

α is rounded as a number, and each product α s once more; a kernel may fuse it with the sum. An index in doubt leaves everything in doubt.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import rounding_error
from numeric.operator_rules.again import placed
from numeric.operator_rules.call import Bounded, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked
from numeric.operator_rules.moves import index_replaced, indices_in_doubt, replaced
from numeric.rules import exp_above

Placing = Callable[[Tensor, Tensor], Tensor]
"""Adds the entries of the second, float64, to those of the first that they belong to."""


def index_added(call: OperatorCall) -> list[Bounded]:
    """index_add: x + α s along an axis."""
    return [_accumulated(call, "source", lambda base, each: base.index_add(int(call.number("dim")), call.tensor("index"), each))]


def scatter_added(call: OperatorCall) -> list[Bounded]:
    """scatter_add."""
    return [_accumulated(call, "src", lambda base, each: base.scatter_add(int(call.number("dim")), call.tensor("index"), each))]


def index_put(call: OperatorCall) -> list[Bounded]:
    """index_put, with accumulation or without."""
    if not call.given.get("accumulate"):
        return index_replaced(call)
    indices = call.given["indices"]
    return [_accumulated(call, "values", lambda base, each: torch.ops.aten.index_put(base, indices, each, True))]


def put_flat(call: OperatorCall) -> list[Bounded]:
    """put, the same on the flat tensor."""
    if not call.given.get("accumulate"):
        return replaced(call)
    return [_accumulated(call, "source", lambda base, each: base.put(call.tensor("index"), each, accumulate=True))]


def _accumulated(call: OperatorCall, name: str, placing: Placing) -> Bounded:
    x, added, shape = call.tensor("self"), call.tensor(name), call.result.shape
    doubts = joint_doubts([call.doubts(x), _spread(call, added, placing), *indices_in_doubt(call)], shape)
    zero = torch.zeros(shape, dtype=torch.float64, device=x.device)
    if not call.result.is_floating_point():
        return Bounded(zero, doubts)
    n, base, source = call.model, placed(call, x, x.dtype), placed(call, added, x.dtype)
    count = placing(zero, torch.ones_like(source.value))
    alpha = abs(call.number("alpha")) if "alpha" in call.given else 1.0
    most = int(count.max()) + 1 if count.numel() else 1
    terms, spread = outward(placing(base.size, source.size * alpha), most + 1), outward(placing(base.radius, source.radius * alpha), most + 1)
    k = count + (2.0 if alpha != 1.0 else 0.0)
    ku = k * n.elementwise_roundoff
    share = torch.where(ku < 0.5, ku / (1.0 - ku), exp_above(ku))  # (1 + u)^k - 1, which is at most either
    flushed = 2.0 * n.storage.smallest_normal if n.elementwise_flushes else 0.0
    lost = outward(terms * outward(share, 3), 1) + count * (flushed + (2.0 * n.elementwise_underflow if alpha != 1.0 else 0.0))
    once = rounding_error(call.result, n) + flushed
    lost = torch.where((count == 1) & (alpha == 1.0), once, lost)
    passes = marked(~(outward(terms + lost, 1) < n.storage.largest) & (count > 0), Doubt.OVERFLOW)
    found = call.within(outward(spread + lost, 2), torch.zeros_like(count, dtype=torch.bool), passes, doubts)
    return Bounded(torch.where(count == 0, base.radius, found.radius), found.doubts)


def _spread(call: OperatorCall, added: Tensor, placing: Placing) -> Tensor | None:
    """Where the doubts of what is added come to stand."""
    doubts = call.doubts(added)
    if doubts is None:
        return None
    zero = torch.zeros(call.result.shape, dtype=torch.float64, device=added.device)
    found = [marked(placing(zero, ((doubts & int(doubt)) != 0).double()) > 0, doubt) for doubt in Doubt]
    return joint_doubts(found, call.result.shape)
