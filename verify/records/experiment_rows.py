"""The experiments as jobs: each made in one process, as a row of the record, and its data as CSV."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numeric.cells import Cell
from numeric.experiments.implicit_dynamics import MeasuredIdentity, implicit_dynamics
from numeric.experiments.one_update_many_queries import CONTEXTS, FRESH, StaticPoint, TrialSummary, static_patches
from numeric.experiments.paper_figures import RATE, TRIALS, Averaged, finetuning_compared, layer_compared, training_with_bounds
from numeric.experiments.patched_stack import PROMPTS, STRAYED, generations, is_stack, replays
from numeric.experiments.post_norm import post_norm
from numeric.machine import BATCH, ProbedMode
from numeric.search import Best, Budget, Found, Shrunk, bench, search, shrink
from numeric.search.readable_context import in_words
from numeric.sides.variant import VARIANTS
from numeric.training import BlockNotTrained, TrainedBlock
from reports.record import Experiments, NotMeasured
from reports.record.experiments import (
    AdversarialRecord,
    Averages,
    CheckpointRecord,
    DynamicsInFormat,
    DynamicsRecord,
    Figure1,
    Figure3,
    IdentityRecord,
    LayerRecord,
    PostNormRecord,
    ReplayRecord,
    StackRecord,
    StaticPatchRecord,
    StaticPointRecord,
)
from reports.record.row import Row
from symbolic.vocabulary import Verdict
from verify.engine.failures import Failure
from verify.plan.plan import Plan

PAPERS = "attention"
"""The block of the paper's figures."""

FIGURE_1_FORMAT = "fp32"

DYNAMICS_FORMATS = ("fp64", "fp32")

IDENTITIES = ("moved", "factored", "descended", "telescoped")
"""Of the implicit dynamics."""
POST_NORM_ON = "pre-ln"
"""The block behind whose network a norm is put."""

SEARCHED = ((PAPERS, "fp32"), (PAPERS, "bf16"), ("gru", "fp32"))
"""Blocks and formats in which the search for the worst context is part of a run; the last is one where random contexts leave much of the bound."""

SEARCHED_CASES = 12 * BATCH
"""Its budget, a few seconds; ``verify adversary`` takes a larger one."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One job."""

    field: str
    """Of ``Experiments``, where its row goes; one a block if that is a list."""
    block: str
    make: Callable[..., Row]
    arguments: tuple[Any, ...]
    format: str = ""
    """Where there are several of one block."""

    @property
    def name(self) -> str:
        """It alone in a run has this name."""
        return "/".join(filter(None, (self.field, self.block, self.format)))


def experiments(plan: Plan, trained: Mapping[str, TrainedBlock | BlockNotTrained], probed: Mapping[str, ProbedMode]) -> Iterator[Experiment]:
    """Those that the plan asks for, of the blocks that have learned.  probed: by the mode's id."""
    if not plan.experiments:
        return
    learned = {name: found for name, found in trained.items() if isinstance(found, TrainedBlock)}
    reading = {name: found for name, found in learned.items() if not found.model.block.parallel}
    for name, found in reading.items():
        yield Experiment("layers", name, layer, (found.alone(),))
    if PAPERS in learned:
        yield Experiment("figure_3", PAPERS, figure_3, (learned[PAPERS].alone(),))
        if FIGURE_1_FORMAT in probed:
            yield Experiment("figure_1", PAPERS, figure_1, (learned[PAPERS], probed[FIGURE_1_FORMAT]))
    formats = [probed[name] for name in DYNAMICS_FORMATS if name in probed]
    for name, found in reading.items() if formats else ():
        yield Experiment("dynamics", name, dynamics, (found.alone(), formats))
    for name, found in learned.items():
        if found.model.block.norm is None:
            yield Experiment("static_patch", name, static_patch, (found.alone(),))
        if is_stack(found.model.block):
            yield Experiment("stacks", name, stack, (found.alone(),))
    if POST_NORM_ON in learned:
        yield Experiment("post_norm", POST_NORM_ON, with_post_norm, (learned[POST_NORM_ON].alone(),))
    for name, mode in SEARCHED:
        if name in learned and mode in probed:
            yield Experiment("adversarial", name, adversarial, (learned[name].alone(), probed[mode], plan.seed), mode)


def left_out(plan: Plan, trained: Mapping[str, TrainedBlock | BlockNotTrained]) -> Iterator[NotMeasured]:
    """What of the experiments is not made of a block, and why."""
    for name, found in trained.items() if plan.experiments else ():
        if isinstance(found, TrainedBlock) and found.model.block.parallel:
            yield NotMeasured(block=name, what="Figure 2 and the implicit dynamics", reason="its first layer reads no context, so that ΔW is 0")
        if isinstance(found, TrainedBlock) and found.model.block.norm is not None:
            yield NotMeasured(block=name, what="static patches", reason="what its stream lacks differs from query to query, and one matrix is not enough")


