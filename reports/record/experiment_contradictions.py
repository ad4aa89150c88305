"""What no run can write into the rows of experiments (``reports.record.contradictions``)."""

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from reports.record.as_written import SCENARIO_CLAIM, WRONG_PATCHES, InDoubleRecord, WatchedRecord
from reports.record.experiments import (
    AdversarialRecord,
    DynamicsRecord,
    Experiments,
    Figure1,
    Figure3,
    IdentityRecord,
    LayerRecord,
    StackRecord,
    StaticPatchRecord,
)

AVERAGED = 1 + 2.0**-50
"""What the roundings of a quotient and a product may add to a median's error over a median's bound, which is at most the largest error over bound."""

UNIT_ROUNDOFF = 2.0**-53
"""Of float64. What is allowed of a case is at least that: n u κ with one rounding or more, and a condition number of at least 1."""


def rising(numbers: Sequence[int]) -> bool:
    """Whether each is above the one before it."""
    return all(later > earlier for earlier, later in pairwise(numbers))


def experiment_contradictions(found: Experiments) -> Iterator[str]:
    """Each in words, with the row that it is in."""
    if found.figure_1:
        yield from (f"figure 1: {words}" for words in _figure_1(found.figure_1))
    for layer in found.layers:
        yield from (f"layer {layer.block}: {words}" for words in _layer(layer))
    if found.figure_3:
        yield from (f"figure 3: {words}" for words in _figure_3(found.figure_3))
    for dynamics in found.dynamics:
        yield from (f"dynamics {dynamics.block}: {words}" for words in _dynamics(dynamics))
    for patch in found.static_patch:
        yield from (f"static patch {patch.block}: {words}" for words in _static_patch(patch))
    for stack in found.stacks:
        yield from (f"stack {stack.block}: {words}" for words in _stack(stack))
    if found.post_norm and (found.post_norm.prompts == 0 or not found.post_norm.planted):
        yield "post-norm: it has no prompts, or no wrong patch"
    for search in found.adversarial:
        yield from (f"search {search.block}/{search.format}/{search.variant}: {words}" for words in _search(search))
    for row in found.in_double:
        yield from (f"float64 {row.name}: {words}" for words in _in_double(row))
    for block in found.watched:
        yield from (f"as written {block.block}: {words}" for words in _watched(block))
        known = block.planted.keys() | block.left_out.keys()
        for row in found.in_double:
            if row.block == block.block and (strange := sorted(row.planted.keys() - known)):
                yield f"float64 {row.name}: the block was watched without the wrong patch {strange[0]}"
    names: dict[str, Sequence[object]] = {
        "layers": [row.block for row in found.layers],
        "dynamics": [row.block for row in found.dynamics],
        "static_patch": [row.block for row in found.static_patch],
        "stacks": [row.block for row in found.stacks],
        "adversarial": [(row.block, row.format, row.variant) for row in found.adversarial],
        "watched": [row.block for row in found.watched],
        "in_double": [row.name for row in found.in_double],
    }
    for kind, ids in names.items():
        if len(set(ids)) < len(ids):
            yield f"it holds two rows of {kind} of one name"


def _figure_1(figure: Figure1) -> Iterator[str]:
    if figure.prompts == 0 or not rising([row.step for row in figure.checkpoints]):
        yield "it has no prompts, or checkpoints that are not in their order"
    for row in figure.checkpoints:
        if abs(row.with_context - row.patched) != row.difference and row.difference == row.difference:
            yield f"at step {row.step} the difference of the two losses is not {row.difference!r}"


def _figure_3(figure: Figure3) -> Iterator[str]:
    if figure.trials == 0 or not all(rising([i for i, *_ in curve]) for curve in (figure.finetuned, figure.patched)):
        yield "it has no trials, or numbers of examples that are not in their order"


def _layer(layer: LayerRecord) -> Iterator[str]:
    tokens = [i for i, *_ in layer.steps]
    if layer.trials == 0 or not rising(tokens):
        yield "it has no trials, or steps that are not in their order"
    if layer.vanishes_at is not None and layer.vanishes_at not in tokens:
        yield f"it vanishes at {layer.vanishes_at}, which is none of its steps"
    if abs(layer.alignment) >= 2:  # a mean of cosines, which rounding may carry a little past 1
        yield f"its mean cosine is {layer.alignment!r}"


def _dynamics(row: DynamicsRecord) -> Iterator[str]:
    for each in row.formats:
        for name in ("moved", "factored", "descended", "telescoped"):
            identity: IdentityRecord = getattr(each, name)
            yield from (f"{each.format}, {name}: {words}" for words in _identity(identity, row.tokens))
    if len({each.format for each in row.formats}) < len(row.formats):
        yield "a format is there twice"


