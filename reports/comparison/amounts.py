"""How much of each experiment there is, and what it allows: what a run must not lose without a word."""

from collections.abc import Iterator

from reports.record import Experiments, RunRecord
from reports.record.as_written import InDoubleRecord


def amounts_of(record: RunRecord) -> dict[str, int]:
    """Prompts, trials and points, by what they are of; nothing that depends on the clock, and of what depends on the draw only how many cases are judged."""
    return dict(sorted(_amounts(record.experiments)))


def parts_by_draw(record: RunRecord) -> dict[str, str]:
    """Amounts that the draw decides, each with the amount that it is a part of: cases that are not refused, and those that notice a wrong patch."""
    return {part: whole for row in record.experiments.in_double for part, _, whole in _parts(row)}


def _parts(row: InDoubleRecord) -> Iterator[tuple[str, int, str]]:
    """Where each case was drawn by itself: else another seed's share is not that of as many draws, and verdicts alone are compared."""
    name = f"float64/{row.name}"
    if row.independent:
        yield f"{name}/judged cases", row.judged, f"{name}/cases"
        for words, (noticed, tried) in row.planted.items():
            yield f"{name}/tried: {words}", tried, f"{name}/cases"
            yield f"{name}/noticed: {words}", noticed, f"{name}/tried: {words}"


def allowed_by(record: RunRecord) -> dict[str, float]:
    """Limits that the run itself was held to and that are not computed from its numbers."""
    found = {f"loss of {model.block}": model.required_loss for model in record.models}
    found |= {f"difference of the stack {row.block}": row.limit for row in record.experiments.stacks}
    norm = record.experiments.post_norm
    return found | ({f"difference of the post-norm of {norm.block}": norm.limit} if norm else {})


def _amounts(found: Experiments) -> Iterator[tuple[str, int]]:
    if found.figure_1:
        yield f"Figure 1/{found.figure_1.block}/checkpoints", len(found.figure_1.checkpoints)
        yield f"Figure 1/{found.figure_1.block}/prompts", found.figure_1.prompts
    for layer in found.layers:
        yield f"Figure 2/{layer.block}/trials", layer.trials
        yield f"Figure 2/{layer.block}/steps", len(layer.steps)
    if found.figure_3:
        yield f"Figure 3/{found.figure_3.block}/trials", found.figure_3.trials
        yield f"Figure 3/{found.figure_3.block}/finetuned", len(found.figure_3.finetuned)
        yield f"Figure 3/{found.figure_3.block}/patched", len(found.figure_3.patched)
    for row in found.dynamics:
        for each in row.formats:
            name, identities = f"implicit dynamics/{row.block}/{each.format}", (each.moved, each.factored, each.descended, each.telescoped)
            yield f"{name}/tokens", row.tokens
            yield f"{name}/prompts", each.prompts + each.refused
            yield f"{name}/points", sum(len(identity.points) for identity in identities)
            yield f"{name}/steps that a bound shows something of", sum(row.tokens - len(identity.vacuous) for identity in identities)
    for patch in found.static_patch:
        yield f"one update/{patch.block}/trials", patch.trials
        yield f"one update/{patch.block}/fresh queries", patch.fresh_queries
        yield f"one update/{patch.block}/points", len(patch.points)
        yield f"one update/{patch.block}/most queries", max((point.queries for point in patch.points), default=0)
    for stack in found.stacks:
        yield f"patched stack/{stack.block}/prompts", stack.prompts
        yield f"patched stack/{stack.block}/replays", len(stack.replays)
        yield f"patched stack/{stack.block}/blocks", sum(len(replay.apart) for replay in stack.replays)
        yield f"patched stack/{stack.block}/wrong patches", sum(len(replay.planted) for replay in stack.replays)
        yield f"patched stack/{stack.block}/generated tokens", stack.tokens
    if found.post_norm:
        yield f"post-norm/{found.post_norm.block}/prompts", found.post_norm.prompts
        yield f"post-norm/{found.post_norm.block}/wrong patches", len(found.post_norm.planted)
    for watched in found.watched:
        yield f"as written/{watched.block}/wrong patches", len(watched.planted)
    for measured in found.in_double:
        yield f"float64/{measured.name}/cases", measured.cases
        yield from ((part, number) for part, number, _ in _parts(measured))
        yield f"float64/{measured.name}/wrong patches", len(measured.planted)
    for search in found.adversarial:
        yield f"worst context/{search.block}/{search.format}/{search.variant}", 1
        yield f"worst context/{search.block}/{search.format}/{search.variant}/contexts", search.evaluations
        stages = sum(ratio is not None for ratio in (search.random, search.ascent, search.evolution))
        yield f"worst context/{search.block}/{search.format}/{search.variant}/stages", stages
