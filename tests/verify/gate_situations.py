"""Runs beside their baselines, and what the gate exits with for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reports.record import Experiments, NotMeasured, RunRecord
from reports.record.cells import Certified, Counts, NotSwept
from reports.record.environment import Probe
from reports.record.record_files import write_run
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import gate_samples as drawn
from tests import report_samples as samples
from tests.rows_as_written import as_written, settled
from tests.verify.calling import called
from verify.exit_status import exit_status

Change = Callable[[RunRecord], RunRecord]


@dataclass(frozen=True, slots=True)
class Situation:
    """A run beside its baseline."""

    status: int
    change: Change = lambda record: record
    """Of the run."""
    before: Change = lambda record: record
    """Of the run that the baseline is made from."""
    seed: int = 7
    """The run's; the baseline's is 7."""
    cells: Mapping[tuple[str, str], Mapping[str, float]] | None = None
    before_cells: Mapping[tuple[str, str], Mapping[str, float]] | None = None
    """The same of the run that the baseline is made from."""
    size: int = drawn.SIZE
    strict: bool = False
    same_machine: bool = False
    said: str = ""
    """What the answer says."""
    edit: Callable[[str], str] = field(default=lambda text: text)
    """Of the baseline's text."""


def cell(number: int, **changes: object) -> Change:
    """One of the run's cells changed, and the rest of its row as a run would have written it then."""

    def change(record: RunRecord) -> RunRecord:
        rows = list(record.cells)
        rows[number] = as_written(rows[number], **changes)
        return record.model_copy(update={"cells": rows})

    return change


def edited(number: int, **changes: object) -> Change:
    """One of the run's cells changed, and the rest of its row left as it was."""

    def change(record: RunRecord) -> RunRecord:
        rows = list(record.cells)
        rows[number] = rows[number].model_copy(update=changes)
        return record.model_copy(update={"cells": rows})

    return change


def whole(**changes: object) -> Change:
    """Parts of the record changed."""
    return lambda record: record.model_copy(update=changes)


def info(**changes: object) -> Change:
    if "finished" in changes and changes["finished"] is None:
        changes = {"exit_status": None, **changes}
    return lambda record: record.model_copy(update={"run": record.run.model_copy(update=changes)})


def both(*changes: Change) -> Change:
    def change(record: RunRecord) -> RunRecord:
        for one in changes:
            record = one(record)
        return record

    return change


def scaled(**factors: float) -> dict[tuple[str, str], Mapping[str, float]]:
    """Every cell with a defect."""
    return dict.fromkeys(drawn.CELLS, factors)


ELSEWHERE = whole(environment=samples.environment(processor="another"))
OTHER_TORCH = whole(environment=samples.environment(torch="2.6.0"))
RENAMED = whole(claims=[samples.claim(), samples.claim(id="new-one")])
UNPROVED = whole(claims=[samples.claim(verdict=Verdict.ERROR, reason="it broke")])
UNREFUTED = whole(claims=[samples.claim(mutants=[samples.mutant(), samples.mutant(id="z-for-a", verdict=Verdict.INCONCLUSIVE, counterexample=None)])])
ONE_MUTANT = whole(claims=[samples.claim(mutants=[samples.mutant()])])
LAST_GONE: Change = lambda record: record.model_copy(update={"cells": record.cells[:-1]})  # noqa: E731  # one of a table
TOGETHER = both(*(cell(number, independent=False) for number in range(len(drawn.CELLS))))
BROKEN = NotMeasured(block="attention", what="dynamics", reason="it broke")
FIRST_GONE: Change = lambda record: record.model_copy(update={"cells": record.cells[1:]})  # noqa: E731  # one of a table
OTHER_ANSWERS = whole(environment=samples.environment(probes=[Probe(id="fma", question="?", answer="no")]))
ONE_MORE = Counts(holds=700, inconclusive=324)
VIOLATED = cell(0, verdict=Verdict.VIOLATED, worst_ratio=1.5)
CONTRADICTED = cell(0, verdict=Verdict.VIOLATED, certified=Certified(cases=16, by_formula=4, seconded=4, left=1e-7, right=2e-7, inside=False))
MISCOUNTED = edited(0, counts=Counts(holds=701, violated=1, inconclusive=322))
PASSED = cell(0, verdict=Verdict.VACUOUS, mutant_verdict=Verdict.HOLDS, mutant_caught=0)
EMPTY = whole(claims=[], cells=[], errata=[], near_zero=[], models=[])
EXPERIMENT = whole(experiments=Experiments(dynamics=[experiment_samples.dynamics()]))
NEVER_SWEPT = NotSwept(block="gru", format="bf16", variant="formula", reason="it broke", verdict=Verdict.ERROR)
NAN = float("nan")
NEVER_FAILED = whole(
    near_zero=[samples.sweep(measured_radius=NAN, levels=[level.model_copy(update={"error": 1e-7, "error_median": 1e-8}) for level in samples.sweep().levels])]
)
"""A sweep in which nothing failed, so that there is no radius."""

