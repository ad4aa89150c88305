"""Parts of the sides of a block as it is written, each against rational numbers or entry by entry: what a whole block shows in few cases."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.arithmetics import exact, hazards
from numeric.formats import modes_named
from numeric.machine import probe
from numeric.operator_rules import Bounded, KnownTensors
from numeric.operators.block import WatchedBlock
from numeric.operators.updates import Factor
from numeric.sides import judge
from numeric.sides.entrywise_patches import moved_scale, without_factor
from numeric.sides.noted_rows import Noted
from numeric.sides.written_passes import FormatPass
from numeric.sides.written_sides import ASKED_SHAPES, measure_written_sides
from tests.numeric.sides.test_written_sides import FORMULA, in_format, some_cases
from tests.numeric.sides.test_written_ways import Block, hidden, last

CASES, D = 8, 16


def machine() -> Any:
    (mode,) = modes_named(["fp32"])
    return SimpleNamespace(probed=probe(mode, shapes=ASKED_SHAPES))


def column(block: Any) -> Any:
    drawn = torch.randn((CASES, D, 1), generator=torch.Generator().manual_seed(2))
    return exact(drawn, block.probed.update, hazards(CASES, "cpu"))


@pytest.mark.parametrize("factor", [Factor(1e-5), Factor(1 / 3), Factor(0.1, divides=True)])
def test_what_is_left_of_delta_without_a_factor_lies_within_its_radius(factor: Factor) -> None:
    """Of the rational quotient, or product; and a radius of zero would not do."""
    block: Any = machine()
    delta = column(block)
    made = without_factor(block, delta, factor, None)  # type: ignore[arg-type]  # a number is read in no pass
    assert isinstance(factor.by, float)
    by, apart = Fraction(factor.by), []
    for value, radius, d in zip(
        made.value.flatten().tolist(), made.entry_radius.expand(made.value.shape).flatten().tolist(), delta.value.flatten().tolist(), strict=True
    ):
        apart.append(abs(Fraction(value) - (Fraction(d) * by if factor.divides else Fraction(d) / by)))
        assert apart[-1] <= Fraction(radius)
    assert max(apart) > 0


@pytest.mark.parametrize("shape", [(D,), (1, D), (1, 1, D)])
def test_the_doubts_of_a_scale_lie_as_it_does(shape: tuple[int, ...]) -> None:
    """One entry of h is in doubt; that entry of the scale is, in that case, and its radius lies there, too."""
    block: Any = machine()
    doubts = torch.zeros((CASES, D), dtype=torch.uint8)
    doubts[3, 5] = 1
    value, known = moved_scale(
        block, torch.ones(shape), column(block), Noted(torch.full((CASES, D), 2.0), torch.zeros((CASES, D), dtype=torch.float64), doubts)
    )
    assert value.shape == known.radius.shape == (CASES, *shape)
    assert known.doubts is not None
    assert known.doubts.expand(value.shape).reshape(CASES, D).nonzero().tolist() == [[3, 5]]


def test_entries_that_are_not_the_networks_are_not_known() -> None:
    x, some = torch.ones(2, 4), torch.tensor([True, False, True, False])
    known, plain = KnownTensors(), KnownTensors()
    known.put_some(x, Bounded(torch.ones((), dtype=torch.float64)), some)
    plain.put(x, Bounded(torch.ones((), dtype=torch.float64)))
    for number, mine in enumerate(some.tolist()):
        assert known.holds(x[:, number : number + 1]) == mine
        assert plain.holds(x[:, number : number + 1]), "the planted negative"
    held = known.of(x)
    assert isinstance(held, Bounded)
    assert held.radius.tolist() == [[1.0, 0.0, 1.0, 0.0]] * 2


@pytest.mark.soak
def test_what_joins_the_network_otherwise_in_another_pass_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream, a little of which is added in fp32 alone; without the move the bound is violated."""

    def network(p: Block, s: Tensor, x: Tensor) -> Tensor:
        h = hidden(p, s)
        h = h + 1e-3 * s.mean(-1, keepdim=True) if h.dtype == torch.float32 else h
        return s + F.linear(h, p.w2, p.b2)

    held = WatchedBlock.of(ContextualBlock.of(Block(network).eval(), last, "w1", width=8))

    def verdicts() -> set[str]:
        return set(judge(measure_written_sides(in_format(held, "fp32"), some_cases(held, "fp32", (0, 3)), FORMULA)).verdict)

    assert "VIOLATED" not in verdicts()
    monkeypatch.setattr(FormatPass, "moved_from", lambda self, reference: {})
    assert "VIOLATED" in verdicts()
