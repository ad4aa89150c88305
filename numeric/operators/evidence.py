"""The passes that are compared: the same block on the same cases again, on contexts that are moved a little, exchanged, and shortened.

A value that is the same in all of them does not depend on the context. All in float64; the moves are of 10⁻⁶, so that no choice changes sides.

A gate that is closed (a ReLU behind the attention, a comparison) keeps the context from a value in some cases, and three cases may all be of that kind. So
where one of them is asleep, three are chosen among 96 that are not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import Tensor

from numeric.operators.executions import CallSite, same_numbers, storage_key
from numeric.operators.labels import DATA, Made
from numeric.operators.recording import Cases, DoubleBlock, Read, Record, Recording
from numeric.operators.refusals import BRANCH, HAS_MEMORY, INFINITE_OUTPUT, NO_CONTEXT, NO_QUERY, NOT_REPEATABLE, RefusedBlock

FEW_CASES, FEW_TOKENS = 3, 4
MOVE = 1e-6
"""Relative size of a move: large against roundoff, small against the distance between two choices."""
TRIES = 3
"""Draws of cases until a move changes no choice of the network."""
SCREENED = 96
"""Cases among which those are chosen that are not asleep. If the context gets through in one case of ten, fewer than three of them do in 1 block of 500."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The passes of one block."""

    block: DoubleBlock
    base: Recording
    moved: Recording
    """Each entry of the context moved by 10⁻⁶ of itself."""
    exchanged: Recording
    """Another context, the same query."""
    one_moved: Recording
    """The first case moved alone, context and query."""
    shortened: Recording
    """Without some of the context's tokens."""
    many: Callable[[], tuple[Recording, Recording]]
    """Passes of many cases, with one context and another, run when they are asked for: what is asleep in the few cases need not be in these."""

    @property
    def chooses_alike(self) -> bool:
        """Whether a move changed no choice."""
        return self.base.places == self.moved.places == self.one_moved.places

    def output(self, replaced: Mapping[Read, Tensor] | None = None, added: Mapping[CallSite, Tensor] | None = None) -> Tensor:
        """The output of the base pass with some values exchanged."""
        return self.block.replay(self.base.cases, replaced, added)

    def matters(self, replaced: Mapping[Read, Tensor] | None = None, added: Mapping[CallSite, Tensor] | None = None) -> bool:
        """Whether the exchange moves the output.

        By a single bit; but where the network chooses by values, the rows of other tokens change the shapes that its kernels are given, and with them the
        order of sums. There a move has to be more than roundoff: MOVE² of the output, for what is exchanged moves by MOVE or more.
        """
        moved = (self.output(replaced, added) - self.base.output).abs()
        return bool((moved > (MOVE**2 * self.base.output.abs().max() if chooses(self.base) else 0)).any())


def nudged(x: Tensor) -> Tensor:
    """Every entry moved by up to 10⁻⁶ of the largest one, each by an amount of its own."""
    generator = torch.Generator().manual_seed(x.numel())
    drawn = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype)
    return x + MOVE * drawn * x.abs().max().clamp_min(torch.finfo(x.dtype).tiny)


Awake = Callable[[Recording, Recording], Tensor]
"""Of two passes, with one context and another: in which cases what is asked about differs, (cases,) bool."""


def output_moves(one: Recording, other: Recording) -> Tensor:
    """Whether the output differs."""
    return (one.output != other.output).any(-1)


def _drawn(width: int, seed: int, cases: int = FEW_CASES, tokens: int = FEW_TOKENS) -> Cases:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn((cases, tokens + 1, width), generator=generator, dtype=torch.float64)
    return Cases(drawn[:, :-1].clone(), drawn[:, -1].clone(), torch.arange(tokens + 1))


def compared_passes(block: DoubleBlock, width: int) -> Evidence:
    """Run the passes.  Raises RefusedBlock for a block that is not repeatable, does not read the context, or branches on it."""
    for seed in range(TRIES):
        cases = _drawn(width, seed)
        found = _compared(block, cases, _another_context(cases, seed))
        if not bool(output_moves(found.base, found.exchanged).all()):
            awake = awake_passes(block, width, output_moves)
            if awake is None:
                raise RefusedBlock(NO_CONTEXT, screened=SCREENED)
            found = awake
        if torch.equal(found.base.output, block.replay(replace(found.base.cases, query=_like(found.base.cases.query, seed + TRIES)))):
            raise RefusedBlock(NO_QUERY)
        if found.chooses_alike:
            return found
    raise RefusedBlock(BRANCH, parting(found.base, found.moved))


def awake_passes(block: DoubleBlock, width: int, awake: Awake) -> Evidence | None:
    """The passes of cases that are awake, chosen among many; None if none of them is."""
    for seed in range(TRIES, 2 * TRIES):
        one, other = _screened(block, width, seed)
        answers = awake(one, other)
        if not bool(answers.any()):
            return None
        chosen = answers.int().argsort(descending=True, stable=True)[:FEW_CASES]
        found = _compared(block, one.cases.some(chosen), other.cases.some(chosen))
        if found.chooses_alike:
            return found
    raise RefusedBlock(BRANCH, parting(found.base, found.moved))


def _screened(block: DoubleBlock, width: int, seed: int) -> tuple[Recording, Recording]:
    cases = _drawn(width, seed, SCREENED)
    return block.record(cases), block.record(_another_context(cases, seed))


