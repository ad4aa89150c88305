"""What the context does may be asleep in the few cases that are watched (a gate is closed in all of them): right blocks are admitted, leaks are refused."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from numeric.operators.many_cases import measure_prompts
from numeric.operators.refusals import RefusedBlock
from numeric.operators.updates import Mistake
from tests.numeric.operators.prompts_for_blocks import LENGTH, prompts
from tests.numeric.operators.small_blocks import GATED, NETWORK, D, Small, attended, gated, mlp, rms, watched

Body = Callable[[nn.Module, Tensor], Tensor]
RARE = 1.2
"""What a normal number exceeds in one case of nine: three small cases are all below it in two blocks of three."""


def _z_behind_a_gate(threshold: float) -> Body:
    def body(p: nn.Module, x: Tensor) -> Tensor:
        s = x + attended(x)
        return s + mlp(p, F.relu(s) * (x[..., :1] > threshold))

    return body


def _z_of_one_token_behind_a_gate(threshold: float) -> Body:
    """The network is given the query's row alone, so that no other token is awake."""

    def body(p: nn.Module, x: Tensor) -> Tensor:
        s = (x + attended(x))[:, -1:]
        return s + mlp(p, F.relu(s) * (x[:, -1:, :1] > threshold))

    return body


def _stream_behind_a_gate(threshold: float) -> Body:
    """Side by side with the network, which reads the query alone: otherwise the context does nothing."""
    return lambda p, x: x + F.relu(x[..., :1] - threshold) * attended(x) + mlp(p, rms(x))


def _second_summand_behind_a_gate(threshold: float) -> Body:
    """What W reads is awake, and what goes past it is not."""
    return lambda p, x: (x + F.relu(x[..., :1] - threshold) * attended(x)) + mlp(p, rms(x + attended(x)))


def _behind_a_matrix(threshold: float) -> Body:
    return lambda p, x: (x + F.relu(x[..., :1] - threshold) * attended(x)) + gated(p, rms(x + attended(x)))


SLEEPING: dict[str, tuple[Callable[[float], Body], dict[str, tuple[int, ...]], tuple[str, ...], str]] = {
    "what W reads": (_z_behind_a_gate, NETWORK, ("w",), "c"),
    "what W reads, of one token": (_z_of_one_token_behind_a_gate, NETWORK, ("w",), "c"),
    "the stream, of a parallel block": (_stream_behind_a_gate, NETWORK, ("w",), "c"),
    "a second summand of the stream": (_second_summand_behind_a_gate, NETWORK, ("w",), "c"),
    "a second summand, into a matrix": (_behind_a_matrix, GATED, ("gate", "up"), "down"),
}


QUICK = ("a second summand of the stream",)


@pytest.mark.parametrize("what", [pytest.param(what, marks=[] if what in QUICK else pytest.mark.soak) for what in SLEEPING])
def test_a_right_block_that_is_asleep_in_most_cases_is_admitted_and_equal(what: str) -> None:
    """How many of the prompts are judged, and in how many a patch without the absorber's part is a mistake, is counted by the gate itself."""
    body, shapes, first, absorber = SLEEPING[what]
    block = watched(Small(body(RARE), **shapes), first)
    assert block.anatomy.absorber is not None
    assert block.anatomy.absorber.name == absorber
    assert block.anatomy.reads_context is not (what == "the stream, of a parallel block")
    batch = prompts(32, tuple(range(LENGTH)))
    found = measure_prompts(block, [batch])
    awake = int((batch.query[:, 0] > RARE).sum())
    assert 0 < awake < 16
    assert found.unequal == 0
    assert all(noticed == tried > 0 or mistake is Mistake.Z_FOR_A for mistake, (noticed, tried) in found.planted.items())
    if what.startswith("what W reads"):
        assert found.judged == int(((batch.query > 0).any(-1) & (batch.query[:, 0] > RARE)).sum())
    else:
        assert (found.judged, found.planted[Mistake.WITHOUT_ABSORBER][1]) == (32, awake) if block.anatomy.reads_context else (found.judged == 32)


