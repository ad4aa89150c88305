"""The check of a block before anything else is believed: in float64, T_W(C, x) is what the patched pass gives without the removed part of the context.

Both ways to run a patched pass must give it, with some tokens left and with none; and no patch, ΔW with z for a, ΔW without the absorber's part, and the
absorber's part without ΔW must not.

What is allowed: the two passes have n roundings behind the cut, one after the other, each of at most u relative to a value that the output depends on with
the condition number κ; so n u κ of the output. n is counted from the shapes. κ is measured: by how much the patched output moves when the parameters of the
patch are moved by a relative 2⁻³⁰, each entry in its own direction. It is no bound, but counts roundings as if they all went the same way.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric.operators.anatomy import Anatomy
from numeric.operators.cut import products_of_line, read_by_w
from numeric.operators.evidence import output_moves, refuse_infinite
from numeric.operators.labels import DATA, MATRIX_PRODUCTS, Made
from numeric.operators.own_parameters import NoBatchedForm
from numeric.operators.patching import at_the_operator, case_by_case
from numeric.operators.recording import Cases, DoubleBlock, Recording
from numeric.operators.refusals import LENGTH, MIXES_CASES, NOT_EQUAL, NOT_NOTICED, NOTHING_ABSORBED, ROWS_LEFT_OUT, SINGULAR, UNAFFECTED, Refusal, RefusedBlock
from numeric.operators.updates import (
    Changes,
    Lifted,
    Mistake,
    absorber_changes,
    absorber_divides,
    as_they_are,
    can_divide,
    missing_from_stream,
    patched_with,
    weight_changes,
)

CHECKED_CASES, CHECKED_TOKENS = 3, 5
REMAINING = (2,)
"""The token that remains where some do."""
NUDGE = 2.0**-30
"""Relative move by which the condition is measured: large against roundoff, small enough for the output to move in proportion."""
DRAWS = 3
MOST_DRAWS = 32
"""Of the small cases, until three have something to check: 96 cases in all, of which one is enough. Where one case in ten has, none does in 25,000 blocks."""
AT_THE_OPERATOR = "at the operator"


Run = Callable[[Lifted, Cases], Tensor]
"""A patched pass."""


@dataclass(frozen=True, slots=True)
class DoubleCheck:
    """What the check found; numbers are of the largest entry of a case's output, the largest over all cases."""

    off: float
    """By how much the patched passes differ from the pass with the context."""
    allowed: float
    noticed: dict[Mistake, float]
    """By how much each wrong patch differs."""
    left_out: dict[Mistake, str]
    """Wrong patches that are none for this block, and why."""
    singular: tuple[str, ...]
    """Without which tokens what W reads is zero, so that no update exists (a ≠ 0 is a hypothesis of the claims)."""
    unaffected: tuple[str, ...]
    """Without which tokens W reads what it reads with them."""
    way: str
    """How patched passes run: at the operator, or case by case and why."""

    @property
    def without_an_update(self) -> tuple[str, ...]:
        """What could not be checked on small cases, in words."""
        each = f"in each of {MOST_DRAWS * CHECKED_CASES} small cases"
        return (
            *(f"no update exists {words}, {each}" for words in self.singular),
            *(f"{words} the output, what W reads or what goes past it is the same {each}" for words in self.unaffected),
        )


