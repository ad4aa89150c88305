"""A number that is lost to a NaN or an infinity is a fault, unless operands foretold it; it does not foretell itself to the steps behind it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from numeric.machine import ProbedMode
from numeric.sides import both_sides, judge, measure_sides
from numeric.sides.judging import Judged
from numeric.sides.passes import Pass, Patch
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import drawn

CASES = 16
LOST = torch.arange(CASES) % 2 == 0
NUMBERS = [math.nan, math.inf, -math.inf]


def judged(trained: TrainedBlock, probed: ProbedMode, scenario: str = "random") -> Judged:
    block, cases = drawn(trained, probed, CASES, 1, scenario)
    return judge(measure_sides(block, cases, VARIANTS[0], probed))


@contextmanager
def patched_pass(change: Callable[[Pass], Pass]) -> Iterator[None]:
    """Another result of the pass with the right patch; those before it (no patch) and after it (the planted update) stay."""
    honest, calls = both_sides.patched_forward, iter(range(100))
    both_sides.patched_forward = lambda *args, **more: change(honest(*args, **more)) if next(calls) == 1 else honest(*args, **more)
    try:
        yield
    finally:
        both_sides.patched_forward = honest


def spoilt(x: Tensor, number: float) -> Tensor:
    """With one entry of every second case another."""
    x = x.clone()
    x[LOST, 0] = number
    return x


PLACES: dict[str, Callable[[Pass, float], Pass]] = {
    "the first dense layer": lambda p, number: replace(p, layers={**p.layers, "0": spoilt(p.layers["0"], number)}),
    "what is computed again": lambda p, number: replace(p, attended=spoilt(p.attended, number)),
    "the output": lambda p, number: replace(p, output=spoilt(p.output, number), layers={**p.layers, "2": spoilt(p.layers["2"], number)}),
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", PLACES)
def test_what_nothing_foretold_is_violated(place: str, number: float, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    assert set(judged(blocks["attention"], machine["fp32"]).verdict) == {Verdict.HOLDS.value}
    with patched_pass(lambda p: PLACES[place](p, number)):
        found = judged(blocks["attention"], machine["fp32"])
    assert [str(word) for word in found.verdict] == [Verdict.VIOLATED.value if lost else Verdict.HOLDS.value for lost in LOST]
    assert set(found.reason) == {""}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_patched_weight_with_a_number_lost_is_violated(
    number: float, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real pass computes with it, and every module behind reads what came of it."""
    honest = both_sides.numbers

    def lossy(patch: object) -> Patch[Tensor]:
        whole = honest(patch)  # type: ignore[arg-type]
        for name, weight in whole.parameters.items():
            if weight.dim() == 3:
                whole.parameters[name] = torch.where((LOST.reshape(-1, 1, 1) & (torch.arange(weight.shape[-1]) == 0)), number, weight)
        return whole

    monkeypatch.setattr(both_sides, "numbers", lossy)
    for name in ("attention", "attention-skip", "pre-ln", "mixture-of-experts"):
        found = judged(blocks[name], machine["fp32"])
        assert [str(word) for word in found.verdict[LOST.numpy()]] == [Verdict.VIOLATED.value] * int(LOST.sum()), name
        assert set(found.verdict[~LOST.numpy()]) == {Verdict.HOLDS.value}


def test_what_was_foretold_is_refused_as_before(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """The planted negative: an honest overflow is not called a fault."""
    found = judged(blocks["attention"], machine["fp16"], "huge")
    assert (found.reason != "").any()
    assert not (found.verdict == Verdict.VIOLATED.value).any()
    assert not (judged(blocks["attention"], machine["fp32"], "non_finite").verdict == Verdict.VIOLATED.value).any()
