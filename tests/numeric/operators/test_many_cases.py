"""A watched block on many prompts: right ones are equal in all, wrong updates in none, and what has no update is refused and leaves its neighbours alone."""

from dataclasses import asdict, replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import many_cases, refusals
from numeric.operators.block import WatchedBlock
from numeric.operators.executions import same_numbers
from numeric.operators.many_cases import CASES_AT_ONCE, ManyCases, PromptBatch, cases_at_once, measure_prompts
from numeric.operators.refusals import RefusedBlock
from numeric.operators.updates import Mistake, can_divide
from symbolic import formulas
from tests.numeric.operators.prompts_for_blocks import CLOSING, by_a_loop, near_tokens_alone, prompts, some
from tests.numeric.operators.small_blocks import GATED, RIGHT, D, M, Right, Small, admitted, attended, mlp, rms, watched
from tests.numeric.operators.test_more_blocks import Counting

U = torch.finfo(torch.float64).eps / 2
QUICK = ("gated", "parallel", "no stream")
"""A matrix, a bias without ΔW, and no absorber; the test of a removed part that does not matter has one that runs case by case."""


@cache
def case_by_case() -> WatchedBlock:
    """With a matrix that is read twice, and attention to the last three tokens."""
    return watched(Small(near_tokens_alone, **GATED), ("gate", "up"))


def in_numbers(found: ManyCases) -> dict[str, object]:
    return asdict(found) | {"left_out": None}


def all_equal(block: WatchedBlock, found: ManyCases, refused: int = 0) -> None:
    """Every case is equal, and every wrong patch is noticed, but for some of ‖z‖² for ‖a‖², which are near to each other behind a norm."""
    assert (found.refused, found.unequal) == (refused, 0)
    assert 0 < found.worst <= 1
    assert set(found.planted) == set(Mistake) - set(found.left_out)
    assert all(tried == found.judged for _, tried in found.planted.values())
    for mistake, (noticed, tried) in found.planted.items():
        assert noticed == tried or (mistake is Mistake.Z_FOR_A and 2 * noticed >= tried and block.anatomy.reads_context)


def dead(block: WatchedBlock, batches: list[PromptBatch]) -> int:
    """In how many cases the hidden units ReLU(W z) of "a shared expert" are all zero, so that its output matrix takes nothing."""
    streams = [(x + attended(x))[:, -1] for x in (torch.cat([batch.context, batch.query[:, None]], 1) for batch in batches)]
    return sum(int((F.linear(rms(s), block.double.module.get_parameter("w")) <= 0).all(-1).sum()) for s in streams)


@pytest.mark.parametrize("name", QUICK)
def test_a_right_block_is_equal_on_every_prompt(name: str) -> None:
    """In batches of 4, 1 and 3."""
    block = admitted(name)
    found = measure_prompts(block, [prompts(number, seed=seed) for seed, number in enumerate((4, 1, 3))])
    assert found.cases == 8
    all_equal(block, found)


@pytest.mark.soak
@pytest.mark.parametrize("right", RIGHT, ids=str)
@pytest.mark.parametrize("removed", [(0, 1, 2, 3, 4, 5), (1,), (0, 2, 5)], ids=["the whole context", "one token", "some tokens"])
def test_every_small_block_is_equal_on_every_prompt(right: Right, removed: tuple[int, ...]) -> None:
    block = admitted(right.name)
    batches = [prompts(number, removed, seed=seed) for seed, number in enumerate((17, 1, 30) if right.at_the_operator else (3, 2, 1))]
    all_equal(block, measure_prompts(block, batches), dead(block, batches) if right.name == "a shared expert" else 0)


def _patch(share: float):
    """Of the block "gated", by hand: ΔW (times a share) for both first matrices, δhᵀ/‖h‖² for the last."""

    def patch(p: nn.Module, whole: Tensor, kept: Tensor) -> dict[str, Tensor]:
        s, t = ((x + torch.softmax(x @ x.T, -1) @ x)[-1] for x in (whole, kept))
        z, a = (x / (x.square().mean() + 1e-5).sqrt() for x in (s, t))
        h = F.silu(p.gate @ z) * (p.up @ z)
        first = {name: p.get_parameter(name) + share * torch.outer(p.get_parameter(name) @ (z - a), a) / (a @ a) for name in ("gate", "up")}
        return {**first, "down": p.down + torch.outer(s - t, h) / (h @ h)}

    return patch