def with_outcome(found: Experiments, experiment: Experiment, outcome: Row | Failure, blocks: Sequence[str]) -> Experiments:
    """The record with one row more, those of a list in the order of the blocks; an experiment that failed is told as that, and makes the run incomplete."""
    if isinstance(outcome, Failure):
        where = "out_of_time" if outcome.verdict is Verdict.TIMEOUT else "broken"
        told = NotMeasured(block=experiment.block, what=experiment.field.replace("_", " "), reason=outcome.reason)
        return found.model_copy(update={where: sorted([*getattr(found, where), told], key=lambda each: (each.what, each.block, each.reason))})
    before = getattr(found, experiment.field)
    row = sorted([*before, outcome], key=lambda each: (blocks.index(each.block), getattr(each, "format", ""))) if isinstance(before, list) else outcome
    return found.model_copy(update={experiment.field: row})


def never_begun(found: Experiments) -> Experiments:
    """The record where blocks or answers of the machine are missing, since the time was over."""
    told = NotMeasured(block="blocks", what="experiments", reason="the run's time was over before every block was trained and the machine was asked")
    return found.model_copy(update={"out_of_time": [*found.out_of_time, told]})


def figure_1(trained: TrainedBlock, probed: ProbedMode) -> Figure1:
    """Both validation losses at every checkpoint."""
    rows = [
        CheckpointRecord(
            step=found.step,
            training_loss=found.training_loss,
            with_context=found.with_context,
            patched=found.patched,
            difference=found.difference,
            bound=found.bound,
            planted=found.planted,
        )
        for found in training_with_bounds(trained, VARIANTS[0], probed)
    ]
    return Figure1(block=trained.block.id, format=probed.mode.id, prompts=BATCH, checkpoints=rows)


def layer(trained: TrainedBlock) -> LayerRecord:
    """Figure 2, for one contextual layer."""
    found = layer_compared(trained)
    return LayerRecord(
        block=trained.block.id,
        loss=trained.validation_loss,
        trials=TRIALS,
        steps=_averages(found.steps),
        norm=found.norm,
        alignment=found.alignment,
        vanishes_at=found.vanishes_at,
    )


def figure_3(trained: TrainedBlock) -> Figure3:
    """SGD on W, and ΔW."""
    found = finetuning_compared(trained)
    return Figure3(block=trained.block.id, trials=TRIALS, rate=RATE, finetuned=_averages(found.finetuned), patched=_averages(found.patched))


def dynamics(trained: TrainedBlock, formats: Sequence[ProbedMode]) -> DynamicsRecord:
    """Proposition 3.1 and Appendix B on one block, in each format."""
    rows = []
    for probed in formats:
        found = implicit_dynamics(trained, probed)
        identities = {name: _identity(getattr(found, name)) for name in IDENTITIES}
        plain = {name: getattr(found, name) for name in DynamicsInFormat.model_fields if name not in (*IDENTITIES, "format")}
        rows.append(DynamicsInFormat(format=probed.mode.id, **identities, **plain))
    return DynamicsRecord(block=trained.block.id, tokens=found.tokens, formats=rows)


def _identity(found: MeasuredIdentity) -> IdentityRecord:
    points = [(point.tokens, point.error, point.bound, point.effect) for point in found.points]
    return IdentityRecord(points=points, worst=found.worst, resolution=found.resolution, vacuous=list(found.vacuous))


def static_patch(trained: TrainedBlock) -> StaticPatchRecord:
    """One update for many queries."""
    found = static_patches(trained)
    return StaticPatchRecord(
        block=trained.block.id,
        trials=CONTEXTS,
        fresh_queries=FRESH.stop - FRESH.start,
        width=trained.block.recipe.width,
        directions=found.directions,
        with_context=_over_trials(found.with_context),
        without=_over_trials(found.without),
        points=[_static_point(point) for point in found.points],
    )


def _static_point(point: StaticPoint) -> StaticPointRecord:
    plain = point.unridged
    return StaticPointRecord(
        queries=point.queries,
        refused=point.refused,
        own=_over_trials(plain.own) if plain else None,
        fresh=_over_trials(plain.fresh) if plain else None,
        loss=_over_trials(plain.loss) if plain else None,
        distance=plain.distance.patch if plain else None,
        ridge_fresh=_over_trials(point.fresh),
        ridge_loss=_over_trials(point.loss),
        ridge_share=point.share,
        other_context=_over_trials(point.other_context),
        wrong_vector=_over_trials(point.wrong_vector),
    )