def _another_context(cases: Cases, seed: int) -> Cases:
    """The same queries behind other contexts."""
    assert cases.context is not None
    return replace(cases, context=_like(cases.context, seed + TRIES))


def _like(x: Tensor, seed: int) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def _compared(block: DoubleBlock, cases: Cases, others: Cases) -> Evidence:
    """The passes of these cases; others: the same queries behind other contexts.  Raises RefusedBlock for a block that is not repeatable."""
    assert cases.context is not None
    base, again = block.record(cases), block.record(cases)
    refuse_infinite(base)
    _keeps_nothing(base, again)
    if base.places != again.places:  # the first pass makes tables and masks that later ones find
        base, again = again, block.record(cases)
    _repeatable(base, again)
    context, query = cases.context.clone(), cases.query.clone()
    context[0], query[0] = nudged(context[0]), nudged(query[0])
    shortened = block.record(cases.without([0, 2]))
    refuse_infinite(shortened)
    found = Evidence(
        block,
        base,
        block.record(replace(cases, context=nudged(cases.context))),
        block.record(others),
        block.record(Cases(context, query, cases.positions)),
        shortened,
        cache(partial(_screened, block, cases.query.shape[-1], TRIES)),
    )
    _repeatable(shortened, block.record(cases.without([0, 2])))  # behind longer contexts, which a cache may have kept
    return found


def parting(one: Recording, other: Recording) -> CallSite:
    """Where two passes first execute different operators."""
    for mine, theirs in zip(one.records, other.records, strict=False):
        if mine.place != theirs.place:
            return mine.place
    longer = one if len(one.records) > len(other.records) else other
    return longer.records[min(len(one.records), len(other.records))].place


def refuse_infinite(trace: Recording) -> None:
    """Raise RefusedBlock unless the output is finite: a NaN differs from itself, and would be told as something else."""
    if not bool(torch.isfinite(trace.output).all()):
        tokens = 0 if trace.cases.context is None else trace.cases.context.shape[1]
        raise RefusedBlock(INFINITE_OUTPUT, when=f"with {tokens or 'no'} token{'s' * (tokens != 1)} in front of the query")


def _repeatable(one: Recording, other: Recording) -> None:
    """Raise RefusedBlock unless both passes give the same bits; what differs and does not reach the output (a count of passes) is no matter.

    What draws at random is refused by itself: a dropout of so few entries that none was dropped in these passes gives the same bits.
    """
    for record in one.records:
        if _draws(record):
            raise RefusedBlock(NOT_REPEATABLE, record.place, [x for _, x in record.step.tensors])
    if one.places == other.places and torch.equal(one.output, other.output):
        return
    made: dict[int, CallSite] = {}
    for mine, theirs in zip(one.records, other.records, strict=False):
        if mine.place != theirs.place:
            break
        if mine.step.numbers != theirs.step.numbers:
            raise RefusedBlock(HAS_MEMORY, mine.place)
        for a, b in zip(mine.operands, theirs.operands, strict=True):
            x = dict(mine.step.tensors)[a.index]
            if not mine.step.overwrites_only(x) and not same_numbers(a.value, b.value):
                maker = made.get(storage_key(x))
                raise RefusedBlock(NOT_REPEATABLE, maker, [x]) if maker else RefusedBlock(HAS_MEMORY, mine.place, [x])
        for x in (*mine.results, *mine.step.written):
            if not mine.view:
                made[storage_key(x)] = mine.place
    raise RefusedBlock(HAS_MEMORY, parting(one, other) if one.places != other.places else None)


def _keeps_nothing(one: Recording, other: Recording) -> None:
    """Raise RefusedBlock if a pass reads what the one before made of its tokens; masks and tables, which are made of none, may be kept."""
    made = {storage_key(x) for record in one.records for x, labels in zip(record.results, record.labels, strict=True) if labels & DATA}
    kept = made - set(one.outside)
    for record in other.records:
        for _, x in record.step.tensors if not record.view else ():
            if storage_key(x) in kept and storage_key(x) in other.outside:
                if not record.step.overwrites_only(x):
                    raise RefusedBlock(HAS_MEMORY, record.place, [x])
                kept -= {storage_key(x)}


PROBABILITIES = ("p", "dropout_p")
"""How arguments of ATen's operators that draw are named, where 0 or 1 leaves nothing to chance."""


def _draws(record: Record) -> bool:
    """Whether an operator draws from torch's own generator, and something is left to chance; attention without dropout, and dropout of nothing, do not."""
    step = record.step
    if torch.Tag.nondeterministic_seeded not in step.operator.tags or step.kwargs.get("generator") is not None:
        return False
    known = {
        each.name: step.args[place] if place < len(step.args) else step.kwargs.get(each.name, each.default_value)
        for place, each in enumerate(step.operator._schema.arguments)
    }
    certain = [known[name] in (0, 1) for name in PROBABILITIES if name in known]
    return known.get("train") is not False and not (certain and all(certain))


def behind(trace: Recording, place: CallSite) -> list[CallSite]:
    """The operators from a place on."""
    places = trace.places
    return places[places.index(place) :]


def chooses(trace: Recording) -> list[str]:
    """The lines at which a shape or a Python number hangs on a value of the network."""
    return sorted({each.place.line for each in trace.records if any(each.operand(index).made & Made.NETWORK for index in each.step.deciding)})
