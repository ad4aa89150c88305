"""What is refused for what was named, or for how the block is written; and every kind of refusal is met by some test."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import double_check, refusals
from numeric.operators.refusals import Refusal, RefusedBlock
from tests.numeric.operators.small_blocks import NETWORK, D, M, Small, attended, mlp, rms, watched


def _plain(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, rms(s))


def _case_by_case(p: nn.Module, x: Tensor) -> Tensor:
    return torch.stack([_plain(p, case[None])[0] for case in x])


def _zero_without_three_tokens(p: nn.Module, x: Tensor) -> Tensor:
    """W reads the sum of all tokens but the last two, times the query."""
    return mlp(p, x[:, :-2].sum(1) * x[:, -1])[:, None]


def _context_alone(p: nn.Module, x: Tensor) -> Tensor:
    """What is returned as the query's output is made of the tokens in front of it."""
    return mlp(p, x[:, :-1].sum(1) if x.shape[1] > 1 else x[:, -1])[:, None]


def _drops_hardly_anything(p: nn.Module, x: Tensor) -> Tensor:
    """With so small a probability that nothing was dropped in the passes that are compared."""
    return _plain(p, F.dropout(x, 1e-9, training=True))


def _drops_nothing(p: nn.Module, x: Tensor) -> Tensor:
    return _plain(p, F.dropout(x, 0.0, training=True))


def test_dropout_of_nothing_is_no_chance() -> None:
    watched(Small(_drops_nothing, **NETWORK))


class Locked(Small):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__(_plain, **NETWORK)
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("build", "first", "kind", "said"),
    [
        (lambda: Small(_plain, **NETWORK, unused=(M, D)), ["unused"], refusals.NO_CUT, "no matrix product reads unused"),
        (lambda: Small(_plain, **NETWORK, unused=(M, D)), ["w", "unused"], refusals.UNREAD, "unused is not read by a product"),
        (lambda: Small(_plain, **NETWORK), ["w[:, :2]"], refusals.PART_OF_A_ROW, "only parts of some rows are W"),
        (lambda: Small(_case_by_case, **NETWORK), ["w"], refusals.CASES_UNKNOWN, "cannot be told apart by case"),
        (lambda: Small(_zero_without_three_tokens, **NETWORK), ["w"], refusals.SINGULAR, "reads zeros with the context or without it"),
        (lambda: Small(_context_alone, **NETWORK), ["w"], refusals.NO_QUERY, "the query does not reach the output beside a context"),
        (lambda: Small(_drops_hardly_anything, **NETWORK), ["w"], refusals.NOT_REPEATABLE, "aten.bernoulli_.float"),
        (Locked, ["w"], refusals.NO_COPY, "cannot be copied to float64: TypeError"),
    ],
    ids=["not read", "one not read", "part of a row", "cases apart", "zeros", "context alone", "rare dropout", "no copy"],
)
def test_what_cannot_be_is_refused_in_one_line(build: Callable[[], nn.Module], first: Sequence[str], kind: Refusal, said: str) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(build(), first)
    assert error.value.kind is kind, str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_of_w_may_be_named_where_the_others_stay_as_they_are() -> None:
    """The twin of a part of a row: half of the rows are W, and the other half reads z, too, which is a leak."""
    with pytest.raises(RefusedBlock) as error:
        watched(Small(_plain, **NETWORK), ["w[:3]"])
    assert error.value.kind is refusals.ROWS_LEFT_OUT
    watched(Small(_plain, **NETWORK), ["w[:3]", "w[3:]"])


def _half_dead(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.relu(F.linear(rms(s), p.w)), p.out)


def test_a_block_whose_units_are_dead_on_some_prompts_is_admitted_whatever_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two units are both dead in a quarter of the cases. With one draw of one case, such blocks would be refused."""
    found = []
    for most, cases in ((double_check.MOST_DRAWS, double_check.CHECKED_CASES), (1, 1)):
        monkeypatch.setattr(double_check, "MOST_DRAWS", most)
        monkeypatch.setattr(double_check, "CHECKED_CASES", cases)
        for seed in range(4):
            module = Small(_half_dead, w=(2, D), out=(D, 2))
            for parameter in module.parameters():
                parameter.data.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
            try:
                block = watched(module)
            except RefusedBlock as error:
                found.append((most, error.kind, "reads out, which takes nothing in most of 1 small cases" in str(error)))
            else:
                assert block.check.off <= block.check.allowed
    assert {*found} == {(1, refusals.NOTHING_ABSORBED, True)}


def test_every_kind_of_refusal_is_met_by_a_test() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    kinds = [name for name, value in vars(refusals).items() if isinstance(value, Refusal)]
    assert len(kinds) > 20
    assert [name for name in kinds if f"refusals.{name}" not in tests and f"import {name}" not in tests and f" {name}," not in tests] == []
