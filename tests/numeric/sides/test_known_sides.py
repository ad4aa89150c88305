"""What is taken from sides of the same batch that are known already, of the same variant or of another: the same bits as measured alone."""

from dataclasses import fields
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from numeric.sides import Sides, both_sides, measure_sides
from numeric.sides.both_sides import Passes
from numeric.sides.passes import patched_forward
from numeric.sides.variant import VARIANTS, Variant
from tests.numeric.sides.test_both_sides_exactly import found, setting
from tests.real_blocks.cases import ROUNDINGS

SITES = ("z", "a", "again", "moved", "effect", "output_change", "expected")


def numbers(sides: Sides) -> list[Tensor]:
    """Every number of both sides, and of what they are read from."""
    every = [getattr(sides, name) for name in SITES]
    for side in (sides.left, sides.right, sides.wrong):
        every += [side.first_layer.value, side.first_layer.radius, side.output.value, side.output.radius]
    assert sides.passes is not None
    for name in ("left", "unpatched", "right", "wrong"):
        one = getattr(sides.passes, name)
        every += [one.attended, one.carried, one.output, *one.layers.values()]
    return [*every, sides.passes.reference]


def same(one: Sides, other: Sides) -> bool:
    pairs = zip(numbers(one), numbers(other), strict=True)
    return all(torch.equal(a.double().nan_to_num(nan=-1.0), b.double().nan_to_num(nan=-1.0)) for a, b in pairs)


@pytest.mark.parametrize("first", VARIANTS, ids=lambda row: row.id)
def test_sides_are_as_they_are_alone_whatever_is_known(first: Variant) -> None:
    for kind in ("plain", "stream"):
        block, probed = setting(kind, "bf16")
        _, cases = found(kind, "bf16", "none")
        known = measure_sides(block, cases, first, probed)
        for variant in VARIANTS:
            alone = measure_sides(block, cases, variant, probed)
            again = measure_sides(block, cases, variant, probed, known=known)
            assert same(again, alone), (kind, variant.id)
            assert again.passes is not None
            assert again.passes.variant == variant
            assert (variant == first) or not same(again, known), "what is compared tells two variants apart"


def test_of_a_part_the_expected_difference_is_what_it_is_of_all() -> None:
    block, probed = setting("plain", "bf16")
    _, cases = found("plain", "bf16", "none")
    every, some, none = (measure_sides(block, cases, VARIANTS[0], probed, expects=number).expected for number in (None, 3, 0))
    assert bool(torch.isfinite(every).all())
    # The same numbers; but float64's products of three cases may be summed in another order than those of all.
    assert bool(((some[:3] - every[:3]).abs() <= ROUNDINGS * torch.finfo(torch.float64).eps / 2 * every[:3]).all())
    assert bool(torch.isnan(some[3:]).all())
    assert bool(torch.isnan(none).all())
    assert {each.name for each in fields(Passes)} == {"variant", "left", "unpatched", "reference", "right", "wrong"}, "all are compared above"


def test_what_is_known_is_not_run_again() -> None:
    """How often the block runs: another variant has its two patched passes, the same variant none at all."""
    block, probed = setting("plain", "bf16")
    _, cases = found("plain", "bf16", "none")
    formula, scaled, factored = VARIANTS
    known = measure_sides(block, cases, formula, probed)
    for variant, plain, patched in ((formula, 0, 0), (scaled, 0, 2), (factored, 0, 2)):
        with patch.object(both_sides, "forward", wraps=both_sides.forward) as left, patch.object(both_sides, "patched_forward", wraps=patched_forward) as right:
            measure_sides(block, cases, variant, probed, known=known)
        assert (left.call_count, right.call_count) == (plain, patched), variant.id