def double_check(block: DoubleBlock, anatomy: Anatomy, width: int) -> DoubleCheck:
    """Check a block.  Raises RefusedBlock if the patched pass differs, or a wrong patch does not."""
    off: list[float] = []
    allowed: list[float] = []
    noticed: dict[Mistake, float] = {}
    left_out: dict[Mistake, str] = {}
    nothing: dict[str, Refusal] = {}
    way = ""
    for removed in ([token for token in range(CHECKED_TOKENS) if token not in REMAINING], list(range(CHECKED_TOKENS))):
        found = small_cases(block, anatomy, width, removed)
        if isinstance(found, Refusal):
            nothing[f"without {len(removed)} of {CHECKED_TOKENS} tokens"] = found
            continue
        left, bare = found
        cases, kept = left.cases, bare.cases
        way, run = way_to_patch(block, anatomy, cases)
        update, absorbed = weight_changes(block, anatomy, left, bare), absorber_changes(block, anatomy, left, bare)
        right = patched_with(block, cases.number, update, absorbed)
        outputs = [case_by_case(block, right, kept), run(right, kept)]
        allowed.append(float(allowance(left, anatomy, right, kept, outputs[-1], run).max()))
        off.append(max(float(relative_distance(each, left.output).max()) for each in outputs))
        if not off[-1] <= allowed[-1]:
            why, names = _why_unequal(block, anatomy, left, allowed[-1]), " and ".join(anatomy.cuts[0].names)
            raise RefusedBlock(why, anatomy.cuts[0].place, off=off[-1], allowed=allowed[-1], names=names)
        left_out = not_mistakes(anatomy, left, bare)
        for_a = weight_changes(block, anatomy, left, bare, Mistake.Z_FOR_A)
        for mistake, changes in wrong_patches(update, for_a, absorbed, left_out).items():
            by = float(relative_distance(run(patched_with(block, cases.number, *changes), kept), left.output).max())
            if not by > allowed[-1]:
                raise RefusedBlock(NOT_NOTICED, anatomy.cuts[0].place, patch=mistake.value)
            noticed[mistake] = min(by, noticed.get(mistake, by))
    if not off:
        kind = SINGULAR if SINGULAR in nothing.values() else UNAFFECTED
        raise RefusedBlock(kind, anatomy.cuts[0].place, of=MOST_DRAWS * CHECKED_CASES)
    return DoubleCheck(max(off), max(allowed), noticed, left_out, *_in_words(nothing), way)


