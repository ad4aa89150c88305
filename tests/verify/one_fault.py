"""Records that are faulty in one respect each, with how each has to stand: what an accident or a regression could leave in a run's folder."""

import math
from collections.abc import Callable
from typing import Any

from reports.findings import RunStanding
from reports.record import Experiments, NotMeasured, RunRecord
from reports.record.as_written import InDoubleRecord, WatchedRecord
from reports.record.cells import Certified, Counts, NotSwept, Quantiles, Recomputed, Spread
from reports.record.claims import Kernel
from reports.record.experiments import Figure3, LayerRecord, ReplayRecord
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports.findings.test_as_written import DOUBTED, UNDECIDED, a_block, a_row
from tests.reports.findings.test_as_written import VIOLATED as UNEQUAL_ROWS
from tests.reports.findings.test_stacks import a_norm, a_stack
from tests.reports.hostile import SIMPLE, search

Fault = Callable[[RunRecord], RunRecord]
INFINITE, NAN = math.inf, math.nan
HELD, VIOLATED, DISTRUSTED, INCOMPLETE = RunStanding.HELD, RunStanding.VIOLATED, RunStanding.DISTRUSTED, RunStanding.INCOMPLETE


def sound() -> RunRecord:
    """A run with every kind of part, in which everything held."""
    moved = Recomputed(cases=4096, moved=Spread(max=0.5, median=0.25), noticed=3000)
    return samples.record(
        errata=[samples.erratum()],
        cells=[samples.cell(), samples.cell(format="bf16", numerics="bf16"), samples.cell(scenario="recompute", claim="perturbed-query", recomputed=moved)],
        near_zero=[samples.sweep(), samples.sweep(variant="scaled")],
        experiments=experiment_samples.experiments().model_copy(
            update={"adversarial": [search()], "stacks": [a_stack()], "post_norm": a_norm(), "watched": [a_block()], "in_double": [a_row()]}
        ),
    )


def cells(*numbers: int, **changes: object) -> Fault:
    """Some cells changed; all of them if no number is given."""

    def fault(record: RunRecord) -> RunRecord:
        return record.model_copy(
            update={"cells": [row.model_copy(update=changes) if not numbers or at in numbers else row for at, row in enumerate(record.cells)]}
        )

    return fault


def levels(**changes: object) -> Fault:
    """Every distance of every sweep changed."""

    def fault(record: RunRecord) -> RunRecord:
        rows = [row.model_copy(update={"levels": [level.model_copy(update=changes) for level in row.levels]}) for row in record.near_zero]
        return record.model_copy(update={"near_zero": rows})

    return fault


def part(name: str, **changes: object) -> Fault:
    """The first row of a list of the record changed."""

    def fault(record: RunRecord) -> RunRecord:
        first, *rest = getattr(record, name)
        return record.model_copy(update={name: [first.model_copy(update=changes), *rest]})

    return fault


def experiments(**changes: Any) -> Fault:
    """Experiments replaced."""
    return lambda record: record.model_copy(update={"experiments": record.experiments.model_copy(update=changes)})


def as_written(row: WatchedRecord | InDoubleRecord) -> Fault:
    """A row in the place of the sound one of its kind, of a block as it is written."""
    return experiments(**{"watched" if isinstance(row, WatchedRecord) else "in_double": [row]})


def checkpoints(**changes: object) -> Fault:
    """Every checkpoint of Figure 1 changed."""
    figure = experiment_samples.experiments().figure_1
    assert figure is not None
    return experiments(figure_1=figure.model_copy(update={"checkpoints": [row.model_copy(update=changes) for row in figure.checkpoints]}))


def balls(**changes: object) -> dict[str, object]:
    return {"certified": Certified(**{"cases": 16, "by_formula": 4, "seconded": 4, "left": 1e-7, "right": 2e-7, "inside": True, **changes})}


POINT = experiment_samples.static_patch().points[-1]
LAYER = LayerRecord(block="attention", loss=0.05, trials=4, steps=[(1, 1.0, 0.1)], norm=NAN, alignment=0.5, vanishes_at=20)
BROKEN = NotMeasured(block="attention", what="dynamics", reason="it broke")
ALIKE = samples.mutant().counterexample.model_copy(update={"left": [["0"]], "right": [["0"]]})  # type: ignore[union-attr]  # a mutant that was refuted

