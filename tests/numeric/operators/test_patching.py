"""Patched passes at the operator and case by case are the same function; what has no batched form says so; the check notices what only it can see."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import double_check as checked
from numeric.operators import refusals
from numeric.operators.own_parameters import NoBatchedForm
from numeric.operators.patching import at_the_operator, case_by_case
from numeric.operators.recording import Cases
from numeric.operators.refusals import RefusedBlock
from numeric.operators.updates import Changes, Lifted, as_they_are
from tests.numeric.operators.small_blocks import NETWORK, RIGHT, D, Right, Small, admitted, attended, mlp, rms, tokens, watched

BATCHED = [right for right in RIGHT if right.at_the_operator]


def drawn(cases: int = 3, count: int = 4) -> Cases:
    x = torch.randn((cases, count + 1, D), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return Cases(x[:, :-1].clone(), x[:, -1].clone(), torch.arange(count + 1))


def _or_soaked(rights: list[Right]) -> list[object]:
    """Every third by default, all in a long run."""
    return [pytest.param(right, id=right.name, marks=[] if number % 3 == 0 else [pytest.mark.soak]) for number, right in enumerate(rights)]


@pytest.mark.parametrize("right", _or_soaked(BATCHED))
def test_every_parameter_may_be_another_one_in_each_case(right: Right) -> None:
    """All parameters that the patch changes are drawn anew for each case: the batched pass is each case's own pass, up to the order of sums."""
    block = admitted(right.name)
    names = {each.name for each in block.anatomy.weights} | ({block.anatomy.absorbed.name} if block.anatomy.absorbed else set())
    generator = torch.Generator().manual_seed(3)
    as_is = as_they_are(block.double, 3, names)
    patch = Lifted({name: x + 0.3 * torch.randn(x.shape, generator=generator, dtype=torch.float64) for name, x in as_is.values.items()})
    for cases in (drawn(), drawn().without([0, 2]), drawn().without(range(4))):
        batched, alone = at_the_operator(block.double, block.anatomy, patch, cases), case_by_case(block.double, patch, cases)
        plain = block.double.record(cases).output
        roundings = 2**10 * torch.finfo(torch.float64).eps
        assert float((batched - alone).abs().max()) <= roundings * float(alone.abs().max())
        assert float((batched - plain).abs().amax(-1).min()) > roundings * float(alone.abs().max())
        untouched = at_the_operator(block.double, block.anatomy, as_is, cases)
        assert float((untouched - plain).abs().max()) <= roundings * float(plain.abs().max())


def _group_norm(p: nn.Module, x: Tensor) -> Tensor:
    """Its absorber is a group norm's bias, for which no form with one for each case is known."""
    s = x + attended(x)
    return s + F.group_norm(mlp(p, rms(s)).reshape(-1, D), 2, p.g, p.h).view_as(s)


def test_an_operator_without_a_batched_form_runs_case_by_case_and_says_why() -> None:
    block = watched(Small(_group_norm, **NETWORK, g=(D,), h=(D,)))
    assert block.check.way.startswith("case by case: aten.native_group_norm.default at test_patching.py")
    names = {each.name for each in block.anatomy.weights}
    with pytest.raises(NoBatchedForm):
        at_the_operator(block.double, block.anatomy, as_they_are(block.double, 3, {*names, "h"}), drawn())


class Otherwise(Small):
    """Another network where there is no context."""

    def __init__(self) -> None:
        super().__init__(lambda p, x: x, **NETWORK)

    def forward(self, x: Tensor) -> Tensor:
        s = x + attended(x)
        return s + mlp(self, rms(s)) * (1.0 if x.shape[1] > 1 else 2.0)


def test_another_network_without_a_context_is_what_only_the_check_can_see() -> None:
    with pytest.raises(RefusedBlock, match="in float64 the patched pass is equal behind another context of the same length, and off by") as error:
        watched(Otherwise())
    assert error.value.kind is refusals.LENGTH


def test_a_context_that_does_nothing_is_refused() -> None:
    def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
        n = 0 if context is None else context.shape[1]
        return module(tokens(context if n == 4 or n == 2 else None, query))[:, -1]

    with pytest.raises(RefusedBlock) as error:
        watched(Small(lambda p, x: x + attended(x) + mlp(p, rms(x + attended(x))), **NETWORK), call=call)
    assert error.value.kind is refusals.UNAFFECTED


@pytest.mark.parametrize("part", ["weight_changes", "absorber_changes"])
@pytest.mark.parametrize(
    "fault", [lambda x: 0 * x, lambda x: x * (1 + 2.0**-30), lambda x: -x, lambda x: x.roll(1, 1)], ids=["dropped", "2⁻³⁰ off", "negated", "shifted"]
)
def test_a_fault_in_a_patch_is_noticed(monkeypatch: pytest.MonkeyPatch, part: str, fault: Callable[[Tensor], Tensor]) -> None:
    right: Callable[..., Changes] = getattr(checked, part)
    monkeypatch.setattr(checked, part, lambda *given: {each: fault(x) for each, x in right(*given).items()})
    with pytest.raises(RefusedBlock) as error:
        watched(BATCHED[0].build())
    assert error.value.kind is refusals.NOT_EQUAL


def test_the_condition_of_a_scale_is_that_of_a_division() -> None:
    """δ ⊘ h with a small h is a large scale, which moves the output by more: the allowance grows with it, and stays far below every wrong patch."""
    assert admitted("gated").check.allowed < admitted("sandwich norms, 1 + g").check.allowed
