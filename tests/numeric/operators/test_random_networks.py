"""Random networks, right and wrong, are judged as an evaluation of the same network by another code judges them."""

import pytest
import torch
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from numeric.operators.double_check import CHECKED_TOKENS
from numeric.operators.refusals import BRANCH, LENGTH, NOT_EQUAL, RefusedBlock
from tests.numeric.operators.random_networks import WRONG, Random, Spec, patched, plain, specs, stream
from tests.numeric.operators.small_blocks import D, watched

SEEN = 2.0**-30
"""Relative difference of two outputs that is no roundoff: far above what is allowed, far below what a wrong network makes."""


def evaluated(spec: Spec, wrong: str) -> float:
    """By how much the patched network without the context differs from the network with it, in a case of its own."""
    p = {name: x.double() for name, x in Random(spec).named_parameters()}
    x = torch.randn((CHECKED_TOKENS + 1, D), generator=torch.Generator().manual_seed(21), dtype=torch.float64)
    s, t = stream(x), stream(x[-1:])
    right = plain(spec, p, s)
    return float((plain(spec, patched(spec, p, s, t), t, wrong) - right).abs().max() / right.abs().max())


def judged_as_evaluated(spec: Spec, wrong: str) -> None:
    off = evaluated(spec, wrong)
    event(f"{wrong}: {'differs' if off > SEEN else 'the same'}")
    module = Random(spec, wrong, fewer_than=CHECKED_TOKENS)
    if off <= SEEN:
        try:
            block = watched(module, spec.first)
        except RefusedBlock as error:  # a bias of zeros is dropped, and with it ``addmm`` becomes ``mm``: another operator is executed
            if (error.kind, wrong) != (BRANCH, "a dropped bias"):
                raise
            return
        assert block.anatomy.absorber is not None
        assert block.anatomy.absorber.name == spec.absorber
        assert block.check.off <= block.check.allowed < SEEN
    else:
        with pytest.raises(RefusedBlock) as error:
            watched(module, spec.first)
        assert error.value.kind in (NOT_EQUAL, LENGTH, BRANCH), str(error.value)


@given(specs, st.sampled_from(WRONG))
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_random_network_is_judged_as_another_evaluation_judges_it(spec: Spec, wrong: str) -> None:
    judged_as_evaluated(spec, wrong)


@pytest.mark.soak
@given(specs, st.sampled_from(WRONG[1:]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_hundred_random_networks_right_and_wrong(spec: Spec, wrong: str) -> None:
    judged_as_evaluated(spec, "none")
    judged_as_evaluated(spec, wrong)


@given(specs)
@settings(max_examples=50, deadline=None)
def test_the_other_code_computes_what_the_module_computes(spec: Spec) -> None:
    """Up to roundoff: two ways to the same numbers, of which only one is watched."""
    module = Random(spec).double()
    p = dict(module.named_parameters())
    x = torch.randn((1, 4, D), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ours, theirs = plain(spec, p, stream(x[0])), module(x)[0, -1]
    assume(bool(torch.isfinite(theirs).all()))
    assert float((ours - theirs).abs().max()) <= 2**10 * torch.finfo(torch.float64).eps * float(theirs.abs().max())
