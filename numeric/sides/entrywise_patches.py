"""Parts of a patch that are made entry by entry, by the rows of the operators that compute them: a norm's scale, and what stands behind the absorber."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact
from numeric.formats import torch_dtype
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, as_hazards, doubts_over, join
from numeric.operator_rules.doubts import of_hazards
from numeric.operator_rules.models import models_of
from numeric.operators.updates import Factor
from numeric.sides.noted_rows import Noted
from numeric.sides.written_passes import BlockInFormat, FormatPass
from symbolic import formulas


def moved_scale(block: BlockInFormat, scale: Tensor, lacking: WithRadius, h: Noted) -> tuple[Tensor, Bounded]:
    """m + δ ⊘ h of each case: (cases, *shape of m)."""

    def moved(delta: Tensor, normalised: Tensor) -> Tensor:
        return formulas.patched_weight(scale.reshape(1, -1), formulas.scale_update(delta, normalised))

    value, known = _by_rows(block, moved, (lacking.value.squeeze(-1), _known(lacking)), (h.value, Bounded(h.radius, h.doubts)))
    shape = (-1, *scale.shape)
    doubts = None if known.doubts is None else known.doubts.expand(value.shape).reshape(shape)
    return value.reshape(shape), Bounded(known.radius.expand(value.shape).reshape(shape), doubts)


def without_factor(block: BlockInFormat, lacking: WithRadius, factor: Factor, left: FormatPass) -> WithRadius:
    """δ ⊘ f, f exact, or δ c where the network is divided by c: (cases, d, 1)."""
    by = factor.by if isinstance(factor.by, float) else left.whole_operand(*factor.by).reshape(-1)

    def without(delta: Tensor) -> Any:
        return delta * by if factor.divides else formulas.scale_update(delta, by)

    value, known = _by_rows(block, without, (lacking.value.squeeze(-1), _known(lacking)))
    join(lacking.hazards, as_hazards(doubts_over(known.doubts, (-1,), keepdim=False), len(value), value.device))
    return exact(value.unsqueeze(-1), lacking.numerics, lacking.hazards, radius=known.radius.unsqueeze(-1).contiguous())


def _known(x: WithRadius) -> Bounded:
    """What is known of a column, as of (cases, d)."""
    doubts = of_hazards(x.hazards)
    return Bounded(x.entry_radius.squeeze(-1), None if doubts is None else doubts.reshape(-1, 1))


def _by_rows(block: BlockInFormat, formula: Callable[..., Tensor], *operands: tuple[Tensor, Bounded]) -> tuple[Tensor, Bounded]:
    """A formula that works entry by entry, over tensors in the update's format, by the rows of the operators that compute it."""
    knowledge, tensors = KnownTensors(), []
    for x, known in operands:
        tensors.append(x.to(torch_dtype(block.probed.update.storage), copy=True))
        knowledge.put(tensors[-1], known)
    with torch.no_grad(), BoundedWalk(models_of(block.probed), knowledge, block.probed.update.running):
        value = formula(*tensors)
    found = knowledge.of(value)
    assert isinstance(found, Bounded)
    return value, found
