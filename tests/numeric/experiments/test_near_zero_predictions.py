"""The predicted radius against the measured one, on layers drawn at random: widths 1 to 64, dense, sparse and one-entry a, W of any magnitude.

A prediction is never more than one power too bold; how many it may be too timid by is what ``near_zero_sweep.py`` says. The limits that are met from
above, or at every distance, are those of a tiny W: of them no more is known than that all may be lost, so where one of them is the gravest, only boldness
is asked about.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from numeric.experiments import near_zero_sweep
from numeric.experiments.near_zero_sweep import SWEPT, Attended, Sweep, effect_of, sweep
from numeric.formats import MODES, in_storage, modes_named, torch_dtype
from numeric.machine import ProbedMode, probe
from numeric.sides import Variant, range_limits, variants_named
from numeric.sides.variant import VARIANTS
from tests.numeric.rules.drawn_columns import carefully, seeds

ON_A_CPU = [mode.id for mode in MODES if "cpu" in mode.runs_on]
FORMULA, SCALED = variants_named(["formula", "scaled"])
EXAMPLES, SOAKED = 1, 30
BOLD = 1
"""Powers of two by which a prediction may lie below the measured radius."""
AT_ANY_DISTANCE = {"ΔW underflows", "an entry of WΔA is rounded to a subnormal operand", "an entry of WΔA overflows as an operand", "WΔA is not finite"}
AT_ANY_DISTANCE |= {"products with ΔW are flushed"}
BEYOND = -1076
"""The exponent that stands for a radius of 0: fp64 holds no such number."""


@cache
def machine(name: str, m: int, d: int) -> ProbedMode:
    return probe(modes_named([name])[0], shapes=((m, d),))


class Layer(Attended):
    """A layer of which ẑ is what it is, and â is e times a power of two."""

    def __init__(self, probed: ProbedMode, weight: Tensor, e: Tensor, z: Tensor) -> None:
        """weight: (m, d); e, z: (SWEPT, d), all float64."""
        self.probed, self._e, self._z, self.cases = probed, e, z, len(e)
        mode = probed.mode
        held = in_storage(weight.to(torch_dtype(mode.weights)), mode.weights)
        self.block = SimpleNamespace(first_weight=held)  # type: ignore[assignment]

    def at(self, exponent: int) -> tuple[Tensor, Tensor]:
        mode = self.probed.mode
        z, a = (in_storage(x.to(torch_dtype(mode.activations)), mode.range) for x in (self._z, self._e * 2.0**exponent))
        return z, a

    def operands(self, exponent: int) -> tuple[Tensor, Tensor]:
        return effect_of(self.block.first_weight, *self.at(exponent), self.probed), self._e


def drawn(name: str, seed: int, shape: tuple[int, int], kind: str, weights: int) -> Layer:
    """kind: whether a is ``dense``, half of it 0, or all but one entry; weights: the exponent of W's entries."""
    (m, d), generator = shape, torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    def uniform(*size: int) -> Tensor:
        return torch.rand(*size, generator=generator, dtype=torch.float64)

    e = normal(SWEPT, d)
    alone = torch.arange(d) == torch.randint(0, d, (SWEPT, 1), generator=generator)
    kept = {"dense": torch.ones(SWEPT, d, dtype=torch.bool), "half": alone | (uniform(SWEPT, d) < 0.5), "one": alone}[kind]
    e = torch.where(kept, e, 0.0)
    e = e / e.norm(dim=-1, keepdim=True) * torch.exp2(uniform(SWEPT, 1) - 0.5)  # ‖e‖ within √2 of 1, as the sweeps' prompts
    return Layer(machine(name, m, d), normal(m, d) * 2.0**weights / math.sqrt(d), e, normal(SWEPT, d))


@st.composite
def layers(draw: st.DrawFn, name: str) -> Layer:
    (mode,) = modes_named([name])
    shape = draw(st.tuples(st.sampled_from([1, 2, 3, 7, 16, 33]), st.sampled_from([1, 2, 3, 5, 8, 17, 32, 64])))
    reach = st.integers(mode.weights.min_exponent, mode.weights.max_exponent - 4)
    return drawn(name, draw(seeds), shape, draw(st.sampled_from(["dense", "half", "one"])), draw(st.one_of(st.integers(-3, 3), reach)))