def test_what_it_is_off_by_is_what_a_loop_over_cases_gives() -> None:
    """A right update by both ways stays within roundoff; of one that is a hundredth too large both say by how much."""
    block, batch = admitted("gated"), prompts(5)
    right, wrong = (by_a_loop(block.double.module, batch, _patch(share)) for share in (1.0, 1.01))
    assert max(right) < 2.0**-45
    found = measure_prompts(block, [batch], lambda W, delta, a: 1.01 * formulas.rank_one_update(W, delta, a))
    assert found.unequal == sum(off > 2.0**-40 for off in wrong) == 5
    assert abs(found.off - max(wrong)) <= 2.0**-40 * max(wrong)
    nothing = by_a_loop(block.double.module, batch, lambda *_: {})
    assert found.planted[Mistake.NOTHING] == (5, 5)
    assert min(nothing) > 2.0**-20


def z_for_a(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    return (W @ delta) @ a.mT / (a + delta).square().sum(-2, keepdim=True)


WRONG = {
    "an ε in the denominator": lambda W, delta, a: (W @ delta) @ a.mT / (a.mT @ a + 1e-6),
    "‖z‖² for ‖a‖²": z_for_a,
    "rounded to bf16": lambda W, delta, a: formulas.rank_one_update(W, delta, a).bfloat16(),
    "not divided": lambda W, delta, a: (W @ delta) @ a.mT,
    "z's direction": lambda W, delta, a: (W @ delta) @ (a + delta).mT / ((a + delta).mT @ (a + delta)),
    "of the first case": lambda W, delta, a: formulas.rank_one_update(W, delta, a)[:1].expand(len(a), *W.shape),
    "nothing": lambda W, delta, a: torch.zeros_like(formulas.rank_one_update(W, delta, a)),
    "not a number": lambda W, delta, a: formulas.rank_one_update(W, delta, a) * torch.nan,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_update_is_unequal(name: str) -> None:
    """In each case; of the first case alone it is the right one. The same update in other words is equal."""
    found = measure_prompts(admitted("no stream"), [prompts(6)], WRONG[name])
    assert found.unequal == 6 - (name == "of the first case")
    assert not found.worst <= 1


def test_the_update_in_other_words_is_equal() -> None:
    found = measure_prompts(admitted("no stream"), [prompts(6)], lambda W, delta, a: W @ delta @ (a / a.square().sum(-2, keepdim=True)).mT)
    assert (found.unequal, found.refused) == (0, 0)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.soak) if "several" in name or "gate" in name else name for name in CLOSING])
def test_a_case_whose_absorber_takes_nothing_is_refused_and_no_other(name: str) -> None:
    """One such case, and beside it one with a NaN: its neighbours come out as if both were not there, and alone all are refused."""
    build, first = CLOSING[name]
    block, batch = watched(build(), first), prompts(5)
    batch.query[1, 0] = -5.0
    batch.context[3, 4, 2] = torch.nan
    found, without = measure_prompts(block, [batch]), measure_prompts(block, [some(batch, 0, 2, 4)])
    assert (without.cases, without.refused, without.unequal) == (3, 0, 0)
    assert in_numbers(found) == in_numbers(without) | {"cases": 5, "refused": 2}
    assert (alone := measure_prompts(block, [some(batch, 1)])).refused == alone.cases == 1
    assert not alone.planted


def test_a_divisor_is_finite_and_above_what_underflow_takes() -> None:
    """From 2⁻⁹⁷⁰ on, by squares: a sum of squares that are exact, and one that underflow has taken."""
    ends = torch.tensor([2.0**-485, 2.0**-486, 0.0, 2.0**-538, 1.0, 2.0**511, 2.0**512, torch.inf, torch.nan], dtype=torch.float64)
    assert can_divide(ends[:, None]).tolist() == [True, False, False, False, True, True, False, False, False]
    assert can_divide(torch.full((1, 4), 2.0**-486, dtype=torch.float64)).tolist() == [True]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_number_that_is_not_finite_refuses_its_case_alone(value: float) -> None:
    block, batch = admitted("no stream"), prompts(4)
    batch.context[2, 0, 0] = value
    assert in_numbers(measure_prompts(block, [batch])) == in_numbers(measure_prompts(block, [some(batch, 0, 1, 3)])) | {"cases": 4, "refused": 1}


