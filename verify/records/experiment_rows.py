"""Each experiment made, as a row of the record."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple

from numeric.cells import Cell
from numeric.experiments.implicit_dynamics import MeasuredIdentity, implicit_dynamics
from numeric.experiments.one_update_many_queries import CONTEXTS, FRESH, StaticPoint, static_patches
from numeric.experiments.paper_figures import RATE, TRIALS, Averaged, finetuning_compared, layer_compared, training_with_bounds
from numeric.experiments.patched_stack import PROMPTS, STRAYED, generations, replays
from numeric.experiments.post_norm import post_norm
from numeric.machine import BATCH, ProbedMode
from numeric.search import Best, Budget, Found, Shrunk, bench, search, shrink
from numeric.search.readable_context import in_words
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from reports.record import experiments as made
from verify.records.figure_data import IDENTITIES
from verify.records.row_of import row_of

PAPERS = "attention"
"""The block of the paper's figures."""

SEARCHED_CASES = 12 * BATCH
"""The budget of the search for the worst context in a run, a few seconds; ``verify adversary`` takes a larger one."""


def figure_1(trained: TrainedBlock, probed: ProbedMode) -> made.Figure1:
    """Both validation losses at every checkpoint."""
    checkpoints = training_with_bounds(trained, VARIANTS[0], probed)
    return row_of(made.Figure1, block=trained.block.id, format=probed.mode.id, prompts=BATCH, checkpoints=checkpoints)


def layer(trained: TrainedBlock) -> made.LayerRecord:
    """Figure 2, for one contextual layer."""
    compared = layer_compared(trained)
    return row_of(made.LayerRecord, compared, block=trained.block.id, loss=trained.validation_loss, trials=TRIALS, steps=_averages(compared.steps))


def figure_3(trained: TrainedBlock) -> made.Figure3:
    """SGD on W, and ΔW."""
    losses = finetuning_compared(trained)
    return made.Figure3(block=trained.block.id, trials=TRIALS, rate=RATE, finetuned=_averages(losses.finetuned), patched=_averages(losses.patched))


def dynamics(trained: TrainedBlock, formats: Sequence[ProbedMode]) -> made.DynamicsRecord:
    """Proposition 3.1 and Appendix B on one block, in each format."""
    measured = [implicit_dynamics(trained, probed) for probed in formats]
    rows = [
        row_of(made.DynamicsInFormat, each, format=probed.mode.id, **{name: _identity(getattr(each, name)) for name in IDENTITIES})
        for probed, each in zip(formats, measured, strict=True)
    ]
    return made.DynamicsRecord(block=trained.block.id, tokens=measured[-1].tokens, formats=rows)


def _identity(identity: MeasuredIdentity) -> dict[str, object]:
    points = [(point.tokens, point.error, point.bound, point.effect) for point in identity.points]
    return {"points": points, "worst": identity.worst, "resolution": identity.resolution, "vacuous": identity.vacuous}


def static_patch(trained: TrainedBlock) -> made.StaticPatchRecord:
    """One update for many queries."""
    patches = static_patches(trained)
    return row_of(
        made.StaticPatchRecord,
        patches,
        block=trained.block.id,
        trials=CONTEXTS,
        fresh_queries=FRESH.stop - FRESH.start,
        width=trained.block.recipe.width,
        with_context=astuple(patches.with_context),
        without=astuple(patches.without),
        points=[_static_point(point) for point in patches.points],
    )


def _static_point(point: StaticPoint) -> made.StaticPointRecord:
    plain = point.unridged
    return row_of(
        made.StaticPointRecord,
        point,
        **{name: astuple(getattr(plain, name)) if plain else None for name in ("own", "fresh", "loss")},
        distance=plain.distance.patch if plain else None,
        ridge_fresh=astuple(point.fresh),
        ridge_loss=astuple(point.loss),
        ridge_share=point.share,
        other_context=astuple(point.other_context),
        wrong_vector=astuple(point.wrong_vector),
    )


def stack(trained: TrainedBlock) -> made.StackRecord:
    """Each block of a stack patched in order; and a generation."""
    replayed = [made.ReplayRecord(kept=each.kept, apart=list(each.relative_error), planted=each.planted) for each in replays(trained)]
    return row_of(made.StackRecord, generations(trained), block=trained.block.id, prompts=PROMPTS, limit=STRAYED, replays=replayed)


def adversarial(trained: TrainedBlock, probed: ProbedMode, seed: int) -> made.AdversarialRecord:
    """The search for the worst context, from nothing, so that a run depends on its seed alone."""
    cell = bench(trained, VARIANTS[0], probed)
    searched = search(cell, Budget(SEARCHED_CASES), seed)
    return adversarial_record(cell, searched, shrink(cell, searched, seed), seed)


def adversarial_record(cell: Cell, searched: Found, simple: Shrunk, seed: int) -> made.AdversarialRecord:
    """A search as a row."""
    return row_of(
        made.AdversarialRecord,
        searched,
        cell.id,
        format=cell.probed.mode.id,
        seed=seed,
        **{stage: _ratio(getattr(searched, stage)) for stage in ("random", "ascent", "evolution")},
        violated=searched.violated + simple.violated,
        simplified=simple.tried,
        simplified_worst=_ratio(simple.worst),
        simplest=None if simple.simple is None else in_words(simple.best.tokens),
        simplest_ratio=None if simple.simple is None else simple.best.ratio,
    )


def _ratio(best: Best) -> float | None:
    """None if no case counted."""
    return None if best.tokens is None else best.ratio


def with_post_norm(trained: TrainedBlock) -> made.PostNormRecord:
    """The scale of a norm behind the network takes what the stream lacks."""
    return row_of(made.PostNormRecord, post_norm(trained), block=trained.block.id, prompts=PROMPTS, limit=STRAYED)


def steps_that_stay(layers: Sequence[made.LayerRecord]) -> str | None:
    """For erratum 9, in words with figures: layers whose update's steps do not vanish; None if there is none."""
    staying = [layer for layer in layers if layer.vanishes_at is None]
    if not staying:
        return None
    parts = []
    for layer in staying:
        (early,) = (mean for i, mean, _ in layer.steps if i == 2)
        last, late, _ = layer.steps[-1]
        parts.append(f"{layer.block}: {early:.3g} at i = 2, {late:.3g} at i = {last}")
    return f"‖ΔWᵢ₊₁ - ΔWᵢ‖₂, mean of {staying[0].trials} trials (Figure 2): {'; '.join(parts)}"


def _averages(points: Iterable[Averaged]) -> made.Averages:
    return [(point.tokens, point.mean, point.error) for point in points]
