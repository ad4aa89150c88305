"""What a block keeps from one call to the next is refused with what to do; reset in ``call`` it is admitted.

And what is only noted: hooks that run, positions that are not read.
"""

from collections.abc import Callable, Hashable

import pytest
import torch
from torch import Tensor, nn

from numeric.operators import refusals
from numeric.operators.positions import UNREAD_POSITIONS
from numeric.operators.refusals import Refusal, RefusedBlock
from tests.numeric.operators.small_blocks import NETWORK, D, Small, attended, last, mlp, rms, tokens, watched


def _behind(p: nn.Module, x: Tensor) -> Tensor:
    """x: the query after its attention, (batch, 1, d)."""
    return x + mlp(p, rms(x))


class Kept(Small):
    """Attention whose result is kept by a key, and found again."""

    def __init__(self, key: Callable[[Tensor], Hashable]) -> None:
        super().__init__(lambda p, x: _behind(p, p.attention(x)), **NETWORK)
        self.key, self.known = key, dict[Hashable, Tensor]()

    def attention(self, x: Tensor) -> Tensor:
        return self.known.setdefault(self.key(x), (x + attended(x))[:, -1:])


class KeyValueCache(Small):
    """Every call adds its tokens to those that it has seen."""

    def __init__(self) -> None:
        super().__init__(lambda p, x: _behind(p, p.attention(x)), **NETWORK)
        self.seen: Tensor | None = None

    def attention(self, x: Tensor) -> Tensor:
        self.seen = x if self.seen is None else torch.cat([self.seen, x], 1)
        return (x + torch.softmax(x @ self.seen.mT, -1) @ self.seen)[:, -1:]


class StaticCache(KeyValueCache):
    """Tokens are written into a buffer that is read whole: those of a longer context are still in it."""

    def __init__(self, *, clears: bool = False) -> None:
        super().__init__()
        self.clears = clears
        self.register_buffer("cache", torch.zeros(96, 8, D))

    def attention(self, x: Tensor) -> Tensor:
        if self.clears:
            self.cache.zero_()
        self.cache[: len(x), : x.shape[1]] = x
        seen = self.cache[: len(x)]
        return (x + torch.softmax(x @ seen.mT, -1) @ seen)[:, -1:]


def emptied(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    module.seen = None
    return last(module, context, query, positions)


@pytest.mark.parametrize(
    ("build", "kind", "said"),
    [
        (KeyValueCache, refusals.HAS_MEMORY, "reset what it keeps (a key/value cache, a memo) at the beginning of call"),
        (StaticCache, refusals.HAS_MEMORY, "reads what an earlier pass has left behind"),
        (lambda: Kept(lambda x: str(x[:, -1].tolist())), refusals.HAS_MEMORY, "reads what an earlier pass has left behind"),
        (lambda: Kept(lambda x: x.shape), refusals.HAS_MEMORY, "reads what an earlier pass has left behind"),
        (lambda: Kept(lambda x: str(x.tolist())), refusals.HAS_MEMORY, "reads what an earlier pass has left behind"),
    ],
    ids=["a growing cache", "a cache of a fixed length", "by the query", "by the shape", "by all tokens"],
)
def test_what_is_kept_is_refused_in_one_line(build: Callable[[], nn.Module], kind: Refusal, said: str) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(build())
    assert error.value.kind is kind, str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def divided(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last(module, context, query, positions) / 0.0 * 0.0


def test_an_output_that_is_no_number_is_no_memory() -> None:
    """A NaN differs from itself."""
    with pytest.raises(RefusedBlock) as error:
        watched(Table(), call=divided)
    assert error.value.kind is refusals.INFINITE_OUTPUT, str(error.value)


class Table(Small):
    """What is made of no token may be kept: a mask, a table of positions."""

    def __init__(self) -> None:
        super().__init__(lambda p, x: _behind(p, p.attention(x)), **NETWORK)
        self.mask: Tensor | None = None

    def attention(self, x: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = torch.linspace(0, 1, 60, dtype=torch.float64)
        scores = x[:, -1:] @ x.mT + self.mask[: x.shape[1]]
        return x[:, -1:] + torch.softmax(scores, -1) @ x


@pytest.mark.parametrize(
    ("build", "call"), [(KeyValueCache, emptied), (lambda: StaticCache(clears=True), last), (Table, last)], ids=["emptied in call", "cleared", "a table"]
)
def test_what_is_reset_or_made_of_no_token_is_admitted(build: Callable[[], nn.Module], call: Callable[..., Tensor]) -> None:
    watched(build(), call=call)


def _attends(p: nn.Module, x: Tensor) -> Tensor:
    return _behind(p, (x + attended(x))[:, -1:])


def _counts_itself(p: nn.Module, x: Tensor) -> Tensor:
    return _attends(p, x + p.table[: x.shape[1]])


def handing_on(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return _attends(module, tokens(context, query) + module.get_parameter("table")[positions])[:, -1]


def in_order_alone(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """Positions that do not rise are an error, as of a library that sorts by them."""
    if not bool((positions.diff() > 0).all()):
        raise ValueError("positions")
    return last(module, context, query, positions)


@pytest.mark.parametrize(
    ("body", "call", "noted"),
    [(_counts_itself, last, True), (_counts_itself, handing_on, False), (_attends, last, False), (_counts_itself, in_order_alone, False)],
    ids=["counted by the module", "handed on", "none", "checked alone"],
)
def test_positions_that_are_not_read_are_noted_where_the_order_matters(body: Callable[..., Tensor], call: Callable[..., Tensor], noted: bool) -> None:
    block = watched(Small(body, **NETWORK, table=(9, D)), call=call)
    assert (UNREAD_POSITIONS in block.anatomy.notes) is noted