@pytest.mark.parametrize("size", [0.0, 1e-170, 2.0**-490])
def test_where_w_reads_nothing_without_the_removed_part_there_is_no_update(size: float) -> None:
    """z = A(C∖Y, x) is the query itself where no token is left; ‖a‖² is lost to underflow before a is zero. Slightly above that the case is judged."""
    block, batch = admitted("no stream"), prompts(3, tuple(range(6)))
    batch.query[1] *= size
    assert in_numbers(measure_prompts(block, [batch])) == in_numbers(measure_prompts(block, [some(batch, 0, 2)])) | {"cases": 3, "refused": 1}
    batch.query[1] = 2.0**-480
    assert (judged := measure_prompts(block, [batch])).refused == judged.unequal == 0


def test_a_removed_part_that_does_not_matter_is_equal_and_shows_nothing() -> None:
    """Behind a window of three tokens δ is zero, and so is Jᵀδ, which the shares of several operators are divided by."""
    block = case_by_case()
    found = measure_prompts(block, [prompts(2, (0, 1))])
    assert (found.refused, found.unequal) == (0, 0)
    assert all(noticed == 0 for noticed, _ in found.planted.values())
    all_equal(block, measure_prompts(block, [prompts(2, (4, 5))]))


def _tiny_gate(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + torch.where(x[..., :1] < -4, 2.0**-1070, 1.0) * mlp(p, rms(s))


def test_a_patched_pass_that_is_not_a_number_is_unequal_and_never_refused() -> None:
    """The bias takes δ ⊘ 2⁻¹⁰⁷⁰, which overflows, and no divisor of it is zero."""
    block, batch = watched(Small(_tiny_gate, w=(M, D), b=(M,), out=(D, M), c=(D,))), prompts(3)
    assert measure_prompts(block, [batch]).unequal == 0
    batch.query[1, 0] = -4.1
    found = measure_prompts(block, [batch])
    assert (found.refused, found.unequal) == (0, 1)
    assert found.worst != found.worst or found.worst == torch.inf


def _clamped(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, rms(s)).clamp(-4, 4)


def test_what_a_block_does_on_these_prompts_alone_is_unequal() -> None:
    """The network's value is cut off where δ is large, which the few small cases of the check never show."""
    block, batch = watched(Small(_clamped, w=(M, D), b=(M,), out=(D, M), c=(D,))), prompts(4, tuple(range(6)))
    assert measure_prompts(block, [batch]).unequal == 0
    batch.context[2], batch.query[2] = 100.0, 1.0
    assert measure_prompts(block, [batch]).unequal == 1


@pytest.mark.parametrize("after", [2, 3, 11])
def test_a_block_that_counts_is_refused_with_its_words(after: int) -> None:
    """From some pass on it computes otherwise; one that never does so is measured."""
    block = watched(Counting(10**9), ("inner.weight",))
    counting = block.double.module
    counting.changes_at = counting.passes + after
    with pytest.raises(
        RefusedBlock, match=r"the same contexts give other numbers after 4 cases than at the beginning\. A block that remembers, or counts"
    ) as error:
        measure_prompts(block, [prompts(4)])
    assert error.value.kind is refusals.CHANGED_MEANWHILE
    counting.changes_at = 10**9
    assert measure_prompts(block, [prompts(4)]).unequal == 0


def test_a_memory_that_makes_a_number_of_a_nan_is_seen() -> None:
    """0 for NaN, and the largest number for ∞: what ``nan_to_num`` would make of them."""
    block, batch = watched(Counting(10**9), ("inner.weight",)), prompts(2)
    for before, now in ((torch.nan, 0.0), (torch.inf, torch.finfo(torch.float64).max)):
        one, other = (torch.tensor([x, 1.0], dtype=torch.float64) for x in (before, now))
        assert not same_numbers(one, other)
        assert same_numbers(one, one.clone())
    batch.context[0] = torch.nan
    assert measure_prompts(block, [batch]).refused == 1


class CachedByShape(nn.Module):
    """From some time on it returns what it computed first for tokens of that shape."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(D, M), nn.Linear(M, D)
        self.begun = False
        self.seen: dict[object, Tensor] = {}
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        made = s + self.outer(F.gelu(self.inner(rms(s))))
        return self.seen.setdefault(x.shape, made) if self.begun else made


def test_a_cache_that_begins_late_never_passes() -> None:
    """What it keeps of the unpatched pass is what the patched one gets."""
    block = watched(CachedByShape(), ("inner.weight",))
    assert measure_prompts(block, [prompts(3)]).unequal == 0
    block.double.module.begun = True
    assert measure_prompts(block, [prompts(3)]).unequal == 3


def _branching(p: nn.Module, x: Tensor) -> Tensor:
    far = float(x.abs().max()) > 10
    s = x + attended(x)
    y = mlp(p, rms(s))
    if far:
        return 0.5 * y + s
    return s + y


def test_a_branch_that_was_not_taken_before_is_refused_by_its_line() -> None:
    block, batch = watched(Small(_branching, w=(M, D), b=(M,), out=(D, M), c=(D,))), prompts(2)
    assert measure_prompts(block, [batch]).unequal == 0
    batch.query[1, 0] = 11.0
    with pytest.raises(RefusedBlock, match=r"test_many_cases.py:\d+.*is executed or not, depending on the context") as error:
        measure_prompts(block, [batch])
    assert error.value.kind is refusals.BRANCH


def test_no_batch_is_no_case() -> None:
    assert in_numbers(measure_prompts(admitted("gated"), [])) == in_numbers(ManyCases())


def test_how_many_cases_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as their patched parameters have room, one at least; three where patched passes run case by case."""
    block = admitted("gated")
    taken = 3 * M * D * 8
    for room, number in ((2**28, CASES_AT_ONCE), (5 * taken, 5), (5 * taken - 1, 4), (1, 1)):
        monkeypatch.setattr(many_cases, "LARGEST_PATCHES", room)
        assert cases_at_once(block) == number
    assert cases_at_once(case_by_case()) == 3


def test_wrong_patches_that_are_none_are_left_out_with_the_reason() -> None:
    found = measure_prompts(admitted("parallel"), [prompts(2)])
    assert set(found.left_out) == {Mistake.Z_FOR_A, Mistake.ABSORBER_ALONE}
    assert all("there is no ΔW" in why for why in found.left_out.values())
    assert found.planted == {Mistake.NOTHING: (2, 2), Mistake.WITHOUT_ABSORBER: (2, 2)}


def test_a_patch_that_lacks_its_absorber_is_unequal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted one: without Δp nothing is equal, and what is left out is then no mistake."""
    monkeypatch.setattr(many_cases, "absorber_changes", lambda *_: {})
    assert measure_prompts(admitted("gated"), [prompts(3)]).unequal == 3


def test_prompts_keep_their_positions() -> None:
    seen: list[Tensor] = []

    def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
        seen.append(positions)
        tokens = query[:, None] if context is None else torch.cat([context, query[:, None]], 1)
        return module(tokens / (1 + positions[:, None]))[:, -1]

    block = watched(Small(lambda p, x: mlp(p, attended(x)), w=(M, D), b=(M,), out=(D, M), c=(D,)), call=call)
    seen.clear()
    assert measure_prompts(block, [replace(prompts(2), removed=(1, 2, 4))]).unequal == 0
    assert {tuple(each.tolist()) for each in seen} == {(0, 1, 2, 3, 4, 5, 6), (0, 3, 5, 6)}


def test_a_batch_keeps_its_prompts() -> None:
    batch: PromptBatch = prompts(3)
    before = (batch.context.clone(), batch.query.clone())
    measure_prompts(admitted("gated"), [batch])
    assert torch.equal(batch.context, before[0])
    assert torch.equal(batch.query, before[1])