def _in_words(nothing: Mapping[str, Refusal]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Without which tokens no update exists, and without which nothing changes."""
    return tuple(words for words, kind in nothing.items() if kind is SINGULAR), tuple(words for words, kind in nothing.items() if kind is UNAFFECTED)


def _why_unequal(block: DoubleBlock, anatomy: Anatomy, left: Recording, allowed: float) -> Refusal:
    """MIXES_CASES if a case alone has another output than among others; LENGTH if the patch is right behind other contexts of the same length;
    ROWS_LEFT_OUT if an operator of the cut reads rows that are not W, too; else NOT_EQUAL.
    """
    cases = left.cases
    if not math.isfinite(allowed):
        return NOT_EQUAL
    alone = torch.cat([block.replay(cases.one(case)) for case in range(cases.number)])
    if not bool((relative_distance(alone, left.output) <= allowed).all()):
        return MIXES_CASES
    assert cases.context is not None
    other = replace(cases, context=torch.randn(cases.context.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    bare = block.record(other)
    patch = patched_with(block, cases.number, weight_changes(block, anatomy, left, bare), absorber_changes(block, anatomy, left, bare))
    if bool((relative_distance(case_by_case(block, patch, other), left.output) <= allowed).all()):
        return LENGTH
    return NOT_EQUAL if all(bool(cut.columns.all()) for cut in anatomy.cuts) else ROWS_LEFT_OUT


def small_cases(block: DoubleBlock, anatomy: Anatomy, width: int, removed: Sequence[int]) -> tuple[Recording, Recording] | Refusal:
    """The passes with the context and without its removed part, of the first cases in which there is something to check: what the patch is divided by
    is not zero (not all hidden units are dead, for one), and what is removed matters to W, or to the output if W does not read the context.

    Otherwise why there are none: UNAFFECTED, SINGULAR. Raises RefusedBlock where the absorber takes nothing.
    """
    found: Cases | None = None
    reasons: list[Refusal] = []
    for seed in range(CHECKED_TOKENS, CHECKED_TOKENS + MOST_DRAWS):
        drawn = torch.randn((CHECKED_CASES, CHECKED_TOKENS + 1, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        cases = Cases(drawn[:, :-1].clone(), drawn[:, -1].clone(), torch.arange(CHECKED_TOKENS + 1))
        left, bare = block.record(cases), block.record(cases.without(removed))
        for each in (left, bare):
            refuse_infinite(each)
        usable, missing = _usable(block, anatomy, left, bare)
        if bool(usable.all()):
            return left, bare
        reasons += missing
        if bool(usable.any()):
            found = cases.some(usable) if found is None else found.beside(cases.some(usable))
        if found is not None and found.number >= CHECKED_CASES:
            found = found.some(torch.arange(CHECKED_CASES))
            return block.record(found), block.record(found.without(removed))
    if found is not None:
        return block.record(found), block.record(found.without(removed))
    why = Counter(reasons).most_common(1)[0][0]
    if why is NOTHING_ABSORBED:
        assert anatomy.absorber is not None
        raise RefusedBlock(NOTHING_ABSORBED, anatomy.absorber.place, absorber=anatomy.absorber.name, of=MOST_DRAWS * CHECKED_CASES)
    return why


def _usable(block: DoubleBlock, anatomy: Anatomy, left: Recording, bare: Recording) -> tuple[Tensor, list[Refusal]]:
    """In which cases there is something to check, (cases,) bool, and why not in the others."""
    moves = output_moves(left, bare)
    exists, divides = torch.ones_like(moves), torch.ones_like(moves)
    if anatomy.reads_context:
        z, a = (read_by_w(each, anatomy.cuts[0], anatomy.layout) for each in (left, bare))
        exists, moves = can_divide(a) & can_divide(z), moves & (z != a).any(-1)  # by z the wrong patch divides
    if anatomy.stream is not None and bool((exists & moves).any()):
        divides = absorber_divides(block, anatomy, left, bare)
        moves = moves & (missing_from_stream(anatomy, anatomy.stream, left, bare) != 0).any(-1)
    usable = exists & divides & moves
    reasons = zip(exists.tolist(), divides.tolist(), usable.tolist(), strict=True)
    return usable, [SINGULAR if not can else NOTHING_ABSORBED if not absorbs else UNAFFECTED for can, absorbs, fine in reasons if not fine]


def way_to_patch(block: DoubleBlock, anatomy: Anatomy, cases: Cases) -> tuple[str, Run]:
    """How patched passes run."""
    reason = f"{', '.join(anatomy.choices)} choose by a value of the network" if anatomy.choices else ""
    if anatomy.absorber and anatomy.absorber.kind == "several" and not reason:
        reason = f"several operators read {anatomy.absorber.name}, which takes what the stream lacks"
    names = {each.name for each in anatomy.weights} | ({anatomy.absorbed.name} if anatomy.absorbed else set())
    if not reason:
        try:
            at_the_operator(block, anatomy, as_they_are(block, cases.number, names), cases)
        except NoBatchedForm as error:
            reason = str(error)
    if reason:
        return f"case by case: {reason}", lambda patch, kept: case_by_case(block, patch, kept)
    return AT_THE_OPERATOR, lambda patch, kept: at_the_operator(block, anatomy, patch, kept)


def wrong_patches(update: Changes, z_for_a: Changes, absorbed: Changes, left_out: Mapping[Mistake, str]) -> dict[Mistake, tuple[Changes, ...]]:
    """What the wrong patches add to the parameters, but for those that are none.  z_for_a: the update with that mistake."""
    wrong = {
        Mistake.NOTHING: (),
        Mistake.Z_FOR_A: (z_for_a, absorbed),
        Mistake.WITHOUT_ABSORBER: (update,),
        Mistake.ABSORBER_ALONE: (absorbed,),
    }
    return {mistake: changes for mistake, changes in wrong.items() if mistake not in left_out}


def are_mistakes(block: DoubleBlock, wrong: Lifted, right: Lifted, cases: int) -> Tensor:
    """In which cases a patch has other parameters than the right one, (cases,) bool: without the absorber's part it is the right one where δ = 0."""
    names = sorted({*wrong.values, *right.values})
    known = as_they_are(block, cases, names).values
    return torch.stack([(wrong.values.get(name, known[name]) != right.values.get(name, known[name])).any(-1) for name in names]).any(0)


def relative_distance(one: Tensor, other: Tensor) -> Tensor:
    """The largest difference of each case, of the largest entry of its output: (cases,)."""
    apart = (one - other).abs().amax(-1)
    return torch.where(apart == 0, 0.0, apart / other.abs().amax(-1))


def allowance(left: Recording, anatomy: Anatomy, right: Lifted, kept: Cases, output: Tensor, run: Run) -> Tensor:  # what n and κ are read from
    """n u κ of each case: (cases,).  left: the pass with the context; output: of the patched pass."""
    return _roundings(left, anatomy) * torch.finfo(torch.float64).eps / 2 * _condition(right, kept, output, run)


def _roundings(trace: Recording, anatomy: Anatomy) -> int:
    """How many roundings stand one after the other between the cut and the output, at most: of both passes, and of the patch."""
    count = 0
    at_cut = [record for cut in anatomy.cuts for record, _ in products_of_line(trace, cut)]
    for record in trace.records:
        if not record.view and (any(record is each for each in at_cut) or record.any(Made.NETWORK)):
            count += in_series(record.step.operator in MATRIX_PRODUCTS, [each.value for each in record.operands if each.made & DATA], record.results)
    d = int(anatomy.weights[0].entries.shape[1])
    return 2 * count + 3 * d


def in_series(product: bool, operands: list[Tensor], results: list[Tensor]) -> int:
    """Roundings of one operator, one after the other: the length of its sums, and one."""
    if product and operands:
        return max(max(x.shape[-2:]) for x in operands) + 1
    read, written = (max((x.numel() for x in each), default=1) for each in (operands, results))
    normalises = len(results) > 1 and results[0].dim() > 0  # it returns its sums, or their like, too
    return 1 + read // max(1, written) + (results[0].shape[-1] if normalises else 0)


def _condition(right: Lifted, kept: Cases, output: Tensor, run: Run) -> Tensor:
    """By how much more than the patched parameters the output of each case moves, relative to its size; at least 1: (cases,)."""
    most = torch.ones(kept.number, dtype=torch.float64)
    for draw in range(DRAWS):
        generator = torch.Generator().manual_seed(draw)
        signs = {name: torch.randint(0, 2, x.shape, generator=generator).double() * 2 - 1 for name, x in right.values.items()}
        moved = Lifted({name: x * (1 + NUDGE * signs[name]) for name, x in right.values.items()})
        most = torch.maximum(most, relative_distance(run(moved, kept), output) / NUDGE)
    return most


def not_mistakes(anatomy: Anatomy, left: Recording, bare: Recording) -> dict[Mistake, str]:
    """The wrong patches that are none."""
    found: dict[Mistake, str] = {}
    if not anatomy.reads_context:
        found[Mistake.Z_FOR_A] = "z does not depend on the context: there is no ΔW"
        found[Mistake.ABSORBER_ALONE] = "z does not depend on the context: there is no ΔW"
    if anatomy.stream is None:
        found[Mistake.WITHOUT_ABSORBER] = "no stream: ΔW alone is patched"
        found[Mistake.ABSORBER_ALONE] = "no stream: ΔW alone is patched"
    z, a = (read_by_w(each, anatomy.cuts[0], anatomy.layout) for each in (left, bare))
    ratio = (z * z).sum(-1) / (a * a).sum(-1)
    if bool(((ratio - 1).abs() <= 2 * z.shape[-1] * torch.finfo(torch.float64).eps).all()):
        found.setdefault(Mistake.Z_FOR_A, "‖z‖² = ‖a‖² up to roundoff, behind a norm without a scale")
    return found
