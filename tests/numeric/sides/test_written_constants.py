"""What reaches the network in one format alone by a way that no operator shows: it has no bound, and what is the same in every pass is exact."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.operator_rules import NoOperatorRule
from numeric.operators import Execution
from numeric.operators.block import WatchedBlock
from numeric.operators.executions import ATEN, CallSite
from numeric.operators.memory import StorageSet
from numeric.sides import judge
from numeric.sides.written_constants import ReadFromOutside, refuse_another_constant
from numeric.sides.written_sides import measure_written_sides
from tests.numeric.sides.test_written_sides import FORMULA, TOKENS, check_watched, in_format, some_cases
from tests.numeric.sides.test_written_ways import Block, hidden, last

Way = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of the hidden value and of the stream."""

UNSEEN: dict[str, tuple[Way, str]] = {
    "numpy": (lambda p, h, s: h * torch.from_numpy(np.sin(300 * h.detach().numpy())), "cannot be followed"),
    "numpy, through other operators": (lambda p, h, s: h + torch.zeros_like(h[:1]).copy_(torch.from_numpy(h.detach().numpy())[:1] * 2).sin(), "cannot be"),
    "a list": (lambda p, h, s: h * torch.tensor(h.tolist()), "cannot be followed"),
    "random numbers": (lambda p, h, s: h + torch.rand(h.shape[-1]), "cannot be followed"),
    "memory": (lambda p, h, s: h + _kept(p, h), "cannot be followed"),
    "a number": (lambda p, h, s: h * float(s.abs().max()), "a Python number"),
    "the stream": (lambda p, h, s: h + s.mean(-1, keepdim=True) / 8, "by more than roundoff"),
    "the stream, as a factor": (lambda p, h, s: h * (1 + s.mean(-1, keepdim=True) / 8), "by more than roundoff"),
    "a truth value": (lambda p, h, s: torch.where((100 * s[..., :1]).sin() > 0, h, h * 0.5), "chooses inside the network"),
}
SEEN: dict[str, Way] = {
    "a lifted number": lambda p, h, s: h * torch.tensor(0.375),
    "a range": lambda p, h, s: h * torch.arange(h.shape[-1]),
    "an index": lambda p, h, s: h[..., torch.tensor(list(range(h.shape[-1]))[::-1])],
    "numpy of no data": lambda p, h, s: h * torch.from_numpy(np.arange(h.shape[-1]) / 16).to(h.dtype),
    "an attribute": lambda p, h, s: h * p.attribute.to(h.dtype),  # type: ignore[operator]
    "a buffer": lambda p, h, s: h * p.buffer,  # type: ignore[operator]
}


def _kept(p: nn.Module, h: Tensor) -> Tensor:
    """What the call before left."""
    before = getattr(p, "kept", torch.zeros(h.shape[-1]))
    p.kept = h.detach().reshape(-1, h.shape[-1])[0].clone()
    return before


def block(way: Way, formats: tuple[torch.dtype, ...] = (torch.float32,)) -> WatchedBlock:
    """A block that goes this way in some formats."""

    def network(p: Block, s: Tensor, x: Tensor) -> Tensor:
        h = hidden(p, s)
        h = way(p, h, s) if h.dtype in formats else h
        return s + F.linear(h, p.w2, p.b2)

    module = Block(network).eval()
    module.attribute = torch.arange(8, 8 + module.w1.shape[0]) / 16
    module.register_buffer("buffer", torch.arange(8, 8 + module.w1.shape[0]) / 16)
    return WatchedBlock.of(ContextualBlock.of(module, last, "w1", width=8))


@pytest.mark.parametrize("way", [*list(UNSEEN)[:1], *(pytest.param(way, marks=pytest.mark.soak) for way in list(UNSEEN)[1:])])
def test_what_no_operator_shows_and_moves_has_no_bound(way: str) -> None:
    code, why = UNSEEN[way]
    held = block(code)
    with pytest.raises(NoOperatorRule, match=why):
        measure_written_sides(in_format(held, "fp32"), some_cases(held, "fp32", tuple(range(TOKENS))), FORMULA)
    assert "VIOLATED" not in judge(check_watched(held, "bf16", (0, 3))).verdict, "elsewhere it does not go that way"


