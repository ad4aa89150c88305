"""A user's block on prompts of the user's own: does each context act as the rank-one change of W, in each format?

Every prompt is measured as a cell measures its cases, in batches of the size that the machine was asked about, among copies of the
others. A prompt that is refused, or whose bound could not have noticed a wrong update, is reported as that and does not hold.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from numeric.architecture import asked_shapes
from numeric.arithmetics import check_reference
from numeric.cells import Cell, Measurement, Witness, exclusion_reason, measure_cell, variant_of
from numeric.cells.witness import worst_case
from numeric.formats import Mode, modes_named
from numeric.machine import ProbedMode, probe, use_one_thread
from numeric.machine.environment_questions import plain_switches
from numeric.rules import assumes_a_library, probe_elementary
from numeric.scenarios import scenarios_named
from numeric.sides import Variant, block_in_format
from numeric.sides.batch import batch_that_fits
from numeric.sides.certificate import Enclosure, ExactLayer, agreement
from numeric.sides.variant import OWN
from numeric.user_blocks.admission import own_block
from numeric.user_blocks.user_block import OwnBlock, Update
from numeric.user_blocks.user_code import contained, error_in_words
from symbolic.vocabulary import CallError, Verdict

DEVICE = "cpu"

WHOLE_CONTEXT = "random"
"""The scenario that moves the whole of a drawn context into the weights."""


class UnusablePrompts(CallError):
    """The context or the query has the wrong form."""


@dataclass(frozen=True, slots=True)
class ProbeCache:
    """What the machine has answered so far, so that it is asked once."""

    probed: dict[object, ProbedMode] = field(default_factory=dict)
    libraries: set[object] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Strayed:
    """How far each side of a case is from the exact value at the first dense layer, by ball arithmetic: upper bounds of ‖·‖∞."""

    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """All prompts in one format."""

    format: str
    variant: str
    verdict: Verdict
    """HOLDS only if every prompt does; SKIPPED if the combination makes no sense."""
    reason: str
    """Why not HOLDS; empty if it is."""
    prompts: int
    counts: dict[str, int] = field(default_factory=dict)
    """Prompts by verdict."""
    resolution: float = float("nan")
    """Median over the judged prompts; see ``judging.py``."""
    worst: int | None = None
    """The gravest prompt: a violated one, else the judged one nearest to its bound."""
    error: float = float("nan")
    """Of that prompt, at the first dense layer: ‖left - right‖∞."""
    bound: float = float("nan")
    """The bound on it, ‖·‖∞."""
    ratio: float = float("nan")
    """Its largest error over bound, entry by entry, at the first dense layer."""
    output_ratio: float = float("nan")
    """The same at the block's output."""
    strayed: Strayed | None = None
    """None where a number is not finite."""
    witness: Witness | None = None