def _identity(identity: IdentityRecord, tokens: int) -> Iterator[str]:
    at = [point[0] for point in identity.points]
    if not rising(at) or not rising(identity.vacuous) or any(not 1 <= i <= tokens for i in (*at, *identity.vacuous)):
        yield f"its numbers of tokens are not in their order, or not of {tokens}"
    if at[-1:] != [tokens]:
        yield f"it was not measured after all {tokens} tokens"
    for i, error, bound, effect in identity.points:
        if (i in identity.vacuous) is (bound < effect):
            yield f"after {i} tokens the bound is {'' if bound < effect else 'not '}below the effect, which its list of vacuous ones contradicts"
        if error > identity.worst * bound * AVERAGED:
            yield f"after {i} tokens the error is {error!r} with a bound of {bound!r}, and the largest error over bound is {identity.worst!r}"
        if effect > 0 and bound / effect > identity.resolution:
            yield f"after {i} tokens bound over effect is above the largest one"


def _static_patch(row: StaticPatchRecord) -> Iterator[str]:
    if row.trials == 0 or not rising([point.queries for point in row.points]):
        yield "it has no trials, or numbers of queries that are not in their order"
    if row.directions > row.width:
        yield f"its vectors of width {row.width} span {row.directions} directions"
    for point in row.points:
        if point.refused > row.trials:
            yield f"at K = {point.queries} it refused {point.refused} of {row.trials} trials"
        if any((part is None) is not (point.refused > 0) for part in (point.own, point.fresh, point.loss, point.distance)):
            yield f"at K = {point.queries} it refused {point.refused} trials, and what stands there without a ridge says otherwise"


def _stack(row: StackRecord) -> Iterator[str]:
    if max(row.same, row.planted_same) > row.prompts or not 1 <= row.distinct <= row.tokens:
        yield "it counts more prompts or tokens than there are, or none"
    if not rising([replay.kept for replay in row.replays]) or len({len(replay.apart) for replay in row.replays}) > 1:
        yield "its replays are not in their order, or not of the same blocks"


def _search(row: AdversarialRecord) -> Iterator[str]:
    if row.evaluations == 0 or row.violated > row.tried:
        yield f"{row.violated} cases are violated, of {row.evaluations}, as many random ones and {row.simplified} simplified ones"
    if row.simplified_worst is not None and not row.simplified:
        yield "it has a worst one of no simplified contexts"
    if row.simplest_ratio is not None and (row.simplified_worst is None or row.simplest_ratio > row.simplified_worst):
        yield f"its readable context has the ratio {row.simplest_ratio!r}, and all that were tried at most {row.simplified_worst!r}"
    if row.worst is not None and row.worst > 1 and not row.violated:
        yield f"its worst error is {row.worst!r} times its bound, and no case is violated"
    if (row.simplest is None) is not (row.simplest_ratio is None):
        yield "it has a simple context without its ratio, or a ratio without the context"


def _in_double(row: InDoubleRecord) -> Iterator[str]:
    if row.cases == 0 or row.refused + row.unequal > row.cases:
        yield f"of {row.cases} cases it refused {row.refused} and found {row.unequal} unequal"
    if (row.unequal > 0) is (row.worst_ratio <= 1):
        yield f"{row.unequal} cases are unequal, and the largest difference is {row.worst_ratio!r} of what is allowed"
    if not row.judged and (row.off or row.worst_ratio or row.planted):
        yield "it judged no case, and has a difference or a wrong patch"
    for words, (noticed, tried) in row.planted.items():
        if noticed > tried or tried > row.judged:
            yield f"{words}: noticed in {noticed} of {tried}, of {row.judged} judged cases"
    if row.claim != SCENARIO_CLAIM.get(row.scenario):
        yield f"it is of the claim {row.claim}, and the scenario {row.scenario} of {SCENARIO_CLAIM.get(row.scenario, 'none')}"
    if _at_odds(row.off, row.worst_ratio):
        yield f"its largest difference is {row.off!r} of the output, and {row.worst_ratio!r} of what is allowed"


def _at_odds(off: float, ratio: float) -> bool:
    """Whether no allowances make that of the largest difference: a ratio is a difference over what is allowed, which is UNIT_ROUNDOFF at least.

    A NaN makes a NaN, and an infinite difference an infinite ratio, or a NaN. A ratio that overflowed is of a difference so much larger than it shows.
    """
    if not math.isfinite(off):
        return not math.isnan(ratio) and (math.isnan(off) or math.isfinite(ratio))
    return off < min(ratio, sys.float_info.max) * UNIT_ROUNDOFF


def _watched(row: WatchedRecord) -> Iterator[str]:
    if not (row.first and row.cuts and row.parameters and row.width):
        yield "it has no W, nothing that reads it, no parameters or no width"
    if len({row.stream is None, row.absorber is None, row.absorbs_as is None}) > 1:
        yield f"it has the stream {row.stream}, of which {row.absorber} takes what is lacking, as {row.absorbs_as}: all of them, or none"
    if strange := [name for name in row.unproved if name not in row.claims]:
        yield f"it needs no claim {strange[0]}, which it calls not proved"
    if strange := sorted({*row.planted, *row.left_out} ^ {*WRONG_PATCHES}):
        yield (
            f"the wrong patch {strange[0]} is neither planted nor left out"
            if strange[0] in WRONG_PATCHES
            else f"it knows a wrong patch {strange[0]}, which is none"
        )
    for name in ("cuts", "claims", "unproved", "operators", "casts"):
        if twice := [each for each, times in Counter(getattr(row, name)).items() if times > 1]:
            yield f"{name}: {twice[0]} is there twice"
