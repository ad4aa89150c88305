"""What speaks against experiments that show something and judge nothing: Figures 2 and 3, and one update for many queries."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from reports.record import Experiments
from reports.text import joined


def doubtful_figures(experiments: Experiments) -> Iterable[str]:
    """Experiments with a figure that is not finite; updates of the wrong context that serve as well; updates further from the exact one than 0 is."""
    parts: list[tuple[str, Any]] = [(f"Figure 2 of {row.block}", row) for row in experiments.layers]
    parts += [(f"Figure 3 of {experiments.figure_3.block}", experiments.figure_3)] if experiments.figure_3 else []
    parts += [(f"one update for many queries of {row.block}", row) for row in experiments.static_patch]
    unreal = [name for name, row in parts if not all(map(math.isfinite, _numbers(row.model_dump())))]
    if unreal:
        yield f"a figure of {joined(unreal)} is not finite"
    for row in experiments.static_patch:
        last = max(row.points, key=lambda point: point.queries, default=None)
        if last is not None and last.ridge_fresh[0] >= min(last.other_context[0], last.wrong_vector[0]):
            yield f"a wrong update for many queries of {row.block} serves fresh ones as well as the right one"
        far = [str(point.queries) for point in row.points if point.distance is not None and point.distance >= 1]
        if far:
            yield f"the update of {row.block} for {joined(far)} queries is further from the exact one than no update is"


def _numbers(values: object) -> Iterator[float]:
    """Every float in a dumped row."""
    if isinstance(values, float):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _numbers(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _numbers(value)