def exponent(radius: float) -> int:
    return BEYOND if radius == 0.0 else int(math.log2(radius))


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a prediction lies from what was measured, in powers of two; above 0: too timid."""

    powers: int
    allowed: float
    """How timid it may be."""
    found: Sweep


def asked(layer: Layer, variant: Variant) -> Distance:
    found = sweep(layer, variant)
    d, p = layer.at(0)[1].shape[-1], layer.probed.update.storage.significand_bits
    timid = 0.5 * math.log2(2 * d) + 1
    if layer.probed.update.flushing or layer.probed.layer.flushing:
        timid += max(p, layer.probed.layer.storage.significand_bits)
    unknown = found.predicted_by in AT_ANY_DISTANCE or (variant == SCALED and found.predicted_by == "(WΔA)aᵀ underflows")
    assert found.timid_by == (math.inf if unknown else timid), "what the record says of it"
    return Distance(exponent(found.predicted_radius) - exponent(found.measured_radius), math.inf if unknown else timid, found)


def disagreement(name: str, examples: int) -> list[str]:
    """What is wrong with the predictions for some layers, in every variant."""
    wrong = []

    @carefully(examples)
    @given(layers(name))
    def ask(layer: Layer) -> None:
        for variant in VARIANTS:
            distance = asked(layer, variant)
            found = distance.found
            if not -BOLD <= distance.powers <= distance.allowed:
                shape = tuple(layer.block.first_weight.shape)
                wrong.append(f"{name}, {variant.id}, {shape}: predicted {found.predicted_radius}, {found.predicted_by}; measured {found.measured_radius}")

    ask()
    return wrong


@pytest.mark.parametrize("name", ON_A_CPU)
def test_a_prediction_says_where_judging_has_to_stop(name: str) -> None:
    assert disagreement(name, EXAMPLES) == []


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ON_A_CPU)
def test_many_predictions_say_where_judging_has_to_stop(name: str) -> None:
    assert disagreement(name, SOAKED) == []


def test_one_entry_in_fp64() -> None:
    """ρ² errs by half of 2^-1074 at most, which is more than an eleventh of it below ρ² = 5.5·2^-1074, so below 2^-535.7: at 2^-536."""
    found = sweep(drawn("fp64", 0, (7, 5), "one", 0), FORMULA)
    assert (exponent(found.predicted_radius), found.predicted_by) == (-536, "‖a‖² underflows")
    assert abs(exponent(found.measured_radius) + 536) <= BOLD


def test_an_operand_below_the_range_of_tf32() -> None:
    """W = 2^-18 and d = 1: ΔW = v/a is far from Ω where a, of the size of tf32's η = 2^-136, is rounded away; below η/2·10 = 2^-133.7 it may lose a tenth."""
    found = sweep(drawn("tf32", 0, (3, 1), "dense", -18), SCALED)
    assert (exponent(found.predicted_radius), found.predicted_by) == (-134, "an entry of a is rounded to a subnormal operand")
    assert abs(exponent(found.measured_radius) + 134) <= BOLD


def test_a_case_without_an_effect_has_nothing_to_lose() -> None:
    """At d = 1 in bf16 some of 256 z equal their a, and WΔA is 0: so is ΔW, and its product."""
    layer = drawn("bf16", 0, (3, 1), "half", 0)
    layer._z[:] = layer._e
    z, a = layer.at(0)
    assert torch.equal(z, a)
    for variant in (FORMULA, SCALED):
        found = sweep(layer, variant)
        assert not next(level for level in found.levels if level.exponent == 0).fails
        assert abs(exponent(found.predicted_radius) - exponent(found.measured_radius)) <= BOLD


class Flushing(Layer):
    """Its contextual layer returns 0 for what is below the normal numbers, as a kernel that flushes does; the update's arithmetic keeps it."""

    def at(self, exponent: int) -> tuple[Tensor, Tensor]:
        z, a = super().at(exponent)
        return z, torch.where(a.abs() < self.probed.mode.range.smallest_normal, 0.0, a)


def test_a_contextual_layer_that_flushes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the planted negative: a prediction that does not look at what it computes is too bold."""
    kept = drawn("fp32", 0, (3, 1), "dense", -18)
    layer = Flushing(kept.probed, kept.block.first_weight.double(), kept._e, kept._z)
    found = asked(layer, SCALED)
    assert (abs(found.powers), found.found.predicted_by) == (0, near_zero_sweep.COMPUTED_AS_ZERO)
    assert asked(kept, SCALED).found.predicted_by != near_zero_sweep.COMPUTED_AS_ZERO
    monkeypatch.setattr(near_zero_sweep, "_computed_as_zero", lambda *_: False)
    assert asked(layer, SCALED).powers < -BOLD


@pytest.mark.parametrize(
    ("variant", "name", "limit"), [(FORMULA, "fp64", "‖a‖² underflows"), (SCALED, "tf32", "an entry of a is rounded to a subnormal operand")]
)
def test_a_limit_that_is_forgotten_is_noticed(variant: Variant, name: str, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative: a prediction that is too bold."""
    layer = drawn(name, 0, (3, 1), "dense", -18)
    assert -BOLD <= asked(layer, variant).powers <= asked(layer, variant).allowed
    real: Callable[..., dict[str, Tensor]] = range_limits.range_losses
    monkeypatch.setattr(near_zero_sweep, "range_losses", lambda *operands: {key: loss for key, loss in real(*operands).items() if key != limit})
    assert asked(layer, variant).powers < -BOLD


def test_a_limit_that_is_taken_for_nearer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative: a prediction that is too timid."""
    layer, real = drawn("fp32", 0, (3, 2), "dense", 0), near_zero_sweep.range_losses
    monkeypatch.setattr(near_zero_sweep, "range_losses", lambda v, e, rho, *rest: real(v, e, rho / 2.0**6, *rest))
    distance = asked(layer, FORMULA)
    assert not layer.probed.layer.flushing | layer.probed.update.flushing
    assert distance.powers > distance.allowed
