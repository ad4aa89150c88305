"""The parts of ``both_sides.py`` of which a radius is no check: what is predicted, planted, measured and said to lie well inside, each by hand."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from numeric.architecture.form import OutputLayers
from numeric.architecture.wiring import INPUT
from numeric.arithmetics import Hazards, exact, hazards
from numeric.blocks.experts import EXPERTS, Experts
from numeric.machine import FP64
from numeric.sides import Batch, both_sides
from numeric.sides.both_sides import computed_again, measure_sides
from numeric.sides.setting import Setting
from numeric.sides.variant import OWN, Variant, variants_named
from symbolic import formulas
from tests.numeric.sides.test_both_sides_exactly import CASES, DRIFTS, KINDS, D, affine, exactly, found, measured, rationals, setting
from tests.numeric.sides.test_output_patch import WIDTH, block_of

(FORMULA,) = variants_named(["formula"])
NEARLY = Fraction(1, 2**40)
"""Of the size of what is summed: 2^13 roundings of fp64, of which no sum here has so many."""

NOTHING = 2.0**-1070
"""Some of float64's smallest numbers, by which whatever is handed on is rounded outward."""


def columns(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).unsqueeze(-1)


W_OF_MOVED = [[1.0, -3.0, 0.75], [0.1, 0.2, -0.3]]
VECTORS = {
    "usual": ([0.5, 2.0, -1.0], [1.0, 0.3, 2.0], [0.01, -0.02, 0.3]),
    "large ε": ([0.5, 2.0, -1.0], [1.0, 0.3, 2.0], [1000.0, 1.0 / 3.0, -7.0]),
    "z near a": ([1.0, 0.3, 2.0 + 2.0**-40], [1.0, 0.3, 2.0], [0.1, 0.7, 0.3]),
    "nothing": ([0.5, 2.0, -1.0], [1.0, 0.3, 2.0], [0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize("which", VECTORS)
def test_what_another_a_moves_is_within_a_radius_of_its_own(which: str) -> None:
    """(WΔA)(aᵀε)/‖a‖² + Wε in rationals; ε itself errs by one rounding."""
    z, a, epsilon = VECTORS[which]
    flags = hazards(1)
    W, theirs, wide, given = exact(torch.tensor(W_OF_MOVED, dtype=torch.float64), FP64, flags), *(exact(columns([x]), FP64, flags) for x in (z, a, epsilon))
    predicted = both_sides._moved(W, theirs, wide, given.value)
    of_given = formulas.perturbation(W, formulas.context_vector(theirs, wide), wide, given).entry_radius.flatten().tolist()
    u = Fraction(1, 2**53)
    p, q, e = ([Fraction(t) for t in each] for each in (z, a, epsilon))
    for row, value, radius, first in zip(W_OF_MOVED, predicted.value.flatten().tolist(), predicted.entry_radius.flatten().tolist(), of_given, strict=True):
        w = [Fraction(t) for t in row]

        def at(errors: list[Fraction], w: list[Fraction] = w) -> Fraction:
            share = sum((x * y for x, y in zip(q, errors, strict=True)), Fraction(0)) / sum(x * x for x in q)
            return sum((t * ((x - y) * share + s) for t, x, y, s in zip(w, p, q, errors, strict=True)), Fraction(0))

        reach = sum(abs(at([t if j == k else Fraction(0) for j, t in enumerate(e)])) * u for k in range(len(e)))  # the worst signs of those roundings
        assert abs(Fraction(value) - at(e)) + reach <= Fraction(radius)
        assert Fraction(first) * (1 - NEARLY) + reach <= Fraction(radius) or which == "nothing", "that of ε beside that of the formula at ε"
        assert (radius <= NOTHING) == (which == "nothing")
        assert Fraction(radius) < abs(at(e)) / 2**40 or which in ("nothing", "z near a"), "and the radius is one"


def test_what_cannot_be_told_bounds_nothing() -> None:
    """a of which ‖a‖² is lost, and one that overflows: no number, and an infinite radius; where ε is 0 there is nothing to tell."""
    flags = hazards(4)
    z, a, epsilon = columns([[1.0], [1.0], [1.0], [1e300]]), columns([[1e-300], [1e300], [1e-300], [1.0]]), columns([[1.0], [1.0], [0.0], [1e300]])
    W = exact(torch.tensor([[2.0]], dtype=torch.float64), FP64, flags)
    predicted = both_sides._moved(W, exact(z, FP64, flags), exact(a, FP64, flags), epsilon)
    assert predicted.value.flatten().tolist() == [0.0] * 4
    assert torch.isfinite(predicted.entry_radius).flatten().tolist() == [False, False, True, False]
    assert predicted.entry_radius.flatten()[2] <= NOTHING


@pytest.mark.parametrize("kind", ["plain", "stream"])
def test_the_radius_of_what_was_predicted_is_its_own_and_the_layers(kind: str) -> None:
    """At the first layer nothing of ε is left in the radius but what the prediction errs by, beside the rule of a dense layer at what it read."""
    (block, probed), (_, cases) = setting(kind, "fp64"), found(kind, "fp64", "none")
    taken: list[Tensor] = []
    with patch.object(both_sides, "_moved", noting(both_sides._moved, taken)), patch.object(both_sides, "_radius_at", noting(both_sides._radius_at, taken)):
        sides = measured(block, cases, probed, "large", "formula")
    own, layer = taken
    for case in range(CASES):
        for radius, *parts in zip(*(rationals(x[case]) for x in (sides.right.first_layer.radius, own, layer)), strict=True):
            assert min(parts) > 0
            assert sum(parts) <= radius <= sum(parts) * (1 + NEARLY)
    assert bool((sides.moved != 0).any(-1).all())


def noting(real: Callable[..., Any], taken: list[Tensor]) -> Callable[..., Any]:
    def note(*operands: object) -> object:
        found = real(*operands)
        taken.append((found if isinstance(found, Tensor) else found.entry_radius).squeeze(-1))
        return found

    return note


@pytest.mark.parametrize("kind", KINDS)
def test_the_planted_update_is_made_with_the_other_vector(kind: str) -> None:
    """(WΔA)zᵀ/‖z‖² in rationals, at â; of a parallel block (δpᵀ/‖p‖²) with p as it came into the ReLU."""
    block, _ = setting(kind, "fp64")
    sides, cases = found(kind, "fp64", "none")
    first, _, last = block.network
    seen = 0
    for case in (~sides.hazards.underflow).nonzero().flatten().tolist():
        z, query = rationals(cases.context[case, 0]), rationals(cases.query[case])
        a = [t / 2 for t in query]
        W = [[Fraction(w) for w in row] for row in first.weight.double().tolist()]
        delta = [p - q for p, q in zip(z, a, strict=True)]
        if kind == "parallel":
            p = affine(first, query)
            h = [max(t, Fraction(0)) for t in p]
            share = sum(s * t for s, t in zip(p, h, strict=True)) / sum(t * t for t in p)
            output = [y + v + t * share for y, v, t in zip(affine(last, h), a, delta, strict=True)]
            assert close(sides.wrong.output.value[case], output)
            continue
        share = sum(s * t for s, t in zip(z, a, strict=True)) / sum(t * t for t in z)
        wanted = [y + sum(w * t for w, t in zip(row, delta, strict=True)) * share for y, row in zip(affine(first, a), W, strict=True)]
        assert close(sides.wrong.first_layer.value[case], wanted)
        seen += not close(sides.right.first_layer.value[case], wanted)
    assert seen or kind == "parallel", "the planted one: the right update is another"
    assert torch.equal(sides.wrong.first_layer.radius, sides.right.first_layer.radius)
    assert torch.equal(sides.wrong.output.radius, sides.right.output.radius)


def close(value: Tensor, wanted: list[Fraction]) -> bool:
    size = max(abs(t) for t in wanted) + 64  # the terms are of the order of 1 to 10
    return all(abs(v - t) <= NEARLY * size for v, t in zip(rationals(value), wanted, strict=True))


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_update_changes_at_the_output(kind: str, drift: str) -> None:
    """The block with its context beside the block without it and without ΔW, in rationals."""
    if kind == "parallel" and drift != "none":
        return
    block, _ = setting(kind, "fp64")
    sides, cases = found(kind, "fp64", drift)
    for case in range(CASES):
        z, query = rationals(cases.context[case, 0]), rationals(cases.query[case])
        _, whole = exactly(block, z, query)
        _, rest = exactly(block, [t / 2 for t in query], query)
        assert close(sides.output_change[case], [abs(s - t) for s, t in zip(whole, rest, strict=True)])


def test_an_update_of_ones_own_is_what_it_returns_for_tensors() -> None:
    """One that is right for values with radii and nothing for tensors: the patched pass then has no update."""
    block, probed = setting("plain", "fp64")
    _, cases = found("plain", "fp64", "none")
    lazy = Variant(OWN, "", lambda W, delta, a: FORMULA.update(W, delta, a) * 0.0 if isinstance(a, Tensor) else FORMULA.update(W, delta, a))
    sides = measure_sides(block, cases, lazy, probed)
    first = block.network[0]
    for case in range(CASES):
        assert close(sides.right.first_layer.value[case], affine(first, rationals(sides.a[case])))
    assert not torch.equal(sides.right.first_layer.value, found("plain", "fp64", "none")[0].right.first_layer.value)


def test_an_update_of_ones_own_has_no_part_in_a_parallel_block() -> None:
    """Its first layer reads no context, and takes nothing; of a plain block the same update is all that there is."""
    wrong = Variant(OWN, "", lambda W, delta, a: FORMULA.update(W, delta, a) * 0.0 if isinstance(a, Tensor) else FORMULA.update(W, delta, a))
    for kind in ("parallel", "plain"):
        block, probed = setting(kind, "fp64")
        right, cases = found(kind, "fp64", "none")
        one, other = (sides.right.output.value.nan_to_num() for sides in (measure_sides(block, cases, wrong, probed), right))
        assert torch.equal(one, other) is (kind == "parallel")


def test_a_given_a_is_computed_again() -> None:
    block, probed = setting("plain", "bf16")
    _, cases = found("plain", "bf16", "none")
    _, a, _ = computed_again(block, cases, FORMULA, probed, lambda block, cases, probed: cases.query * 0.25)
    assert torch.equal(a, cases.query * 0.25)


def test_a_case_that_is_undecided_or_hides_an_overflow_is_not_well_inside() -> None:
    block, probed = setting("plain", "fp64")
    _, cases = found("plain", "fp64", "none")

    def marked(count: int, device: str = "cpu") -> Hazards:
        flags = hazards(count, device)
        flags.hidden[0], flags.undecided[1] = True, True
        return flags

    with patch.object(both_sides, "hazards", marked):
        sides = measure_sides(block, cases, FORMULA, probed)
    assert sides.well_inside.tolist() == [False, False] + [True] * (CASES - 2)


@pytest.mark.parametrize("kind", ["stream without a last bias", "parallel", "plain"])
def test_an_output_matrix_is_well_inside_where_what_it_multiplies_is_known(kind: str) -> None:
    """‖radius‖ up to an eighth of ‖h‖ and no more; and the limits of range of δhᵀ/‖h‖², as of the first layer's."""
    block, probed = setting(kind, "fp64")
    _, cases = found(kind, "fp64", "none")
    made: Setting = both_sides._setting(block, cases, FORMULA, probed)
    near = torch.tensor([1.0 - 2.0**-40, 1.0 + 2.0**-40, *[0.5] * 6], dtype=torch.float64)
    h = torch.zeros((CASES, 6, 1), dtype=torch.float64)
    h[:, :2, 0] = torch.tensor([8.0, 0.0], dtype=torch.float64)
    radius = torch.zeros_like(h)
    radius[:, 5, 0] = near
    flags = hazards(CASES)
    lost = torch.ones((CASES, D), dtype=torch.float64)
    lost[4] = 2.0**-1070  # an update so small is lost
    effect, a = torch.ones((CASES, 6), dtype=torch.float64), torch.ones((CASES, D), dtype=torch.float64)
    a[5] = 2.0**-540  # ‖a‖² underflows
    h[6, :, 0] *= 2.0**-540
    radius[6] *= 2.0**-540
    values = {INPUT: exact(h[:, :D], FP64, flags), **{call.name: exact(h, FP64, flags, radius=radius) for call in made.calls}}
    found_inside = both_sides._well_inside(made, effect, a, lost, values).tolist()
    of_matrix = [True, False, True, True, False, True, False, True] if kind != "plain" else [True] * CASES
    of_first = [j != 5 for j in range(CASES)] if kind != "parallel" else [True] * CASES
    assert found_inside == [p and q for p, q in zip(of_matrix, of_first, strict=True)]


def test_each_expert_is_asked_for_its_share() -> None:
    """What has to be well inside is δ over Σγ of the chosen gates, in the pass with the context."""
    torch.manual_seed(1)
    block = block_of(Experts(WIDTH, 2), ("router", *(f"experts.{k}.0" for k in range(EXPERTS))), parallel=False)
    _, probed = setting("plain", "fp64")
    drawn = torch.randn((2, 4, WIDTH), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    asked: list[Tensor] = []

    def note(made: Setting, effect: Tensor, a: Tensor, target: Tensor, values: object) -> Tensor:
        asked.append(target)
        return torch.ones(len(a), dtype=torch.bool)

    with patch.object(both_sides, "_well_inside", note):
        measure_sides(block, Batch(drawn[0].unsqueeze(1), None, drawn[1]), FORMULA, probed)
        measure_sides(setting("stream", "fp64")[0], found("stream", "fp64", "none")[1], FORMULA, probed)
    without, (_, cases) = found("stream", "fp64", "none")[0], found("stream", "fp64", "none")
    assert without.output_effect is not None
    assert torch.equal(asked[1], without.output_effect), "without gates all of δ"
    assert torch.equal(without.output_effect, (cases.context[:, 0] - cases.query * 0.5).abs())
    router = block.network.get_parameter("router.weight")
    shares = torch.softmax(drawn[0] @ router.mT, dim=-1).topk(2, dim=-1).values.sum(-1, keepdim=True)
    wanted = (drawn[0] - drawn[1] * 0.5).abs() / shares
    assert bool((shares < 0.99).any()), "gates that summed to 1 would say nothing"
    assert bool(((asked[0] - wanted).abs() <= wanted * float(NEARLY)).all())


def test_what_a_block_without_a_stream_hands_on() -> None:
    """Nothing takes what a stream lacks; and of outputs that are no numbers no change is known."""
    for kind in KINDS:
        (block, probed), (_, cases) = setting(kind, "fp64"), found(kind, "fp64", "none")
        made = both_sides._setting(block, cases, FORMULA, probed)
        assert (made.outputs == OutputLayers(None)) is (kind == "plain")
    block, probed = setting("plain", "fp64")
    _, cases = found("plain", "fp64", "none")
    cases.context[0] = torch.inf
    sides = measure_sides(block, cases, FORMULA, probed)
    assert bool(torch.isnan(sides.left.output.value[0]).any())
    assert not bool(torch.isnan(sides.output_change).any())