def stack(trained: TrainedBlock) -> StackRecord:
    """Each block of a stack patched in order; and a generation."""
    found = generations(trained)
    return StackRecord(
        block=trained.block.id,
        prompts=PROMPTS,
        limit=STRAYED,
        replays=[ReplayRecord(kept=each.kept, apart=list(each.relative_error), planted=each.planted) for each in replays(trained)],
        tokens=found.tokens,
        distinct=found.distinct,
        same=found.same,
        apart=found.apart,
        planted_same=found.planted_same,
    )


def adversarial(trained: TrainedBlock, probed: ProbedMode, seed: int) -> AdversarialRecord:
    """The search for the worst context, from nothing, so that a run depends on its seed alone."""
    cell = bench(trained, VARIANTS[0], probed)
    found = search(cell, Budget(SEARCHED_CASES), seed)
    return adversarial_record(cell, found, shrink(cell, found, seed), seed)


def adversarial_record(cell: Cell, found: Found, simple: Shrunk | None, seed: int) -> AdversarialRecord:
    """A search as a row."""
    return AdversarialRecord(
        block=cell.subject.block.id,
        format=cell.probed.mode.id,
        variant=cell.variant.id,
        seed=seed,
        evaluations=found.evaluations,
        random=_ratio(found.random),
        ascent=_ratio(found.ascent),
        evolution=_ratio(found.evolution),
        violated=found.violated,
        simplest=None if simple is None else in_words(simple.best.tokens),
        simplest_ratio=None if simple is None else simple.best.ratio,
        seconds=found.seconds,
    )


def _ratio(best: Best) -> float | None:
    """None if no case counted."""
    return None if best.tokens is None else best.ratio


def with_post_norm(trained: TrainedBlock) -> PostNormRecord:
    """The scale of a norm behind the network takes what the stream lacks."""
    found = post_norm(trained)
    return PostNormRecord(block=trained.block.id, prompts=PROMPTS, limit=STRAYED, apart=found.apart, smallest=found.smallest, planted=found.planted)


def steps_that_stay(layers: Sequence[LayerRecord]) -> str | None:
    """For erratum 9, in words with figures: layers whose update's steps do not vanish; None if there is none."""
    found = [layer for layer in layers if layer.vanishes_at is None]
    if not found:
        return None
    told = []
    for layer in found:
        (early,) = (mean for i, mean, _ in layer.steps if i == 2)
        last, late, _ = layer.steps[-1]
        told.append(f"{layer.block}: {early:.3g} at i = 2, {late:.3g} at i = {last}")
    return f"‖ΔWᵢ₊₁ - ΔWᵢ‖₂, mean of {found[0].trials} trials (Figure 2): {'; '.join(told)}"


def write_data(found: Experiments, folder: Path) -> None:
    """The figures' data as CSV, in the run's folder ``figures/``; nothing for a figure that was not made."""
    where = folder / "figures"
    if found.figure_1:
        fields = list(CheckpointRecord.model_fields)
        _write(where / "figure-1.csv", fields, ([getattr(row, field) for field in fields] for row in found.figure_1.checkpoints))
    if found.layers:
        rows = ((record.block, *point) for record in found.layers for point in record.steps)
        _write(where / "figure-2.csv", ["block", "tokens", "mean_step", "standard_error"], rows)
    if found.figure_3:
        names = {"sgd": found.figure_3.finetuned, "patch": found.figure_3.patched}
        _write(
            where / "figure-3.csv",
            ["update", "examples", "mean_loss", "standard_error"],
            ((name, *point) for name, points in names.items() for point in points),
        )
    if found.dynamics:
        _write(
            where / "dynamics.csv",
            ["block", "format", "identity", "tokens", "error", "bound", "effect"],
            (
                (record.block, row.format, name, *point)
                for record in found.dynamics
                for row in record.formats
                for name in IDENTITIES
                for point in getattr(row, name).points
            ),
        )
    if found.static_patch:
        _write(where / "static-patch.csv", ["block", "queries", "quantity", "mean", "standard_error", "median"], _static_rows(found.static_patch))


def _static_rows(found: Iterable[StaticPatchRecord]) -> Iterator[Sequence[object]]:
    """One line for each number that has a mean over trials; the two losses that no query makes stand at 0 queries."""
    for record in found:
        yield record.block, 0, "with_context", *record.with_context
        yield record.block, 0, "without", *record.without
        for point in record.points:
            for quantity in ("own", "fresh", "loss", "ridge_fresh", "ridge_loss", "other_context", "wrong_vector"):
                numbers = getattr(point, quantity)
                if numbers is not None:
                    yield record.block, point.queries, quantity, *numbers


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _over_trials(found: TrialSummary) -> tuple[float, float, float]:
    return found.mean, found.error, found.median


def _averages(points: Iterable[Averaged]) -> Averages:
    return [(point.tokens, point.mean, point.error) for point in points]
