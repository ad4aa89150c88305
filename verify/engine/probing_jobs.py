"""The machine asked about each mode of a plan, at the shapes of its blocks: in the pool's processes if they have nothing else to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from numeric.architecture import ContextualBlock, asked_shapes
from numeric.machine import BATCH, ProbedMode, UnsupportedNumerics
from numeric.machine.error_model import ASSUMPTIONS, LIBRARY
from numeric.machine.probing import Answer
from numeric.machine.refinements import TITLES
from numeric.rules import assumes_a_library, probe_elementary
from numeric.sides.batch import batch_that_fits
from reports.record.environment import Bounds, Probe, Refinement
from verify.engine.jobs import probe_mode
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
        self._blocks, self._step = blocks, step
        self._shapes, self._device, self._left_out = asked_shapes(blocks), plan.request.device, plan.without
        self._modes = plan.modes if blocks else ()
        self._batch = plan.request.batch or min(map(batch_that_fits, blocks), default=BATCH)
        self._pool, self._asks = pool, pool.uses_processes and not busy
        if self._asks:
            for index, mode in enumerate(self._modes):
                self._pool.submit(index, probe_mode, mode, self._shapes, self._device, self._batch, self._left_out)

    def results(self) -> ProbedMachine:
        """Every answer, in the order of the modes. Raises UnsupportedNumerics if there is an error model for none of them."""
        probed: dict[int, ProbedMode] = {}
        refused: dict[int, UnsupportedNumerics] = {}
        for index, outcome in self._outcomes():
            if isinstance(outcome, OutOfTime):
                continue
            if isinstance(outcome, UnsupportedNumerics):
                refused[index] = outcome
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                probed[index] = outcome
            self._step("probe the machine", len(probed) + len(refused), len(self._modes))
        if refused and len(refused) == len(self._modes):
            raise refused[min(refused)]
        rows = [probed[index] for index in sorted(probed)]
        complete = len(rows) + len(refused) == len(self._modes)
        answers: list[Answer] = [answer for row in rows for answer in row.answers]
        assumed = any(assumes_a_library(block.network) for block in self._blocks)
        if assumed and complete:  # else the time is over, and little will be measured
            widths = tuple(sorted({p for p, _ in self._shapes["shapes"]}))
            for storage in dict.fromkeys(mode.activations for mode in self._modes):
                answers += probe_elementary(storage, self._device, widths=widths)
        refinements = [Refinement(id=row.value, title=title, used=row not in self._left_out) for row, title in TITLES.items()]
        bounds = Bounds(refinements=refinements, assumptions=[*ASSUMPTIONS, *([LIBRARY] if assumed else [])]) if rows else None
        reasons = {self._modes[index].id: str(refused[index]) for index in sorted(refused)}
        return ProbedMachine({row.mode.id: row for row in rows}, reasons, [row_of(Probe, answer) for answer in answers], complete, bounds)

    def _outcomes(self) -> Iterator[tuple[int, ProbedMode | Exception]]:
        if self._asks:
            yield from self._pool.results()
            return
        for index, mode in enumerate(self._modes):
            if self._pool.over:
                return
            try:
                outcome: ProbedMode | Exception = probe_mode(mode, self._shapes, self._device, self._batch, self._left_out)
            except UnsupportedNumerics as error:
                outcome = error
            yield index, outcome
