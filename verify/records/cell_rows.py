"""From what was trained and measured to rows of the record."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric.arithmetics.uniform_errors import FAILURE_PROBABILITY, deviations_allowed
from numeric.cells import Measurement, Subject
from numeric.cells.cell import AnyCell, WrittenCell
from numeric.cells.measurable import first_entries
from numeric.cells.measurement import WithoutRefinements
from numeric.experiments.near_zero_sweep import SWEPT, Sweep
from numeric.formats import Mode
from numeric.machine import ProbedMode
from numeric.sides import Judged
from numeric.sides.certificate import Agreement, Certificate
from numeric.training import TrainedBlock, weights_digest
from reports.record import CellRecord, ModelRecord, NearZeroSweep
from reports.record.cases_table import CaseColumns
from reports.record.cell_reason import reason_of
from reports.record.cells import DEVICE_NOT_ASKED, Certified, Counts, Expected, NearZeroLevel, Quantiles, Ranged, Recomputed, Spread, Unrefined
from symbolic.vocabulary import CellId, Verdict
from verify.records.row_of import row_of


def gradient_factor(block: str, norms: NDArray[np.float64]) -> str:
    """‖A(x)‖² in words with figures, for the erratum on the equation of §4.3.  norms: ‖A(x)‖ of each prompt."""
    low, middle, high = np.quantile(norms**2, [0.0, 0.5, 1.0])
    spread = f"median {middle:.3g}, from {low:.2g} to {high:.2g}"
    return f"‖A(x)‖² of the trained block {block} over {len(norms):,} prompts: {spread}; the printed equation takes it for 1"


def model_record(trained: TrainedBlock) -> ModelRecord:
    """A trained block."""
    recipe = trained.block.recipe
    known = {"block": trained.block.id, "recipe": trained.block.fingerprint, "weights": weights_digest(trained.model.state_dict())}
    return row_of(ModelRecord, trained, **known, steps=recipe.steps, required_loss=recipe.required_loss)


def cell_record(cell: AnyCell, measurement: Measurement) -> CellRecord:
    """A measured cell."""
    judged, mask, counts = measurement.judged, measurement.was_judged, measurement.counts
    reasons = {str(name): int((judged.reason == name).sum()) for name in sorted(set(judged.reason[~mask]))}
    row: CellRecord = row_of(
        CellRecord,
        cell.id,
        id=str(cell.id),
        format=cell.probed.mode.id,
        device=cell.probed.device,
        cases=len(judged.verdict),
        batch=cell.probed.batch,
        verdict=measurement.verdict,
        counts=Counts(**{name: counts[name.upper()] for name in Counts.model_fields}),
        reasons=reasons,
        mutant=cell.wrong_update,
        mutant_verdict=measurement.wrong_verdict,
        mutant_caught=measurement.wrong_caught,
        certified=_certified(measurement),
        well_inside=Ranged(cases=int(judged.well_inside.sum()), refused=int((judged.well_inside & ~mask).sum())),
        unrefined=_unrefined(measurement.unrefined),
        independent=cell.scenario.independent,
        as_written=isinstance(cell, WrittenCell),
        seconds=measurement.seconds,
        **(_of_judged_cases(cell, measurement) if mask.any() else {}),
    )
    return row.model_copy(update={"reason": reason_of(row)})


def _of_judged_cases(cell: AnyCell, measurement: Measurement) -> dict[str, Any]:
    """The fields that say something of the judged cases alone."""
    judged, mask = measurement.judged, measurement.was_judged
    error, bound, moved = judged.error[mask], judged.bound[mask], judged.moved[mask]
    at_first, at_output = float(judged.ratio[mask].max()), float(judged.output_ratio[mask].max())
    worst = max(at_first, at_output)
    return {
        "error": _spread(error),
        "bound": _spread(bound),
        "tightness": _quantiles(bound, error),
        "expected": _expected(cell, judged, mask),
        "worst_ratio": worst,
        "worst_site": "first layer" if at_first == worst else "output",
        **{name: getattr(measurement, name) for name in ("resolution", "output_resolution", "output_blind")},
        "context_effect": float(np.median(judged.context_effect[mask])),
        "recomputed": Recomputed(cases=int((moved > 0).sum()), moved=_spread(moved), noticed=measurement.moves_noticed) if measurement.recomputed else None,
    }


def _expected(cell: AnyCell, judged: Judged, mask: NDArray[np.bool_]) -> Expected | None:
    """None if the batches of which it was asked have no judged case."""
    asked = ~np.isnan(judged.expected)
    both = asked & mask
    if not both.any():
        return None
    return Expected(
        factor=deviations_allowed(first_entries(cell)),
        failure_probability=FAILURE_PROBABILITY,
        tightness_median=_quantiles(judged.expected[both], judged.error[both]).median,
        exceeded=int((judged.expected_ratio[both] > 1).sum()),
        cases=int(both.sum()),
        asked=int(asked.sum()),
    )


def _certified(measurement: Measurement) -> Certified | None:
    """What the reference answered; None if it was asked of no case."""
    both: list[Certificate | Agreement] = [*measurement.certificates, *measurement.compared]
    if not both:
        return None
    return Certified(
        cases=sum(some.cases for some in measurement.compared),
        by_formula=len(measurement.certificates),
        seconded=sum(c.seconded for c in measurement.certificates),
        left=max(c.left for c in both),
        right=max(c.right for c in both),
        inside=not measurement.contradicted,
    )


def _unrefined(found: WithoutRefinements | None) -> Unrefined | None:
    """What the first batch shows without refinements; None if it was not asked, or no case of it was judged."""
    if found is None or not (mask := found.judged.reason == "").any():
        return None
    holds = found.judged.verdict == Verdict.HOLDS.value
    return Unrefined(
        cases=int(mask.sum()),
        holds=int(holds.sum()),
        noticed=int(found.judged.wrong_noticed[holds].sum()),
        resolution=float(np.median(found.judged.resolution[mask])),
        refined=float(np.median(found.refined.resolution[mask])),
    )


def unmeasured_cell(cell: CellId, mode: Mode, probed: ProbedMode | None, verdict: Verdict, reason: str) -> CellRecord:
    """A cell of which nothing is known, and why.  probed: None if the machine was not asked."""
    device = DEVICE_NOT_ASKED if probed is None else probed.device
    return row_of(CellRecord, cell, id=str(cell), format=mode.id, device=device, cases=0, verdict=verdict, reason=reason)


def cases_table(measurement: Measurement) -> CaseColumns:
    """The rows of a cell for ``cases.parquet``."""
    j = measurement.judged
    return CaseColumns(
        **{each.name: getattr(j, each.name) for each in fields(CaseColumns) if each.name not in ("verdict", "reason")},
        verdict=list(j.verdict),
        reason=list(j.reason),
    )


def sweep_record(subject: Subject, variant: str, probed: ProbedMode, sweep: Sweep) -> NearZeroSweep:
    """A near-zero sweep."""
    levels = [row_of(NearZeroLevel, level, norm=2.0**level.exponent, cases=SWEPT) for level in sweep.levels]
    return row_of(NearZeroSweep, sweep, block=subject.block.id, format=probed.mode.id, numerics=probed.name, variant=variant, levels=levels)


def _spread(x: NDArray[np.float64]) -> Spread:
    return Spread(max=float(x.max()), median=float(np.median(x)))


def _quantiles(bound: NDArray[np.float64], error: NDArray[np.float64]) -> Quantiles:
    """Bound over error; infinite where the error is zero."""
    tightness = np.full_like(bound, np.inf)
    np.divide(bound, error, out=tightness, where=error > 0)
    # The "lower" quantile is one of the values; interpolating between infinities would make a NaN.
    low, middle, high = np.quantile(tightness, [0.1, 0.5, 0.9], method="lower")
    return Quantiles(p10=float(low), median=float(middle), p90=float(high))
