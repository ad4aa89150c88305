"""The parts of a sweep near zero, each by hand: the cases and their operands, how the interval is halved, what is refused, and what counts as missed."""

import math
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.experiments import near_zero_sweep
from numeric.experiments.near_zero_sweep import SETTLED, SWEPT, Attended, level_at, lowest_exponent, predicted_radius, sweep, timid_by
from numeric.formats import format_named
from numeric.sides import Variant, block_in_format, variants_named
from numeric.sides.range_limits import AT_ANY_DISTANCE, NUMERATOR, range_losses, share_that_fails
from symbolic import formulas
from tests.numeric.experiments.test_near_zero_predictions import Layer, drawn, machine
from tests.numeric.rules.drawn_columns import carefully
from tests.numeric.sides.test_both_sides_exactly import Handing

FORMULA, SCALED = variants_named(["formula", "scaled"])
M, D = 5, 3
INF, NAN = math.inf, math.nan


class Model:
    """A layer that hands out the first token, or half of the query, and normal numbers for tokens."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        network = nn.Sequential(nn.Linear(D, M)).double()
        self.block = ContextualBlock(Handing(), network, "0", input_width=D).eval().requires_grad_(False)

    def tokens(self, cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        context, query = (torch.randn(size, generator=generator, dtype=torch.float64) for size in ((cases, 2, D), (cases, D)))
        return context, query


def attended(*, fits: int = 512) -> tuple[Attended, Model]:
    probed, model = machine("fp32", M, D), Model()
    with patch.object(near_zero_sweep, "batch_that_fits", lambda block: fits):
        subject = SimpleNamespace(block=SimpleNamespace(homogeneous=True), model=model)
        return Attended(subject, block_in_format(model.block, probed), probed, 3), model  # type: ignore[arg-type]


@pytest.mark.parametrize(("fits", "cases"), [(32, 32), (512, SWEPT)])
def test_so_many_cases_as_fit_and_no_more_than_a_sweep_has(fits: int, cases: int) -> None:
    found, _ = attended(fits=fits)
    assert found.cases == cases
    assert len(found.at(0)[1]) == len(found.operands(0)[1]) == cases


@pytest.mark.parametrize("exponent", [0, -7, SETTLED, -149])
def test_the_operands_are_those_of_the_same_prompts_at_each_distance(exponent: int) -> None:
    """A(x) is half of the query, which is multiplied by a power of two: by plain numbers of float64, and of fp32."""
    found, model = attended()
    context, query = model.tokens(SWEPT, torch.Generator().manual_seed(3))
    halves = (query * 0.5).tolist()
    v, e = found.operands(exponent)
    z, a = found.at(exponent)
    W = model.block.first_weight.float()
    for case, half in enumerate(halves):
        power = 2.0 ** -round(math.log2(math.hypot(*half)))
        assert e[case].tolist() == [x * power for x in half]
        rounded = torch.tensor([2.0 * x * power * 2.0**exponent for x in half], dtype=torch.float64).float()
        assert a[case].tolist() == (rounded * 0.5).tolist(), "the query is rounded, and halved in the format"
    assert torch.equal(z, context[:, 0].float())
    assert torch.equal(v, (W @ (z - a).unsqueeze(-1)).squeeze(-1).double())
    assert 0.5**0.5 <= float(e.norm(dim=-1).min()) <= float(e.norm(dim=-1).max()) <= 2.0**0.5


def test_from_where_it_is_settled_on_nothing_changes_that_a_tenth_could_show() -> None:
    """At 2^-20 the difference from 2^-40 is a millionth of WΔA, at 1 it is all of it; and the sum of all losses is compared with a tenth."""
    found, _ = attended()
    settled, near, far = (found.operands(exponent)[0] for exponent in (SETTLED, -20, 0))
    size = settled.abs().amax(-1)
    assert bool(((near - settled).abs().amax(-1) < size * 2.0**-15).all())
    assert bool(((far - settled).abs().amax(-1) > size * share_that_fails(found.probed)).any())


def test_a_prediction_takes_the_effect_at_its_own_distance() -> None:
    """In fp16 z is the a of 2^-9, so that there is no effect at 2^-9, and none to lose; on either side of it v aᵀ underflows."""
    layer = drawn("fp16", 0, (M, D), "dense", -4)
    layer._z[:] = layer._e * 2.0**-9
    v, e = layer.operands(-9)
    assert not bool(v.any())
    settled, _ = layer.operands(SETTLED)
    there = range_losses(settled, e, torch.full((SWEPT,), 2.0**-9, dtype=torch.float64), FORMULA, layer.probed)
    assert bool((sum(there.values()) > share_that_fails(layer.probed)).any()), "were the effect that of a = 0, some would be lost"  # type: ignore[union-attr]
    assert predicted_radius(layer, FORMULA) == (2.0**-10, "(WΔA)aᵀ underflows")


@carefully(20)
@given(st.integers(-155, 0))
def test_halving_finds_the_last_distance_that_fails(threshold: int) -> None:
    """Levels that fail from a distance on: that distance, 1 where all fail, and no number where none does."""
    layer = drawn("fp32", 7, (M, D), "dense", 0)
    asked = []

    def level(_: Attended, __: Variant, exponent: int) -> near_zero_sweep.Level:
        asked.append(exponent)
        return near_zero_sweep.Level(exponent, 0.0, 0.0, 0.0, 0.0, exponent <= threshold)

    with patch.object(near_zero_sweep, "level_at", level), patch.object(near_zero_sweep, "predicted_radius", lambda *_: (0.0, "")):
        found = sweep(layer, FORMULA)
    lowest = lowest_exponent(layer.probed)
    assert found.measured_radius == 2.0**threshold if threshold >= lowest else math.isnan(found.measured_radius)
    assert len(asked) == len(set(asked)), "no distance is measured twice"
    assert max(asked) == 0
    assert [each.exponent for each in found.levels] == sorted(asked, reverse=True)


def test_what_was_missed_is_relative_and_nothing_of_nothing_is_nothing() -> None:
    rows = [[0.5, -2.0], [0.0, 0.0], [NAN, 1.0], [INF, 1.0], [-INF, 0.0], [3.0, 0.0]]
    sizes = [4.0, 0.0, 1.0, INF, NAN, 0.0]
    found = near_zero_sweep._relative(torch.tensor(rows, dtype=torch.float64).unsqueeze(-1), torch.tensor(sizes, dtype=torch.float64))
    assert found.tolist() == [0.5, 0.0, INF, INF, INF, INF]


def test_the_numbers_that_are_held() -> None:
    """As multiples of η = 2^-24 near zero, with eleven bits near 1; e itself where a becomes 0, or passes Ω."""
    probed = machine("fp16", M, D)
    e = torch.tensor([[1.0, 0.3], [0.5, 0.25], [1.0, 0.0]], dtype=torch.float64)
    held = near_zero_sweep._as_held(e, 2.0**-24, probed)
    assert held.tolist() == [[1.0, 0.0], [0.5, 0.25], [1.0, 0.0]], "0.3 η is rounded to 0; η/2 and η/4 are, too, and nothing is left of that case"
    assert near_zero_sweep._as_held(e, 1.0, probed).tolist() == [[1.0, 1229 / 4096], [0.5, 0.25], [1.0, 0.0]]
    assert torch.equal(near_zero_sweep._as_held(e, 0.0, probed), e)
    assert torch.equal(near_zero_sweep._as_held(e, 2.0**18, probed), e)


def test_a_zero_is_refused_whatever_the_update_divides_by() -> None:
    """By an update that divides by nothing, of which no denominator could foretell it."""
    undivided = Variant("undivided", "(WΔA)aᵀ", lambda W, delta, a: (W @ delta) @ formulas.transpose(a))
    layer = drawn("fp32", 3, (M, D), "dense", 0)
    level = level_at(layer, undivided, lowest_exponent(layer.probed))
    assert not bool(layer.at(level.exponent)[1].any())
    assert (level.refused, level.bound) == (1.0, INF)


def test_what_nothing_foretold_is_not_refused() -> None:
    """The planted one: an update whose quotient is NaN in the first case though no operand foretold it is no limit of range; it is judged, and misses."""

    def faulty(W: object, delta: object, a: object) -> object:
        found = formulas.rank_one_update(W, delta, a)  # type: ignore[type-var]
        found.value[0] = NAN  # type: ignore[attr-defined]
        found.hazards.came_out(found.value)  # type: ignore[attr-defined]
        found.hazards.underflow[0] = True  # type: ignore[attr-defined]
        return found

    layer: Layer = drawn("fp32", 3, (M, D), "dense", 0)
    level = level_at(layer, Variant("faulty", "", faulty), 0)
    assert (level.refused, level.error, level.fails) == (0.0, INF, True)


def flushing(update: set[str], layer: set[str]) -> SimpleNamespace:
    """An update in fp16 and a layer in fp32, by the kernels that flush in each."""
    return SimpleNamespace(
        update=SimpleNamespace(storage=format_named("fp16"), flushing=update), layer=SimpleNamespace(storage=format_named("fp32"), flushing=layer)
    )


def test_how_timid_a_prediction_may_be() -> None:
    """½ log₂ 2d + 1 powers of two, for d = 8 three; as many more as the wider format has digits where something flushes; anything, of some limits."""
    plain, by = flushing(set(), set()), "‖a‖² underflows"
    for variant in (FORMULA, SCALED):
        assert timid_by(8, by, variant, plain) == 3.0  # type: ignore[arg-type]
        assert all(timid_by(8, limit, variant, plain) == INF for limit in AT_ANY_DISTANCE)  # type: ignore[arg-type]
    assert (timid_by(8, NUMERATOR, FORMULA, plain), timid_by(8, NUMERATOR, SCALED, plain)) == (3.0, INF)  # type: ignore[arg-type]
    for probed in (flushing({"outer product"}, set()), flushing(set(), {"dense layer"})):
        assert timid_by(8, by, FORMULA, probed) == 27.0  # type: ignore[arg-type]