@pytest.mark.soak
def test_a_number_that_a_patched_parameter_meets_is_compared_with_that_of_the_other_passes() -> None:
    """Its twin, a number that is the same, is a way of ``test_written_ways.py``."""

    def network(p: Block, s: Tensor, x: Tensor) -> Tensor:
        by = float(s.abs().max()) if s.dtype == torch.float32 else 1.0
        return s + (F.linear(hidden(p, s), p.w2) + p.b2 * by)

    held = WatchedBlock.of(ContextualBlock.of(Block(network).eval(), last, "w1", width=8))
    with pytest.raises(NoOperatorRule, match=r"a Python number in aten\.mul"):
        measure_written_sides(in_format(held, "fp32"), some_cases(held, "fp32", tuple(range(TOKENS))), FORMULA)


@pytest.mark.soak
@pytest.mark.parametrize("way", SEEN)
def test_what_is_the_same_in_every_pass_is_exact(way: str) -> None:
    held = block(SEEN[way], (torch.float64, torch.float32))
    for removed in (tuple(range(TOKENS)), (0, 3)):
        assert set(judge(check_watched(held, "fp32", removed)).verdict) == {"HOLDS"}


def read(operator: object, *args: object, followed: tuple[Tensor, ...] = ()) -> ReadFromOutside:
    """One operator of the network, counted as the first of its line."""
    outside, step = ReadFromOutside(StorageSet(followed)), Execution(CallSite("op", "a.py:1", 0), operator, args, {})  # type: ignore[arg-type]
    outside.reads(step, lambda x: False)
    outside.after(step, [args[0]], lambda x: False)  # type: ignore[list-item]
    return outside


def test_a_constant_is_compared_with_that_of_the_other_pass() -> None:
    """Bit for bit, a NaN with a NaN; and what is there in the shorter pass alone is refused."""
    met = Counter({("op", "a.py:1"): 1})
    x, nan = torch.ones(3), torch.tensor([1.0, torch.nan, 1.0])
    made = {
        name: read(ATEN.mul.Tensor, value, 2.0).from_the_end(met)
        for name, value in (("x", x), ("again", x.clone()), ("nan", nan), ("nans", nan.clone()), ("other", x + 2.0**-23), ("double", x.double()))
    }
    assert {place.count for place, _ in made["x"]} == {-1}
    refuse_another_constant(made["x"], made["again"])
    refuse_another_constant(made["nan"], made["nans"])
    refuse_another_constant(made["x"], {})
    for one, other in (("x", "other"), ("x", "double")):
        with pytest.raises(NoOperatorRule, match="cannot be followed"):
            refuse_another_constant(made[one], made[other])
    with pytest.raises(NoOperatorRule):
        refuse_another_constant({}, made["x"])
    with pytest.raises(NoOperatorRule, match="a Python number"):
        refuse_another_constant(read(ATEN.mul.Tensor, x, 2.0).from_the_end(met), read(ATEN.mul.Tensor, x, 3.0).from_the_end(met))
    with pytest.raises(NoOperatorRule, match="cannot be followed"):
        refuse_another_constant(*(read(ATEN.mul.Tensor, torch.tensor([each]), 2.0).from_the_end(met) for each in (0.0, torch.nan)))


def test_a_constant_is_compared_with_those_of_its_line() -> None:
    """Where passes choose by what they compute an operator runs more often in one of them; what it reads is compared all the same."""
    x = torch.ones(3)
    first, second, other = (read(ATEN.mul.Tensor, value, 2.0).from_the_end(Counter({("op", "a.py:1"): met})) for value, met in ((x, 1), (x, 2), (2 * x, 1)))
    refuse_another_constant(first, second, by_line=True)
    with pytest.raises(NoOperatorRule, match="cannot be followed"):
        refuse_another_constant(first, second)
    for one, shorter in ((first, other), ({}, first)):
        with pytest.raises(NoOperatorRule, match="cannot be followed"):
            refuse_another_constant(one, shorter, by_line=True)


def test_what_is_followed_is_not_compared() -> None:
    """A parameter, and what operators make of it; but what they make of a stranger, or draw, is."""
    parameter, stranger = torch.ones(3), torch.ones(3)
    for operator, args, unseen in (
        (ATEN.mul.Tensor, (parameter, 2), False),
        (ATEN.mul_.Tensor, (parameter, stranger), True),
        (ATEN.bernoulli_.float, (parameter,), True),
    ):
        outside = read(operator, *args, followed=(parameter,))
        before = len(outside.from_the_end(Counter()))
        outside.reads(Execution(CallSite("op", "a.py:2", 0), ATEN.neg.default, (parameter,), {}), lambda x: False)
        assert (len(outside.from_the_end(Counter())) > before) == unseen
