"""The experiments as jobs: which are made of which blocks, and where their rows go in the record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from numeric.experiments.patched_stack import is_stack
from numeric.machine import ProbedMode
from numeric.training import BlockNotTrained, TrainedBlock
from reports.record import Experiments, NotMeasured
from reports.record.row import Row
from symbolic.vocabulary import Verdict
from verify.engine.failures import Failure
from verify.plan import Plan
from verify.plan.as_written import WrittenPlan
from verify.records import as_written_rows
from verify.records import experiment_rows as rows
from verify.records.experiment_rows import PAPERS

FIGURE_1_FORMAT = "fp32"

DYNAMICS_FORMATS = ("fp64", "fp32")

POST_NORM_ON = "pre-ln"
"""The block behind whose network a norm is put."""

SEARCHED = ((PAPERS, "fp32"), (PAPERS, "bf16"), ("gru", "fp32"))
"""Blocks and formats in which the search for the worst context is part of a run; the last is one where random contexts leave much of the bound."""


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
    title: str = ""
    """What it is, for a reader, if the field does not say it."""

    @property
    def name(self) -> str:
        """Unique within a run."""
        return "/".join(filter(None, (self.field, self.block, self.format)))


def planned_experiments(plan: Plan, trained: Mapping[str, TrainedBlock | BlockNotTrained], probed: Mapping[str, ProbedMode]) -> Iterator[Experiment]:
    """Those that the plan asks for, of the blocks that have learned.  probed: by the mode's id."""
    if plan.as_written is not None:
        yield from _of_a_block_as_written(plan.as_written, plan.request.seed)
    if not plan.experiments:
        return
    learned = {name: block for name, block in trained.items() if isinstance(block, TrainedBlock)}
    reading = {name: block for name, block in learned.items() if not block.model.block.parallel}
    for name, block in reading.items():
        yield Experiment("layers", name, rows.layer, (block.alone(),))
    if PAPERS in learned:
        yield Experiment("figure_3", PAPERS, rows.figure_3, (learned[PAPERS].alone(),))
        if FIGURE_1_FORMAT in probed:
            yield Experiment("figure_1", PAPERS, rows.figure_1, (learned[PAPERS], probed[FIGURE_1_FORMAT]))
    formats = [probed[name] for name in DYNAMICS_FORMATS if name in probed]
    for name, block in reading.items() if formats else ():
        yield Experiment("dynamics", name, rows.dynamics, (block.alone(), formats))
    for name, block in learned.items():
        if block.model.block.norm is None:
            yield Experiment("static_patch", name, rows.static_patch, (block.alone(),))
        if is_stack(block.model.block):
            yield Experiment("stacks", name, rows.stack, (block.alone(),))
    if POST_NORM_ON in learned:
        yield Experiment("post_norm", POST_NORM_ON, rows.with_post_norm, (learned[POST_NORM_ON].alone(),))
    for name, mode in SEARCHED:
        if name in learned and mode in probed:
            yield Experiment("adversarial", name, rows.adversarial, (learned[name].alone(), probed[mode], plan.request.seed), mode)


def _of_a_block_as_written(written: WrittenPlan, seed: int) -> Iterator[Experiment]:
    """What was found in it, then each update in each scenario."""
    own = written.own
    yield Experiment("watched", own.name, as_written_rows.watched, (own,), title="the float64 check")
    for variant, scenario in product(written.variants, written.scenarios):
        arguments, title = (own, variant, scenario, written.cases, seed), f"float64, {variant}, {scenario},"
        yield Experiment("in_double", own.name, as_written_rows.scenario_in_double, arguments, f"{variant}/{scenario}", title)


def experiments_left_out(plan: Plan, trained: Mapping[str, TrainedBlock | BlockNotTrained]) -> Iterator[NotMeasured]:
    """What of the experiments is not made of a block, and why."""
    for name, block in trained.items() if plan.experiments else ():
        if isinstance(block, TrainedBlock) and block.model.block.parallel:
            yield NotMeasured(block=name, what="Figure 2 and the implicit dynamics", reason="its first layer reads no context, so that ΔW is 0")
        if isinstance(block, TrainedBlock) and block.model.block.norm is not None:
            yield NotMeasured(block=name, what="static patches", reason="what its stream lacks differs from query to query, and one matrix is not enough")


def with_outcome(before: Experiments, experiment: Experiment, outcome: Row | Failure, blocks: Sequence[str]) -> Experiments:
    """The record with one row more, those of a list in the order of the blocks; an experiment that failed is reported as that, and makes the run incomplete."""
    if isinstance(outcome, Failure):
        where = "out_of_time" if outcome.verdict is Verdict.TIMEOUT else "broken"
        missing = NotMeasured(block=experiment.block, what=experiment.title or experiment.field.replace("_", " "), reason=outcome.reason)
        return before.model_copy(update={where: sorted([*getattr(before, where), missing], key=lambda each: (each.what, each.block, each.reason))})
    others = getattr(before, experiment.field)
    row = sorted([*others, outcome], key=lambda each: (blocks.index(each.block), getattr(each, "format", ""))) if isinstance(others, list) else outcome
    return before.model_copy(update={experiment.field: row})


def never_begun(before: Experiments) -> Experiments:
    """The record where blocks or answers of the machine are missing, since the time was over."""
    reason = "the run's time was over before every block was trained and the machine was asked"
    return before.model_copy(update={"out_of_time": [*before.out_of_time, NotMeasured(block="blocks", what="experiments", reason=reason)]})