@pytest.mark.soak
@settings(max_examples=40, deadline=None, derandomize=True)
@given(what=st.sampled_from(sorted(SLEEPING)), threshold=st.floats(-1, 1.3), seed=st.integers(0, 10**6))
def test_whatever_its_threshold_and_its_weights(what: str, threshold: float, seed: int) -> None:
    body, shapes, first, absorber = SLEEPING[what]
    module = Small(body(threshold), **shapes)
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += torch.randn(parameter.shape, generator=generator)
    block = watched(module, first)
    assert block.anatomy.absorber is not None
    assert block.anatomy.absorber.name == absorber
    found = measure_prompts(block, [prompts(8, seed=seed)])
    assert found.unequal == 0


def _multiplied(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, rms(s)) * (1 + F.relu(s[..., :1] - 3))


def _added_inside(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.gelu(F.linear(rms(s), p.w, p.b)) + F.relu(s[..., :1] - 3), p.out, p.c)


def _behind_the_sum(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return (s + mlp(p, rms(s))) * (1 + F.relu(s[..., :1] - 3))


@pytest.mark.parametrize(
    ("leak", "kind"), [(_multiplied, refusals.NO_SUM), (_added_inside, refusals.NOT_ONE_SUM), (_behind_the_sum, refusals.NO_SUM)], ids=["×", "inside", "behind"]
)
def test_a_leak_that_is_asleep_in_the_watched_cases_is_refused(leak: Body, kind: refusals.Refusal) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(Small(leak, **NETWORK))
    assert error.value.kind is kind, str(error.value)


def _never(p: nn.Module, x: Tensor) -> Tensor:
    """A gate that no small case opens keeps the context from W alone."""
    return (x + attended(x)) + mlp(p, F.relu(attended(x) - 40))


def _never_at_all(p: nn.Module, x: Tensor) -> Tensor:
    return x + mlp(p, F.relu(attended(x) - 40) + x)


def _faint(p: nn.Module, x: Tensor) -> Tensor:
    """What the context does is lost in the last digits."""
    return x + mlp(p, rms(x + 2.0**-48 * attended(x)))


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (_never, refusals.UNAFFECTED, "reads the same with the context and without it in each of 96 small cases, so that ΔA is zero there"),
        (_never_at_all, refusals.NO_CONTEXT, "the context does not reach the output in any of 96 small cases"),
        (_faint, refusals.NOT_NOTICED, "gives the same output as the context"),
    ],
    ids=["past W alone", "nowhere", "faint"],
)
def test_a_context_that_does_nothing_is_refused_as_that(body: Body, kind: refusals.Refusal, said: str) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(Small(body, **NETWORK))
    assert error.value.kind is kind, str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


class ExpertsByModule(nn.Module):
    """One expert a case, by a loop over experts: three cases often choose the same one."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.router = nn.Linear(D, 3)
        self.inner, self.outer = (nn.ModuleList(nn.Linear(D, D) for _ in range(3)) for _ in range(2))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        s = (x + attended(x))[:, -1]
        z = rms(s)
        best, chosen = self.router(z).softmax(-1).max(-1)
        made = torch.zeros_like(z)
        for number in range(3):
            (rows,) = torch.where(chosen == number)
            if len(rows):
                made = made.index_add(0, rows, self.outer[number](F.gelu(self.inner[number](z[rows]))) * best[rows, None])
        return (s + made)[:, None]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_experts_of_which_the_watched_cases_choose_one_are_equal_with_every_expert(seed: int) -> None:
    block = watched(ExpertsByModule(seed), ("router.weight", *(f"inner.{number}.weight" for number in range(3))))
    assert block.anatomy.absorber is not None
    assert block.anatomy.absorber.kind == "several"
    found = measure_prompts(block, [prompts(12, seed=seed)])
    assert (found.unequal, found.refused) == (0, 0)
    assert all(noticed == tried for mistake, (noticed, tried) in found.planted.items() if mistake is not Mistake.Z_FOR_A)
