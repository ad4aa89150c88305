"""The machine asked about each mode of a plan, at the shapes of its blocks: in the pool's processes if they have nothing else to do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numeric.architecture import ContextualBlock, asked_shapes
from numeric.machine import BATCH, ProbedMode, UnsupportedNumerics
from numeric.machine.error_model import ASSUMPTIONS, LIBRARY
from numeric.machine.probing import Answer
from numeric.machine.refinements import TITLES
from numeric.operators.many_cases import cases_at_once
from numeric.rules import assumes_a_library
from numeric.sides.batch import batch_that_fits
from numeric.sides.written_sides import ASKED_SHAPES
from reports.record.environment import Bounds, Probe, Refinement
from verify.engine.jobs import probe_functions, probe_mode
from verify.engine.processes import OutOfTime, Workers
from verify.plan import Plan
from verify.progress import OnStep
from verify.records.row_of import row_of


@dataclass(frozen=True, slots=True)
class ProbedMachine:
    """What it answered."""

    probed: dict[str, ProbedMode]
    """The error models, by the mode's id; without those for which the run's time did not suffice, and the refused."""
    refused: dict[str, str]
    """Why there is no error model of how this machine computes in a mode, by its id."""
    answers: list[Probe]
    complete: bool
    """Whether every question was put."""
    bounds: Bounds | None
    """What bounds rest on; None where nothing was asked."""


class Probing:
    """Questions on their way."""

    def __init__(self, plan: Plan, blocks: Sequence[ContextualBlock], pool: Workers, *, busy: bool, step: OnStep) -> None:
        """Without blocks nothing is asked. pool: asks; if it is busy or has no processes, this process does, when the answers are wanted."""
        self._step, self._left_out, device = step, plan.without, plan.request.device
        written = plan.as_written if plan.as_written and plan.as_written.bounded else None
        modes = plan.modes if blocks else [mode for mode in plan.modes if mode.id in written.bounded] if written else ()
        self._modes = tuple(modes)
        shapes, batch = asked_shapes(blocks), plan.request.batch or min(map(batch_that_fits, blocks), default=BATCH)
        if written:
            watched = written.own.watched
            shapes = {"shapes": ASKED_SHAPES, "first": ASKED_SHAPES, "bare": ASKED_SHAPES}
            batch = plan.request.batch or (cases_at_once(watched) if watched.runs_at_once else 1)  # its kernels run on one case
        widths = tuple(sorted({p for p, _ in shapes["shapes"]}))
        self._assumed = any(assumes_a_library(block.network) for block in blocks)
        storages = dict.fromkeys(mode.activations for mode in self._modes) if self._assumed else ()
        self._questions: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
            *((probe_mode, (mode, shapes, device, batch, plan.without)) for mode in self._modes),
            *((probe_functions, (storage, device, widths)) for storage in storages),
        ]
        """Those about modes, and then those about functions."""
        self._pool, self._asks = pool, pool.uses_processes and not busy
        if self._asks:
            for index, (ask, arguments) in enumerate(self._questions):
                self._pool.submit(index, ask, *arguments)

    def results(self) -> ProbedMachine:
        """Every answer, in the order of the modes. Raises UnsupportedNumerics if there is an error model for none of them."""
        probed: dict[int, ProbedMode] = {}
        refused: dict[int, UnsupportedNumerics] = {}
        of_functions: dict[int, Sequence[Answer]] = {}
        for index, outcome in self._outcomes():
            if isinstance(outcome, OutOfTime):
                continue
            if isinstance(outcome, UnsupportedNumerics) and index < len(self._modes):
                refused[index] = outcome
            elif isinstance(outcome, Exception):
                raise outcome
            elif index >= len(self._modes):
                of_functions[index] = outcome
            else:
                probed[index] = outcome
            self._step("probe the machine", len(probed) + len(refused), len(self._modes))
        if refused and len(refused) == len(self._modes):
            raise refused[min(refused)]
        rows = [probed[index] for index in sorted(probed)]
        complete = len(rows) + len(refused) + len(of_functions) == len(self._questions)
        answers: list[Answer] = [answer for row in rows for answer in row.answers]
        for index in sorted(of_functions):
            answers += of_functions[index]
        refinements = [Refinement(id=row.value, title=title, used=row not in self._left_out) for row, title in TITLES.items()]
        bounds = Bounds(refinements=refinements, assumptions=[*ASSUMPTIONS, *([LIBRARY] if self._assumed else [])]) if rows else None
        reasons = {self._modes[index].id: str(refused[index]) for index in sorted(refused)}
        return ProbedMachine({row.mode.id: row for row in rows}, reasons, [row_of(Probe, answer) for answer in answers], complete, bounds)

    def _outcomes(self) -> Iterator[tuple[int, Any]]:
        if self._asks:
            yield from self._pool.results()
            return
        for index, (ask, arguments) in enumerate(self._questions):
            if self._pool.over:
                return
            try:
                outcome = ask(*arguments)
            except UnsupportedNumerics as error:
                outcome = error
            yield index, outcome