class _Prompts:
    """The given prompts, over and over, as a source of contexts."""

    def __init__(self, context: Tensor, query: Tensor) -> None:
        self.context, self.query = context, query
        self.next = 0

    def __call__(self, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.arange(self.next, self.next + cases) % len(self.query)
        self.next += cases
        return self.context[rows], self.query[rows]


def transfers(  # public: what a user calls, with a keyword for each choice
    block: object,
    context: Tensor,
    query: Tensor,
    *,
    formats: Sequence[str] | None = None,
    variant: str | None = None,
    update: Update | None = None,
    name: str = "own",
    machine: ProbeCache | None = None,
) -> list[Transfer]:
    """Measure the prompts in each format; the user's block is left as it is, and what breaks in a format is an ERROR of that format.

    context: (prompts, n, d_in), query: (prompts, d_in), or one prompt without that axis; formats: all of a CPU's if not given; variant: the
    user's own update if there is one, else ``formula``; machine: what is known from before.
    Raises UnusablePrompts, UnusableBlock, UnknownFormat, UnknownVariant, UnsupportedNumerics.
    """
    modes = [mode for mode in modes_named(formats) if DEVICE in mode.runs_on]
    prompts = _Prompts(*_as_batch(context, query))
    known = ProbeCache() if machine is None else machine
    with _as_a_run_computes(), torch.no_grad():
        own = own_block(name, _copied(block), contexts=prompts, update=update)
        chosen = variant_of(own, variant or (OWN if update else "formula"))
        return [_in_mode(own, prompts, mode, chosen, known) for mode in modes]


def _copied(block: object) -> object:
    """A deep copy in which tensors share memory where they do in the block; ``copy.deepcopy`` alone gives every parameter its own, and a tie is lost."""
    memo: dict[int, object] = {}
    for parameter in block.parameters() if isinstance(block, nn.Module) else ():
        if type(parameter) is nn.Parameter:
            memo[id(parameter)] = nn.Parameter(copy.deepcopy(parameter.data, memo), requires_grad=parameter.requires_grad)
    return copy.deepcopy(block, memo)


def _in_mode(own: OwnBlock, prompts: _Prompts, mode: Mode, variant: Variant, known: ProbeCache) -> Transfer:
    (scenario,) = scenarios_named([WHOLE_CONTEXT])
    number = len(prompts.query)
    refused = exclusion_reason(own.block, own.model.block, mode, scenario, variant)
    if refused is not None:
        return Transfer(mode.id, variant.id, Verdict.SKIPPED, refused, number)
    probed = _probed(known, own, mode)
    prompts.next = 0
    try:
        with contained():
            return _transfer(Cell(own, block_in_format(own.model.block, probed), probed, variant, scenario, number))
    except CallError:
        raise
    except Exception as error:  # as in a run: a cell that breaks is reported, and the others go on
        return Transfer(mode.id, variant.id, Verdict.ERROR, error_in_words(error), number)


def _as_batch(context: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    for words, x in (("context", context), ("query", query)):
        if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
            given = f"a tensor of {x.dtype}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
            raise UnusablePrompts(f"the {words} is {given}; give a tensor of floating-point numbers.")
    if context.dim() == 2 and query.dim() == 1:
        context, query = context.unsqueeze(0), query.unsqueeze(0)
    if context.dim() != 3 or query.dim() != 2 or len(context) != len(query) or len(query) == 0:
        shapes = tuple(context.shape), tuple(query.shape)
        raise UnusablePrompts(
            f"context and query have shapes {shapes[0]} and {shapes[1]}; give (prompts, n, d_in) and (prompts, d_in), with a prompt at least."
        )
    return context.detach().to(DEVICE), query.detach().to(DEVICE)


@contextmanager
def _as_a_run_computes() -> Iterator[None]:
    """On one thread, as the machine is asked, with torch's plain switches; all is put back."""
    before = torch.get_num_threads()
    check_reference()
    use_one_thread()
    try:
        with plain_switches(DEVICE):
            yield
    finally:
        torch.set_num_threads(before)


def _probed(known: ProbeCache, own: OwnBlock, mode: Mode) -> ProbedMode:
    """The error models of a mode for this block's shapes."""
    shapes, batch = asked_shapes([own.model.block]), batch_that_fits(own.model.block)
    key = (mode.id, batch, *shapes.values())
    if key not in known.probed:
        known.probed[key] = probe(mode, **shapes, device=DEVICE, batch=batch)
    widths = tuple(sorted({rows for rows, _ in shapes["shapes"]}))
    if assumes_a_library(own.model.block.network) and (mode.activations, widths) not in known.libraries:
        probe_elementary(mode.activations, DEVICE, widths=widths)  # refuses a library that errs by more than is assumed
        known.libraries.add((mode.activations, widths))
    return known.probed[key]


def _transfer(cell: Cell) -> Transfer:
    measurement = measure_cell(cell, seed=0)
    judged = measurement.judged
    gravest = worst_case(judged, cell.cases)
    assert gravest is not None
    place = gravest[1]
    verdict, reason = _verdict(measurement, cell.cases, own=cell.variant.id == OWN)
    return Transfer(
        cell.probed.mode.id,
        cell.variant.id,
        verdict,
        reason,
        cell.cases,
        dict(measurement.counts),
        measurement.resolution,
        worst=place,
        error=float(judged.error[place]),
        bound=float(judged.bound[place]),
        ratio=float(judged.ratio[place]),
        output_ratio=float(judged.output_ratio[place]),
        strayed=_strayed(measurement.witness),
        witness=measurement.witness,
    )


def _verdict(measurement: Measurement, prompts: int, *, own: bool) -> tuple[Verdict, str]:
    """A cell's verdict, and none of HOLDS while a single prompt does not hold.  own: whether the update is the user's."""
    counts, judged = measurement.counts, measurement.judged
    if counts[Verdict.VIOLATED]:
        return Verdict.VIOLATED, f"{counts[Verdict.VIOLATED]} of {prompts} prompts outside their bounds"
    if measurement.verdict is Verdict.VIOLATED:
        fault = "; the fault is the update's, which computes another matrix than ΔW" if own else ""
        return Verdict.VIOLATED, f"a side lies outside its own radius, by ball arithmetic{fault}"
    refused = counts[Verdict.INCONCLUSIVE]
    if refused:
        by_reason = Counter(str(reason) for reason in judged.reason[judged.reason != ""]).most_common()
        reasons, first = ", ".join(f"{name} ({number})" for name, number in by_reason), int(np.flatnonzero(judged.reason != "")[0])
        return Verdict.INCONCLUSIVE, f"{refused} of {prompts} prompts refused (prompt {first} for one, counted from 0), as their operands foretell: {reasons}"
    if counts[Verdict.VACUOUS] or measurement.verdict is not Verdict.HOLDS:
        unseen, blunt = counts[Verdict.VACUOUS] or prompts - measurement.wrong_caught, np.median(judged.resolution)
        return Verdict.VACUOUS, f"the bound could not have noticed a wrong update in {unseen} of {prompts} prompts (resolution {blunt:.3g}; below 1 it could)"
    return Verdict.HOLDS, ""


def _strayed(witness: Witness | None) -> Strayed | None:
    """By how much each side of a witness is off."""
    if witness is None:
        return None
    rows = {name: witness.tensors[name].double().cpu() for name in ("W", "b", "z", "left", "right", "moved")}
    if not all(bool(torch.isfinite(x).all()) for x in rows.values()):
        return None
    z, moved = (rows[name].unsqueeze(0).tolist() for name in ("z", "moved"))
    left, right = ([Enclosure(rows[name].tolist(), [0.0] * len(rows[name]))] for name in ("left", "right"))
    off = agreement(ExactLayer.of(rows["W"], rows["b"]), z, left, right, moved)
    return Strayed(off.left, off.right)
