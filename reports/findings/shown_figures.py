"""What speaks against numbers that are shown and judge nothing: a block's losses, Figures 2 and 3, one update for many queries, and beside what is judged."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from reports.findings.numbers_in import has_nan, numbers_in
from reports.record import Experiments, ModelRecord
from reports.text import joined


def doubtful_figures(experiments: Experiments) -> Iterable[str]:
    """Experiments with a figure that is not finite; updates of the wrong context that serve as well; updates further from the exact one than 0 is."""
    parts: list[tuple[str, Any]] = [(f"Figure 2 of {row.block}", row) for row in experiments.layers]
    parts += [(f"Figure 3 of {experiments.figure_3.block}", experiments.figure_3)] if experiments.figure_3 else []
    parts += [(f"one update for many queries of {row.block}", row) for row in experiments.static_patch]
    unreal = [name for name, row in parts if not all(map(math.isfinite, numbers_in(row.model_dump())))]
    parts = [(f"Figure 1 of {experiments.figure_1.block}", experiments.figure_1)] if experiments.figure_1 else []
    parts += [(f"the implicit dynamics of {row.block}", row) for row in experiments.dynamics]
    parts += [(f"the patched stack {row.block}", row) for row in experiments.stacks]
    parts += [(f"the post-norm of {experiments.post_norm.block}", experiments.post_norm)] if experiments.post_norm else []
    parts += [(f"the search for the worst context of {row.block} in {row.format}", row) for row in experiments.adversarial]
    parts += [(f"the float64 check of {row.block}", row) for row in experiments.watched]
    unreal += [name for name, row in parts if has_nan(row.model_dump(exclude={"seconds"}))]
    if unreal:
        yield f"a figure of {joined(unreal)} is not a number, or not finite"
    for row in experiments.static_patch:
        last = max(row.points, key=lambda point: point.queries, default=None)
        if last is not None and last.ridge_fresh[0] >= min(last.other_context[0], last.wrong_vector[0]):
            yield f"a wrong update for many queries of {row.block} serves fresh ones as well as the right one"
        poor = [str(point.queries) for point in row.points if point.own is not None and point.own[0] >= min(point.other_context[0], point.wrong_vector[0])]
        if poor:
            yield f"the update of {row.block} for {joined(poor)} queries serves these no better than a wrong one serves fresh ones"
        far = [str(point.queries) for point in row.points if point.distance is not None and point.distance >= 1]
        if far:
            yield f"the update of {row.block} for {joined(far)} queries is further from the exact one than no update is"


def doubtful_losses(models: Sequence[ModelRecord]) -> Iterable[str]:
    """Blocks with a loss on the way, or for predicting zero, that is not finite; the one that they are held to is judged elsewhere."""
    unreal = [model.block for model in models if not all(map(math.isfinite, (model.zero_loss, *(loss for _, loss in model.losses))))]
    if unreal:
        yield f"a loss of {joined(unreal)} is not finite"