FAULTS: dict[str, tuple[RunStanding, Fault]] = {
    "none": (HELD, lambda record: record),
    "infinite errors in all sweeps": (VIOLATED, levels(error=INFINITE, bound=1e-3)),
    "infinite errors and bounds in all sweeps, none of them refused": (DISTRUSTED, levels(error=INFINITE, bound=INFINITE, refused=0.0)),
    "infinite errors, all refused, and a radius": (DISTRUSTED, levels(error=INFINITE, bound=INFINITE, refused=1.0)),
    "one sweep's error above its bound": (VIOLATED, part("near_zero", levels=[samples.sweep().levels[0].model_copy(update={"error": 1.0})])),
    "a sweep's error that is not a number": (VIOLATED, part("near_zero", levels=[samples.sweep().levels[0].model_copy(update={"error": NAN})])),
    "a sweep without a distance": (DISTRUSTED, part("near_zero", levels=[])),
    "a sweep without a distance or a radius": (INCOMPLETE, part("near_zero", levels=[], measured_radius=NAN)),
    "sweeps whose bounds show nothing": (INCOMPLETE, levels(error=0.01, bound=2.0, refused=0.0)),
    "a sweep that fails further out than its radius": (DISTRUSTED, part("near_zero", measured_radius=2.0**-140)),
    "a sweep that broke": (INCOMPLETE, lambda r: r.model_copy(update={"not_swept": [NotSwept(block="gru", format="bf16", variant="scaled", reason="why")]})),
    "planted updates noticed nowhere": (DISTRUSTED, cells(mutant_caught=0)),
    "a planted update noticed in a third": (DISTRUSTED, cells(0, mutant_caught=1365)),
    "a planted update noticed more often than cases hold": (DISTRUSTED, cells(0, mutant_caught=5000)),
    "a planted update that passed": (DISTRUSTED, cells(0, mutant_verdict=Verdict.HOLDS, mutant_caught=0)),
    "no planted update": (DISTRUSTED, cells(1, mutant=None, mutant_verdict=None, mutant_caught=0)),
    "noticed = 0 of what a recomputed vector moves": (DISTRUSTED, cells(2, recomputed=Recomputed(cases=1, moved=Spread(max=1, median=1), noticed=0))),
    "an infinite error in every cell": (VIOLATED, cells(error=Spread(max=INFINITE, median=INFINITE))),
    "a median error above the median bound": (VIOLATED, cells(0, error=Spread(max=1e-5, median=8e-6))),
    "a tenth of the cases outside, by the tightness": (VIOLATED, cells(0, tightness=Quantiles(p10=0.5, median=60.0, p90=120.0))),
    "a worst ratio of 1.5": (VIOLATED, cells(0, worst_ratio=1.5)),
    "a worst ratio that is not a number": (DISTRUSTED, cells(0, worst_ratio=NAN)),
    "no worst ratio": (DISTRUSTED, cells(0, worst_ratio=None)),
    "a bound that is not a number": (DISTRUSTED, cells(0, bound=Spread(max=NAN, median=NAN))),
    "a resolution of 2 in a cell that holds": (DISTRUSTED, cells(0, resolution=2.0)),
    "counts that do not add up": (DISTRUSTED, cells(0, counts=Counts(holds=4000), mutant_caught=4000)),
    "reasons that do not add up": (DISTRUSTED, cells(0, counts=Counts(holds=4000, inconclusive=96), reasons={"NormUnderflow": 95}, mutant_caught=4000)),
    "a violated case in a cell that holds": (VIOLATED, cells(0, counts=Counts(holds=4095, violated=1), mutant_caught=4095)),
    "a violated cell": (VIOLATED, cells(0, verdict=Verdict.VIOLATED)),
    "a side outside its radius": (
        VIOLATED,
        cells(0, verdict=Verdict.VIOLATED, variant="own", id="theorem-2.2/attention/fp32/own/random", **balls(inside=False)),
    ),
    "balls that contradict a bound": (DISTRUSTED, cells(0, **balls(inside=False))),
    "a second opinion that differs": (DISTRUSTED, cells(0, **balls(seconded=3))),
    "a certified error above every bound": (DISTRUSTED, cells(0, **balls(left=1.0))),
    "a certified error that is not a number": (DISTRUSTED, cells(0, **balls(right=NAN))),
    "a vacuous cell": (INCOMPLETE, cells(0, verdict=Verdict.VACUOUS)),
    "an inconclusive cell": (INCOMPLETE, cells(0, verdict=Verdict.INCONCLUSIVE)),
    "a cell that broke": (INCOMPLETE, cells(0, verdict=Verdict.ERROR, reason="why")),
    "a cell that ran out of time": (INCOMPLETE, cells(0, verdict=Verdict.TIMEOUT)),
    "a refuted claim": (VIOLATED, part("claims", verdict=Verdict.VIOLATED)),
    "an undecided claim": (INCOMPLETE, part("claims", verdict=Verdict.INCONCLUSIVE)),
    "a claim without false variants": (DISTRUSTED, part("claims", mutants=[])),
    "a false variant that was not refuted": (DISTRUSTED, part("claims", mutants=[samples.mutant(verdict=Verdict.HOLDS, counterexample=None)])),
    "a false variant refuted by no numbers": (DISTRUSTED, part("claims", mutants=[samples.mutant(counterexample=None)])),
    "a false variant refuted by equal sides": (DISTRUSTED, part("claims", mutants=[samples.mutant(counterexample=ALIKE)])),
    "a kernel that says no": (DISTRUSTED, part("claims", kernel=Kernel(status="failed"))),
    "an erratum that was not proved": (INCOMPLETE, part("errata", proved=False)),
    "an erratum refuted by equal sides": (INCOMPLETE, part("errata", counterexample=ALIKE)),
    "a block that has not learned": (INCOMPLETE, part("models", validation_loss=0.5)),
    "a block whose loss is not a number": (INCOMPLETE, part("models", validation_loss=NAN)),
    "Figure 1 outside its bound": (VIOLATED, checkpoints(difference=1e-3)),
    "Figure 1 with a bound that shows nothing": (DISTRUSTED, checkpoints(bound=10.0)),
    "Figure 1 without a checkpoint": (INCOMPLETE, experiments(figure_1=experiment_samples.experiments().figure_1.model_copy(update={"checkpoints": []}))),  # type: ignore[union-attr]
    "Figure 2 with a loss that is not a number": (DISTRUSTED, experiments(layers=[LAYER])),
    "Figure 3 with an infinite loss": (
        DISTRUSTED,
        experiments(figure_3=Figure3(block="a", trials=1, rate=0.1, finetuned=[(1, INFINITE, 0.0)], patched=[(1, 1.0, 0.0)])),
    ),
    "dynamics outside their bound": (VIOLATED, experiments(dynamics=[experiment_samples.dynamics(agree=2.0)])),
    "dynamics that let a wrong reading pass": (DISTRUSTED, experiments(dynamics=[experiment_samples.dynamics(prefix=0.5)])),
    "dynamics judged for no prompt": (INCOMPLETE, experiments(dynamics=[experiment_samples.dynamics(prompts=0, refused=4)])),
    "dynamics that show nothing": (INCOMPLETE, experiments(dynamics=[experiment_samples.dynamics(moved=experiment_samples.identity(vacuous=[*range(50)]))])),
    "a wrong update for many queries that serves as well": (
        DISTRUSTED,
        experiments(static_patch=[experiment_samples.static_patch(points=[POINT.model_copy(update={"wrong_vector": (0.1, 0.1, 0.1)})])]),
    ),
    "an update for many queries far from the exact one": (
        DISTRUSTED,
        experiments(static_patch=[experiment_samples.static_patch(points=[POINT.model_copy(update={"distance": 1.0})])]),
    ),
    "a stack that strays": (VIOLATED, experiments(stacks=[a_stack(apart=1e-3)])),
    "a stack without a replay": (DISTRUSTED, experiments(stacks=[a_stack(replays=[])])),
    "a stack without a planted patch": (DISTRUSTED, experiments(stacks=[a_stack(replays=[ReplayRecord(kept=0, apart=[1e-16], planted={})])])),
    "a stack whose planted patches all pass": (DISTRUSTED, experiments(stacks=[a_stack(limit=2.0)])),
    "a post-norm without a planted patch": (DISTRUSTED, experiments(post_norm=a_norm(planted={}))),
    "a search beyond a bound": (VIOLATED, experiments(adversarial=[search(ascent=1.5, violated=1)])),
    "a search whose readable context is beyond its bound": (VIOLATED, experiments(adversarial=[search(**{**SIMPLE, "simplest_ratio": 97.0})])),
    "a search that met a violated case on the way to it": (VIOLATED, experiments(adversarial=[search(**{**SIMPLE, "violated": 1})])),
    "dynamics with a point beyond its bound": (
        VIOLATED,
        experiments(dynamics=[experiment_samples.dynamics(moved=experiment_samples.identity(points=[(1, 4e-6, 3e-6, 0.007)]))]),
    ),
    "an update for many queries that errs on its own": (
        DISTRUSTED,
        experiments(static_patch=[experiment_samples.static_patch(points=[POINT.model_copy(update={"own": (1.0, 0.0, 1.0), "refused": 0})])]),
    ),
    "a search whose ratio is not a number": (VIOLATED, experiments(adversarial=[search(ascent=NAN, random=NAN)])),
    "a search that judged nothing": (INCOMPLETE, experiments(adversarial=[search(ascent=None, random=None)])),
    **{
        f"a block as it is written: {name}": (standing, as_written(row))
        for standing, rows in ((VIOLATED, UNEQUAL_ROWS), (DISTRUSTED, DOUBTED), (INCOMPLETE, UNDECIDED))
        for name, (row, _) in rows.items()
    },
    "an experiment that broke": (INCOMPLETE, experiments(broken=[BROKEN])),
    "an experiment that ran out of time": (INCOMPLETE, experiments(out_of_time=[BROKEN])),
    "a run that did not finish": (INCOMPLETE, lambda r: r.model_copy(update={"run": samples.run_info(finished=None, exit_status=130)})),
    "an exit status that no row explains": (INCOMPLETE, lambda r: r.model_copy(update={"run": samples.run_info(exit_status=3)})),
    "an empty run": (RunStanding.NOTHING, lambda _: samples.empty_record(experiments=Experiments())),
}
