"""Blocks as they are written: each is admitted with nothing but how it is called and which parameters are W, and what is found is what its formula says."""

import pytest
import torch

from numeric.operators.updates import Mistake
from tests.numeric.operators.small_blocks import RIGHT, Right, admitted, watched


@pytest.mark.parametrize("right", RIGHT, ids=str)
def test_a_right_block_is_admitted_with_the_absorber_of_its_formula(right: Right) -> None:
    """In float64 the patched pass is the pass with the context, and every wrong patch differs by far more than roundoff."""
    block = admitted(right.name)
    absorber = block.anatomy.absorber
    assert (absorber.name if absorber else None, absorber.kind if absorber else None) == (right.absorber, right.kind)
    assert block.anatomy.reads_context is right.reads_context
    assert block.check.way.startswith("at the operator") is right.at_the_operator
    assert block.check.off <= block.check.allowed
    assert Mistake.NOTHING in block.check.noticed
    assert all(noticed > 2**10 * block.check.allowed for noticed in block.check.noticed.values())
    assert set(block.check.noticed) | set(block.check.left_out) == set(Mistake)


def test_every_kind_of_absorber_is_met() -> None:
    assert {right.kind for right in RIGHT} == {"bias", "scale", "matrix", "several", None}


def test_float32_modules_are_left_as_they_were() -> None:
    module = RIGHT[0].build()
    before = {name: x.clone() for name, x in module.named_parameters()}
    watched(module)
    assert all(x.dtype == torch.float32 and torch.equal(x, before[name]) for name, x in module.named_parameters())
