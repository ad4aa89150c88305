"""Records written by hand, for the tests of what is told: small, and every number in them chosen here."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reports.record import CellRecord, ClaimRecord, ModelRecord, NearZeroSweep, RunRecord
from reports.record.cases_table import CaseColumns, CasesWriter, read_cells
from reports.record.cell_contradictions import UNMEASURED
from reports.record.cell_reason import reason_of
from reports.record.cells import Certified, Counts, Expected, NearZeroLevel, Quantiles, Ranged, Spread
from reports.record.claims import Counterexample, ErratumRecord, Formula, MutantRecord, Step
from reports.record.environment import Environment, Probe
from reports.record.record_files import write_run
from reports.record.run_record import RunInfo
from symbolic.vocabulary import CellId, Verdict
from symbolic.vocabulary.sampling import EXPECTED_EVERY, EXPECTED_OF, expected_cases
from tests.rows_as_written import summed_up

INFINITY, NAN = float("inf"), float("nan")

DIGEST = "0123456789abcdef" * 4
"""Of what no test looks at."""

FORMATS = {"fp64": -53, "fp32": -24, "bf16": -8, "fp16": -11}
"""Formats and the exponent of their unit roundoff."""

FACTOR = math.sqrt(2 * math.log(2**18))
"""Standard deviations that one of 128 entries exceeds with a probability of 2⁻¹⁰ at most: 2·128·exp(-λ²/2) = 2⁻¹⁰."""

A_IS_NOT_ZERO = Formula(text="a ≠ 0", latex=r"a \neq 0")
UPDATE = Formula(
    text="f_θ((W + (W ΔA) aᵀ/‖a‖²) a + b) = f_θ(W z + b)",
    latex=r"f_\theta\left(\left(W + \frac{(W\,\Delta A)\,a^{\top}}{\lVert a\rVert^{2}}\right) a + b\right) = f_\theta(W z + b)",
)


def mutant(**changes: object) -> MutantRecord:
    statement = Formula(text="(W + (W ΔA) aᵀ) a = W z", latex=r"(W + (W\,\Delta A)\,a^{\top}) a = W z")
    values = {"W": [["1", "0"]], "a": [["2"], ["0"]], "z": [["-3/2"], ["1"]]}
    numbers = Counterexample(sizes={"d": 2, "m": 1}, values=values, left=[["-12"]], right=[["-3/2"]])
    words = {"id": "no-normalisation", "description": "the division by ‖a‖² left out"}
    return MutantRecord(**{**words, "statement": statement, "verdict": Verdict.VIOLATED, "counterexample": numbers, **changes})


def _sides(text: str) -> tuple[str, str]:
    left, _, right = text.partition(" = ")
    return left, right


def claim(**changes: object) -> ClaimRecord:
    words = {"id": "theorem-2.2", "title": "A context acts as a rank-one change of W", "source": "Theorem 2.2, Eq. (1)", "scope": "all sizes"}
    statement = changes.get("statement", UPDATE)
    assert isinstance(statement, Formula)
    left, right = (Formula(text=text, latex=latex or "x") for text, latex in zip(_sides(statement.text), _sides(statement.latex), strict=True))
    steps = [
        Step(expression=left, rule="the left side"),
        Step(
            expression=Formula(text="= f_θ(Wa + (WΔA)(aᵀa)/‖a‖² + b)", latex=r"= f_\theta(Wa + (W\Delta A)(a^{\top}a)/\lVert a\rVert^2 + b)"),
            rule="distribute over +",
        ),
        Step(expression=Formula(text="= f_θ(Wa + WΔA + b)", latex=r"= f_\theta(Wa + W\Delta A + b)"), rule="cancel aᵀa with 1/‖a‖²", hypothesis="a ≠ 0"),
        Step(expression=Formula(text=f"= {right.text}", latex=f"= {right.latex}"), rule="ΔA = z − a"),
    ]
    mutants = [mutant(), mutant(id="z-for-a", description="z in place of a in the row factor")]
    found = {
        "hypotheses": [A_IS_NOT_ZERO],
        "statement": statement,
        "remark": UPDATE,
        "verdict": Verdict.HOLDS,
        "steps": steps,
        "mutants": mutants,
        "seconds": 0.2,
    }
    return ClaimRecord(**{**words, **found, **changes})


def erratum(**changes: object) -> ErratumRecord:
    words = {"number": 1, "title": "Eq. (15) is off by one", "where": "Proposition 3.1, Eq. (15)", "to_measure": "the factor by which both differ"}
    printed = {
        "wording": "the step to W_i uses the loss of step i",
        "literal": Formula(text="W_{i+1} = W_i - h∇L_{i+1}(W_i)", latex=r"W_{i+1} = W_i - h \nabla L_{i+1}(W_i)"),
        "counterexample": Counterexample(sizes={"d": 1, "m": 1}, values={"W": [["1"]]}, left=[["1"]], right=[["0"]]),
    }
    corrected = Formula(text="W_{i+1} = W_i - h∇L_i(W_i)", latex=r"W_{i+1} = W_i - h \nabla L_i(W_i)")
    right = {"correction": "the step to W_{i+1} uses the loss of step i", "corrected": corrected, "claim": "proposition-3.1", "proved": True}
    return ErratumRecord(**{**words, **printed, **right, **changes})


def cell(**changes: object) -> CellRecord:
    names = {"claim": "theorem-2.2", "block": "attention", "format": "fp32", "variant": "formula", "scenario": "random"}
    given = changes.get("counts")
    counts = given if isinstance(given, Counts) else Counts(holds=4096)
    run = {
        "numerics": "fp32",
        "device": "cpu",
        "batch": 512,
        "cases": counts.judged + counts.inconclusive,
        "counts": counts,
        "verdict": Verdict.HOLDS,
        "seconds": 0.8,
    }
    refused = {"reasons": {"NormUnderflow": counts.inconclusive} if counts.inconclusive else {}, "well_inside": Ranged(cases=0, refused=0)}
    sizes = {"error": Spread(max=3e-7, median=1e-7), "bound": Spread(max=2e-5, median=6e-6), "tightness": Quantiles(p10=30.0, median=60.0, p90=120.0)}
    worst = {"worst_ratio": 0.12, "worst_site": "first layer", "resolution": 2e-5, "output_resolution": 2e-5, "context_effect": 0.75}
    noticed, bound = Verdict.VIOLATED if counts.holds else None, changes.get("bound", sizes["bound"])
    largest = bound.max if isinstance(bound, Spread) else 0.0  # with what the balls have to agree
    planted = {"mutant": "ΔW multiplied by 1 + 2⁻⁸", "mutant_verdict": noticed, "mutant_caught": counts.holds}
    asked = expected_cases(counts.judged + counts.inconclusive, 512)
    among = min(asked, counts.judged)
    others = {
        "expected": Expected(factor=FACTOR, failure_probability=2.0**-10, tightness_median=4.0, exceeded=min(3, among), cases=among, asked=asked),
        "certified": Certified(cases=min(16, counts.judged), by_formula=4, seconded=4, left=largest / 200, right=largest / 100, inside=True),
        "cases_digest": DIGEST,
    }
    fields = {**names, **run, **refused, **sizes, **worst, **planted, **others, **changes}
    row = CellRecord(**{"id": str(CellId(*(str(fields[part]) for part in CellId.__slots__))), **fields})
    return row if "reason" in changes or row.verdict in UNMEASURED else row.model_copy(update={"reason": reason_of(row)})


def sweep(**changes: object) -> NearZeroSweep:
    predicted = float(changes.get("predicted_radius", 2.0**-72))
    smallest = {"fp64": -1074, "fp32": -149, "bf16": -133, "fp16": -24}.get(str(changes.get("format", "fp32")), -149)
    measured = float(changes.get("measured_radius", predicted / 2))
    levels = []
    for norm in sorted({2.0**exponent for exponent in np.linspace(0, smallest, 24).round()} | ({measured} if measured > 0 else set()), reverse=True):
        fails = norm < predicted
        error = INFINITY if norm < predicted / 64 else 0.5 if fails else 1e-7
        rest = {"error_median": 0.1, "bound": INFINITY, "refused": 1.0} if fails else {"error_median": 6e-8, "bound": 4e-6, "refused": 0.0}
        levels.append(NearZeroLevel(norm=norm, error=error, cases=256, **rest))
    levels.append(NearZeroLevel(norm=0.0, error=INFINITY, error_median=INFINITY, bound=INFINITY, refused=1.0, cases=256))
    names = {"block": "attention", "format": "fp32", "numerics": "fp32", "variant": "formula", "predicted_by": "‖a‖² underflows", "timid_by": 4.0}
    return NearZeroSweep(**{**names, "predicted_radius": predicted, "measured_radius": measured, "levels": levels, **changes})


def model(**changes: object) -> ModelRecord:
    trained = {"block": "attention", "recipe": "5f2c9a", "weights": DIGEST, "parameters": 12_705, "steps": 1001, "seconds": 4.2, "cached": False}
    losses = {"validation_loss": 0.042, "zero_loss": 1.01, "required_loss": 0.06, "losses": [(step, 1.0 / (1 + step / 40)) for step in range(0, 1001, 20)]}
    return ModelRecord(**{**trained, **losses, **changes})


def run_info(**changes: object) -> RunInfo:
    times = {"id": "2026-11-24T10-00-00-ab12", "started": "2026-11-24T10:00:00Z", "finished": "2026-11-24T10:00:48Z"}
    status = None if "finished" in changes and changes["finished"] is None else 0
    return RunInfo(**{**times, "profile": "quick", "seed": 7, "command": "verify all --profile quick --seed 7", "exit_status": status, **changes})


def environment(**changes: object) -> Environment:
    machine = {"platform": "Linux x86_64", "processor": "a processor", "device": "cpu", "blas": "OpenBLAS", "threads": 2}
    software = {"python": "3.11.9", "torch": "2.13.0", "commit": "0123456789abcdef", "versions": {"icl-verify": "0.1.0", "numpy": "2.4.6", "sympy": "1.14.0"}}
    probes = [Probe(id="fma", question="Does the dot product fuse multiply and add?", answer="yes")]
    return Environment(**{**machine, **software, "probes": probes, **changes})


def record(**changes: object) -> RunRecord:
    """A run of one claim and one cell, in which everything held; each argument replaces a part of it."""
    return RunRecord(
        **{"run": run_info(), "environment": environment(), "claims": [claim()], "models": [model()], "cells": [cell()], "near_zero": [sweep()], **changes}
    )


def empty_record(**changes: object) -> RunRecord:
    return RunRecord(**{"run": run_info(), "environment": environment(versions={"icl-verify": "0.1.0"}, probes=[]), **changes})


def full_record(cases: int = 4096) -> RunRecord:
    """A run of 32 cells: two blocks, four formats, two scenarios, two variants; near zero, a third of the cases is refused."""
    cells, sweeps = [], []
    limits = {"fp64": (-536.0, -1022.0), "fp32": (-72.0, -126.0), "bf16": (-64.0, -122.0), "fp16": (-10.0, -14.0)}
    for block in ("attention", "attention-skip"):
        for name, roundoff in FORMATS.items():
            for variant in ("formula", "scaled"):
                for scenario in ("random", "near_zero"):
                    refused = cases // 3 if scenario == "near_zero" else 0
                    scale = 2.0**roundoff
                    names = {"block": block, "format": name, "numerics": name, "variant": variant, "scenario": scenario}
                    sizes = {"error": Spread(max=3 * scale, median=scale), "bound": Spread(max=90 * scale, median=30 * scale)}
                    worst = {"worst_ratio": 0.05 + 0.9 * abs(roundoff % 7) / 7, "resolution": min(0.9, 40 * scale)}
                    reasons = {"‖a‖² underflows": refused // 2, "the update overflows": refused - refused // 2} if refused else {}
                    counts = Counts(holds=cases - refused, inconclusive=refused)
                    cells.append(cell(**names, **sizes, **worst, cases=cases, counts=counts, reasons=reasons))
                predicted = 2.0 ** limits[name][variant == "scaled"]
                sweeps.append(sweep(block=block, format=name, numerics=name, variant=variant, predicted_radius=predicted, measured_radius=predicted / 2))
    return record(
        claims=[claim(id=name) for name in ("theorem-2.2", "corollary-2.3.1", "remark-2.4", "rank", "theorem-a.2")],
        models=[model(), model(block="attention-skip", validation_loss=0.051, cached=True)],
        cells=cells,
        near_zero=sweeps,
    )


def cases_of(row: CellRecord, *, seed: int = 0, unit_roundoff: int | None = None) -> CaseColumns:
    """Invented cases that agree with a cell's counts, in the order violated, inconclusive, vacuous, holds."""
    generator = np.random.default_rng(seed)
    counts = row.counts
    verdict = ["VIOLATED"] * counts.violated + ["INCONCLUSIVE"] * counts.inconclusive + ["VACUOUS"] * counts.vacuous + ["HOLDS"] * counts.holds
    size = len(verdict)
    exponent = FORMATS.get(row.format, -24) if unit_roundoff is None else unit_roundoff
    bound = 2.0 ** (exponent + 4 + generator.normal(0, 1.5, size))
    error = bound * 2.0 ** (-5 + generator.normal(0, 1, size))
    error = np.minimum(error, 0.95 * bound)
    expected = np.where(np.arange(size) % (EXPECTED_EVERY * (row.batch or 512)) < EXPECTED_OF, bound / 4, NAN)
    ratio = error / bound
    violated = slice(0, counts.violated)
    error[violated], ratio[violated] = 3 * bound[violated], 3.0
    refused = slice(counts.violated, counts.violated + counts.inconclusive)
    for column in (error, bound, ratio):
        column[refused] = NAN
    reasons = [reason for reason, number in row.reasons.items() for _ in range(number)]
    return CaseColumns(
        norm_a=2.0 ** generator.normal(0, 2, size),
        error=error,
        bound=bound,
        expected=expected,
        ratio=ratio,
        output_ratio=np.full(size, NAN),
        resolution=bound / 2,
        expected_ratio=4 * error / bound,
        output_resolution=bound / 2,
        verdict=verdict,
        reason=[""] * counts.violated + (reasons + [""] * counts.inconclusive)[: counts.inconclusive] + [""] * (counts.vacuous + counts.holds),
    )


def write_folder(run: RunRecord, folder: Path, *, with_cases: Sequence[CellRecord] | None = None) -> Path:
    """A run's folder as a run leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    with CasesWriter(folder) as writer:
        written = {row.id: writer.append(row.id, cases_of(row, seed=index)) for index, row in enumerate(run.cells if with_cases is None else with_cases)}
    cells = [row.model_copy(update={"cases_digest": written[row.id]}) if row.id in written and row.cases_digest else row for row in run.cells]
    if with_cases is None:
        tables = dict(read_cells(folder))
        cells = [summed_up(row, tables[row.id]) if row.id in tables and row.cases_digest else row for row in cells]
    write_run(run.model_copy(update={"cells": cells}), folder)
    return folder
