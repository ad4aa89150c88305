"""Both sides of Corollary 2.3.1 at both ends of every format's range: each case is refused by name, or each side is within its radius of Wz + b.

Hypothesis draws the magnitudes of W, b, z and a over the whole range, and how far apart their entries lie. Wz + b is a fraction of the numbers that the
machine holds, and the right side equals it for every a ≠ 0 (Theorem 2.2), whatever its update does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.arithmetics import Hazards
from numeric.formats import MODES, Format, modes_named
from numeric.machine import ProbedMode, probe
from numeric.sides import Batch, Sides, Variant, block_in_format, in_format, judge, measure_sides
from numeric.sides.variant import VARIANTS
from symbolic.vocabulary import Verdict
from tests.numeric.rules.drawn_columns import carefully, numbers, seeds

SHAPES = ((5, 3), (1, 1), (4, 8))
"""(m, d) of the layers."""
CASES, EXAMPLES, NOTICED, SOAKED = 24, 3, 60, 400
ON_A_CPU = [mode.id for mode in MODES if "cpu" in mode.runs_on]


class Handed(nn.Module):
    """A contextual layer that hands on z, as its context, or a, as its query."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return query if context is None else context[:, 0]


@cache
def machine(name: str) -> ProbedMode:
    return probe(modes_named([name])[0], shapes=SHAPES)


@dataclass(slots=True)
class Tally:
    """What was judged, and what was not."""

    judged: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@st.composite
def entries(draw: st.DrawFn, storage: Format, shape: tuple[int, ...]) -> Tensor:
    """Numbers of the format, of a magnitude anywhere in its range, alike or far apart; some zero."""
    generator = torch.Generator().manual_seed(draw(seeds))
    lowest = storage.min_exponent - storage.significand_bits + 1
    top = draw(st.one_of(st.integers(lowest, storage.max_exponent), st.integers(-4, 4), st.integers(lowest, lowest + 12)))
    made = numbers(storage, shape, generator, (max(lowest, top - draw(st.sampled_from([0, 2, 2 * storage.significand_bits]))), top)).double()
    return torch.where(torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.0, 0.5, 0.9])), 0.0, made)


def measured(data: st.DataObject, probed: ProbedMode, variant: Variant) -> tuple[Sides, Tensor, Tensor]:
    """Cases of one layer, and its W and b as the machine holds them."""
    m, d = data.draw(st.sampled_from(SHAPES))
    held, kept = probed.mode.range, probed.mode.weights
    # Formats that no tensor has are held in fp32.
    plain = {True: lambda row: row, False: lambda row: modes_named(["bf16"])[0].weights}
    drawn = data.draw(entries(plain[kept.native](kept), (m, d))), data.draw(entries(plain[kept.native](kept), (m,)))
    z, a = (data.draw(entries(plain[held.native](held), (CASES, d))) for _ in range(2))
    layer = nn.Linear(d, m).double().requires_grad_(False)
    for parameter, value in zip((layer.weight, layer.bias), drawn, strict=True):
        parameter.copy_(value)
    block = block_in_format(ContextualBlock(Handed(), nn.Sequential(layer), "0", input_width=d), probed)
    sides = measure_sides(block, in_format(block, Batch(z.unsqueeze(1), None, a), probed), variant, probed)
    return sides, block.first_weight, block.first_bias


def asked(name: str, variant: Variant, data: st.DataObject, tally: Tally) -> None:
    """Every case of a batch."""
    sides, W, b = measured(data, machine(name), variant)
    judged = judge(sides)
    rows = [[Fraction(w) for w in row] for row in W.double().tolist()] if bool(torch.isfinite(W).all()) else []
    offsets = [Fraction(t) for t in b.double().tolist()]
    for case in range(CASES):
        if judged.reason[case]:
            tally.reasons[judged.reason[case]] = tally.reasons.get(judged.reason[case], 0) + 1
            continue
        tally.judged += 1
        where = f"{name}, {variant.id}: W = {W.tolist()}, b = {b.tolist()}, z = {sides.z[case].tolist()}, a = {sides.a[case].tolist()}"
        if judged.verdict[case] == Verdict.VIOLATED.value:
            tally.wrong.append(f"{where}: a right update is VIOLATED")
            continue
        z = [Fraction(t) for t in sides.z[case].double().tolist()]
        for side in (sides.left, sides.right):
            values, radii = side.first_layer.value[case].tolist(), side.first_layer.radius[case].tolist()
            for row, offset, value, radius in zip(rows, offsets, values, radii, strict=True):
                true = sum((w * t for w, t in zip(row, z, strict=True)), offset)
                if radius != float("inf") and abs(Fraction(value) - true) > Fraction(radius):
                    tally.wrong.append(f"{where}: {value} is farther than {radius} from the exact number")


def asked_often(name: str, examples: int) -> Tally:
    tally = Tally()

    @carefully(examples)
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        asked(name, data.draw(st.sampled_from(VARIANTS)), data, tally)

    ask()
    return tally


@pytest.mark.parametrize("name", ON_A_CPU)
def test_a_case_is_refused_or_both_sides_are_inside(name: str) -> None:
    tally = asked_often(name, EXAMPLES)
    assert not tally.wrong, tally.wrong[:2]
    assert tally.judged > 0, tally.reasons


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ON_A_CPU)
def test_many_cases_are_refused_or_inside(name: str, record_property: Callable[[str, object], None]) -> None:
    tally = asked_often(name, SOAKED)
    record_property("tally", f"{tally.judged} judged, refused: {tally.reasons}")
    assert not tally.wrong, tally.wrong[:2]
    assert tally.judged > SOAKED * CASES / 8, tally.reasons


def test_an_error_model_that_knows_of_no_underflow_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative at the lower end."""
    machine("fp16")
    monkeypatch.setattr(Format, "half_subnormal", property(lambda row: 0.0))
    assert asked_often("fp16", NOTICED).wrong


def test_an_overflow_that_nobody_foretells_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative at the upper end."""
    monkeypatch.setattr(Hazards, "overflowed", lambda found, finite: torch.zeros_like(finite))
    assert asked_often("fp16", NOTICED).wrong