SITUATIONS = {
    "the same": Situation(0, said="Nothing differs"),
    "another seed": Situation(0, seed=8, said="Nothing differs"),
    "better: a cell that was vacuous holds": Situation(0, before=cell(0, verdict=Verdict.VACUOUS), seed=8, said="better"),
    "better, strictly": Situation(1, before=cell(0, verdict=Verdict.VACUOUS), strict=True),
    "a cell violated": Situation(1, VIOLATED, said="HOLDS became VIOLATED"),
    "a cell vacuous": Situation(1, cell(1, verdict=Verdict.VACUOUS), said="HOLDS became VACUOUS"),
    "a cell skipped": Situation(1, cell(1, verdict=Verdict.SKIPPED, reason="why"), said="HOLDS became SKIPPED: why"),
    "a cell broke": Situation(1, cell(2, verdict=Verdict.ERROR, reason="killed"), said="killed"),
    "a cell ran out of time": Situation(1, cell(2, verdict=Verdict.TIMEOUT), said="TIMEOUT"),
    "a cell missing": Situation(1, LAST_GONE, said="missing from the run"),
    "a claim missing": Situation(1, whole(claims=[]), said="missing from the run"),
    "an erratum missing": Situation(1, whole(errata=[]), said="missing from the run"),
    "a sweep missing": Situation(1, whole(near_zero=[]), said="missing from the run"),
    "a claim broke": Situation(1, UNPROVED, said="HOLDS became ERROR: it broke"),
    "a claim for fewer sizes": Situation(1, whole(claims=[samples.claim(scope="n ≤ 4")]), said="shown for n ≤ 4, was all sizes"),
    "a false variant not refuted": Situation(1, UNREFUTED, said="z-for-a is not refuted"),
    "a false variant missing": Situation(1, ONE_MUTANT, said="z-for-a is missing"),
    "a false variant more": Situation(0, before=ONE_MUTANT, said="not in the baseline"),
    "an erratum not shown": Situation(1, whole(errata=[samples.erratum(proved=False)]), said="not shown any more"),
    "another radius on the same operands": Situation(1, whole(near_zero=[samples.sweep(measured_radius=2.0**-74)]), said="another radius"),
    "a sweep that fails too early": Situation(1, whole(near_zero=[samples.sweep(measured_radius=2.0**-70)]), seed=8, said="earlier than range limits allow"),
    "a sweep that fails later": Situation(0, whole(near_zero=[samples.sweep(measured_radius=2.0**-74)]), seed=8, said="Nothing differs"),
    "draws in common, another seed": Situation(0, TOGETHER, before=TOGETHER, seed=8, cells=scaled(errors=1.2), said="draws in common"),
    "draws in common, the same operands": Situation(1, TOGETHER, before=TOGETHER, cells=scaled(bounds=0.99), said="smaller than"),
    "a block missing": Situation(1, whole(models=[]), seed=8, said="trained blocks/attention"),
    "a block that has not learned": Situation(1, whole(models=[samples.model(validation_loss=0.5)]), said="passed became broke"),
    "an experiment that broke": Situation(1, whole(experiments=Experiments(broken=[BROKEN])), before=EXPERIMENT, said="missing from the run"),
    "another bound at the output": Situation(1, cell(0, output_resolution=0.02), before=cell(0, output_resolution=0.01), said="at the block's output"),
    "the output untested": Situation(1, cell(0, output_blind=500), seed=8, said="untested at the block's output"),
    "one case more refused on the same operands": Situation(1, cell(1, counts=ONE_MORE), said="on the same operands"),
    "a cell that says nothing of its worst case": Situation(2, edited(0, worst_ratio=None), seed=8, said="what no run can write"),
    "a cell that no reference saw": Situation(1, cell(0, certified=None), seed=8, said="0 cases compared with balls, 16 before"),
    "a cell that balls contradict": Situation(1, CONTRADICTED, seed=8, said="a bound that ball arithmetic contradicts"),
    "a cell that balls contradict, known or not": Situation(1, CONTRADICTED, before=CONTRADICTED, said="not to be trusted"),
    "a planted wrong update passes": Situation(1, PASSED, said="HOLDS became VACUOUS"),
    "no wrong update planted": Situation(2, edited(0, mutant=None, mutant_verdict=None, mutant_caught=0), said="its planted wrong update"),
    "a cell that holds and counts a violation": Situation(2, MISCOUNTED, seed=8, said="what no run can write"),
    "a new false variant that is not refuted": Situation(1, UNREFUTED, before=ONE_MUTANT, said="not refuted, so the prover may accept anything"),
    "a sweep that no baseline knows did not run": Situation(3, whole(not_swept=[NEVER_SWEPT]), said="it did not run: it broke"),
    "a sweep in which nothing failed": Situation(0, NEVER_FAILED, seed=8, said="nothing failed any more"),
    "a sweep in which nothing failed, strictly": Situation(1, NEVER_FAILED, seed=8, strict=True),
    "two claims of one name": Situation(2, whole(claims=[samples.claim(verdict=Verdict.VIOLATED), samples.claim()]), said="holds two claims named"),
    "a new cell that is violated": Situation(1, VIOLATED, before=FIRST_GONE, said="not in the baseline, and VIOLATED"),
    "a known failure with another seed": Situation(0, seed=8, before_cells=scaled(errors=4.0), cells=scaled(errors=4.0), said="known failures"),
    "more cases of a known failure": Situation(1, seed=8, before_cells=scaled(errors=4.0), cells=scaled(errors=4.6), said="outside the bound"),
    "probes that answer otherwise on one machine": Situation(1, OTHER_ANSWERS, seed=8, cells=scaled(errors=1.2), said="other answer"),
    "fewer cases, strictly": Situation(1, seed=8, size=256, strict=True, said="fewer show less"),
    "more cases": Situation(0, seed=8, size=2048, said="margins are for as many as there are now"),
    "more cases, one near its bound": Situation(1, cell(0, worst_ratio=0.99), seed=8, size=2048, said="another seed stays within"),
    "more cases, errors a fifth larger": Situation(1, seed=8, size=2048, cells=scaled(errors=1.2), said="errors have grown"),
    "fewer cases, errors a half larger": Situation(1, seed=8, size=256, cells=scaled(errors=1.5), said="errors have grown"),
    "another profile": Situation(0, info(profile="standard"), seed=8, said="of the profile quick"),
    "a bound a billionth smaller, on the same operands": Situation(1, cells=scaled(bounds=1 - 2.0**-30), said="smaller than"),
    "a new claim": Situation(0, RENAMED, said="not in the baseline"),
    "a new claim, strictly": Situation(1, RENAMED, strict=True),
    "a new cell": Situation(0, before=LAST_GONE, said="not in the baseline"),
    "a new cell, strictly": Situation(1, before=LAST_GONE, strict=True),
    "a known failure": Situation(0, VIOLATED, before=VIOLATED, said="1 known failure in the baseline"),
    "a stale known failure": Situation(1, before=VIOLATED, said="take it out of the baseline"),
    "a known failure, graver": Situation(1, VIOLATED, before=cell(0, verdict=Verdict.ERROR), said="ERROR became VIOLATED"),
    "skipped became inconclusive": Situation(0, cell(0, verdict=Verdict.INCONCLUSIVE), before=cell(0, verdict=Verdict.SKIPPED), said="other, not accepted"),
    "skipped became inconclusive, strictly": Situation(1, cell(0, verdict=Verdict.INCONCLUSIVE), before=cell(0, verdict=Verdict.SKIPPED), strict=True),
    "one case near its bound": Situation(1, cell(0, worst_ratio=0.99), seed=8, said="another seed stays within"),
    "errors a fifth larger": Situation(1, seed=8, cells=scaled(errors=1.2), said="errors have grown"),
    "a bound a fifth smaller": Situation(1, seed=8, cells=scaled(bounds=0.8), said="the bound has lost a term"),
    "a bound a fifth larger": Situation(1, seed=8, cells=scaled(bounds=1.25), said="the bound has grown"),
    "a bound a millionth smaller, on the same operands": Situation(1, cells=scaled(bounds=1 - 1e-6), said="smaller than"),
    "a bound a millionth larger, on the same operands": Situation(1, cells=scaled(bounds=1 + 1e-6), said="larger than"),
    "a bound a millionth smaller, with another seed": Situation(0, seed=8, cells=scaled(bounds=1 - 1e-6), said="Nothing differs"),
    "a bound added in another order": Situation(0, cells=scaled(bounds=1 - 2.0**-40), said="Nothing differs"),
    "the same operands, other weights": Situation(0, whole(models=[samples.model(recipe="other")]), cells=scaled(bounds=1 - 1e-6)),
    "twice as many refused": Situation(1, seed=8, cells=scaled(refused=0.5), said="another seed stays within"),
    "fewer cases": Situation(0, seed=8, size=256, said="of another number of cases"),
    "another machine, where it has to be the same": Situation(1, ELSEWHERE, seed=8, same_machine=True, said="another processor"),
    "the same machine, where it has to be": Situation(0, seed=8, same_machine=True, said="Nothing differs"),
    "a NaN for the worst ratio": Situation(1, cell(0, worst_ratio=NAN), said="NaN"),
    "a NaN for the tightness": Situation(1, cell(0, tightness=samples.Quantiles(p10=NAN, median=NAN, p90=NAN)), said="NaN"),
    "a NaN for the bound": Situation(1, cell(0, resolution=NAN), said="NaN"),
    "another machine": Situation(0, ELSEWHERE, seed=8, said="another processor"),
    "another machine, errors a fifth larger": Situation(0, ELSEWHERE, seed=8, cells=scaled(errors=1.2), said="what they may be on any machine alone"),
    "another machine, a cell violated": Situation(1, both(ELSEWHERE, VIOLATED), said="HOLDS became VIOLATED"),
    "another machine, one case near its bound": Situation(1, both(ELSEWHERE, cell(0, worst_ratio=0.99)), said="another seed stays within"),
    "another torch": Situation(0, OTHER_TORCH, cells=scaled(bounds=1 - 1e-6), said="another torch"),
    "another schema": Situation(0, cells=scaled(bounds=0.8), edit=lambda text: text.replace('"schema_version": 1', '"schema_version": 0'), said="of schema 0"),
    "an empty run": Situation(3, EMPTY, said="Nothing was compared"),
    "an empty unfinished run": Situation(3, both(EMPTY, info(finished=None)), said="Nothing was compared"),
    "an unfinished run": Situation(3, both(LAST_GONE, info(finished=None)), said="not finished"),
    "an unfinished run with all there": Situation(3, info(finished=None), said="not finished"),
    "an unfinished run with a violated cell": Situation(1, both(LAST_GONE, VIOLATED, info(finished=None)), said="HOLDS became VIOLATED"),
    "nothing in common": Situation(
        3,
        both(whole(claims=[], errata=[], near_zero=[], models=[]), cell(0, block="b", id="theorem-2.2/b/fp32/formula/random")),
        before=whole(cells=[], errata=[], near_zero=[], models=[]),
        edit=lambda text: text.replace('"theorem-2.2": {"verdict"', '"theorem-9": {"verdict"'),
        said="missing from the run",
    ),
    "a damaged baseline": Situation(2, edit=lambda text: text[: len(text) // 2], said="is not a baseline"),
    "a baseline of another kind": Situation(2, edit=lambda _: '{"name": "package"}', said="baseline_version None"),
    "a baseline with a word for a number": Situation(2, edit=lambda text: text.replace('"cases": 1024', '"cases": "many"', 1), said="is not a baseline"),
}


def with_its_status(record: RunRecord) -> RunRecord:
    """With the exit status that a run with such rows ends with, if it has ended."""
    if record.run.finished is None:
        return record
    judged = info(exit_status=None)(record)
    return info(exit_status=exit_status(judged))(record)


def held(situation: Situation, folder: Path) -> tuple[Path, Path]:
    """A run and a baseline on disk."""
    first, second, kept = folder / "before", folder / "after", folder / "baseline.json"
    write_run(settled(with_its_status(situation.before(drawn.run_of(7, first, cells=situation.before_cells))), first), first)
    assert called("baseline", str(first), "--out", str(kept), "--reason", "a first one").status == 0
    kept.write_text(situation.edit(kept.read_text()))
    changed = situation.change(drawn.run_of(situation.seed, second, cells=situation.cells, size=situation.size))
    write_run(settled(with_its_status(changed), second), second)
    return second, kept
