"""The check of a block before anything else is believed: in float64, T_W(C, x) is what the patched pass gives without the removed part of the context.

Both ways to run a patched pass must give it, with some tokens left and with none; and no patch, ΔW with z for a, ΔW without the absorber's part, and the
absorber's part without ΔW must not.

What is allowed: the two passes have n roundings behind the cut, one after the other, each of at most u relative to a value that the output depends on with
the condition number κ; so n u κ of the output. n is counted from the shapes. κ is measured: by how much the patched output moves when the parameters of the
patch are moved by a relative 2⁻³⁰, each entry in its own direction. It is no bound, but counts roundings as if they all went the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.anatomy import Anatomy
from numeric.operators.cut import products_of_line, read_by_w
from numeric.operators.labels import DATA, MATRIX_PRODUCTS, Made
from numeric.operators.own_parameters import NoBatchedForm
from numeric.operators.patching import at_the_operator, case_by_case
from numeric.operators.recording import Cases, DoubleBlock, Recording
from numeric.operators.refusals import NOT_EQUAL, NOT_NOTICED, NOTHING_ABSORBED, SINGULAR, RefusedBlock
from numeric.operators.updates import Changes, Lifted, Mistake, absorber_changes, absorber_divides, as_they_are, patched_with, weight_changes

CHECKED_CASES, CHECKED_TOKENS = 3, 5
REMAINING = (2,)
"""The token that remains where some do."""
NUDGE = 2.0**-30
"""Relative move by which the condition is measured: large against roundoff, small enough for the output to move in proportion."""
DRAWS = 3
MOST_DRAWS = 32
"""Of the small cases, until each has something that its absorber can be divided by. Of units that are dead half of the time, two are all dead in a quarter of
the cases, so that 32 draws of three cases all fail once in 10⁷ blocks."""
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
    """Without which tokens what W reads is zero in some case, so that no update exists (a ≠ 0 is a hypothesis of the claims)."""
    way: str
    """How patched passes run: at the operator, or case by case and why."""


def double_check(block: DoubleBlock, anatomy: Anatomy, width: int) -> DoubleCheck:
    """Check a block.  Raises RefusedBlock if the patched pass differs, or a wrong patch does not."""
    left = _with_an_absorber(block, anatomy, width)
    cases = left.cases
    way, run = way_to_patch(block, anatomy, cases)
    off: list[float] = []
    allowed: list[float] = []
    noticed: dict[Mistake, float] = {}
    left_out: dict[Mistake, str] = {}
    singular: list[str] = []
    for removed in ([token for token in range(CHECKED_TOKENS) if token not in REMAINING], list(range(CHECKED_TOKENS))):
        kept = cases.without(removed)
        bare = block.record(kept)
        if anatomy.reads_context and not bool((read_by_w(bare, anatomy.cuts[0], anatomy.layout) != 0).any(-1).all()):
            singular.append(f"without {len(removed)} of {CHECKED_TOKENS} tokens")
            continue
        update, absorbed = weight_changes(block, anatomy, left, bare), absorber_changes(block, anatomy, left, bare)
        right = patched_with(block, CHECKED_CASES, update, absorbed)
        outputs = [case_by_case(block, right, kept), run(right, kept)]
        allowed.append(float(allowance(left, anatomy, right, kept, outputs[-1], run).max()))
        off.append(max(float(relative_distance(each, left.output).max()) for each in outputs))
        if not off[-1] <= allowed[-1]:
            raise RefusedBlock(NOT_EQUAL, anatomy.cuts[0].place, off=off[-1], allowed=allowed[-1])
        left_out = not_mistakes(anatomy, left, bare)
        for_a = weight_changes(block, anatomy, left, bare, Mistake.Z_FOR_A)
        for mistake, changes in wrong_patches(update, for_a, absorbed, left_out).items():
            found = float(relative_distance(run(patched_with(block, CHECKED_CASES, *changes), kept), left.output).max())
            if not found > allowed[-1]:
                raise RefusedBlock(NOT_NOTICED, anatomy.cuts[0].place, patch=mistake.value)
            noticed[mistake] = min(found, noticed.get(mistake, found))
    if not off:
        raise RefusedBlock(SINGULAR, anatomy.cuts[0].place)
    return DoubleCheck(max(off), max(allowed), noticed, left_out, tuple(singular), way)


def _with_an_absorber(block: DoubleBlock, anatomy: Anatomy, width: int) -> Recording:
    """The pass with the context, of the first draw in whose cases the absorber has something to be divided by: not all hidden units are dead, for one."""
    for seed in range(CHECKED_TOKENS, CHECKED_TOKENS + MOST_DRAWS):
        drawn = torch.randn((CHECKED_CASES, CHECKED_TOKENS + 1, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        cases = Cases(drawn[:, :-1].clone(), drawn[:, -1].clone(), torch.arange(CHECKED_TOKENS + 1))
        left = block.record(cases)
        if bool(absorber_divides(block, anatomy, left, block.record(cases.without(range(CHECKED_TOKENS)))).all()):
            return left
    assert anatomy.absorber is not None
    raise RefusedBlock(NOTHING_ABSORBED, anatomy.absorber.place, absorber=anatomy.absorber.name, draws=MOST_DRAWS)


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
