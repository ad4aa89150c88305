"""The rows of the table: what each module's rule does with a radius by hand, and which modules have none."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.machine import FP64
from numeric.rules.activations import GELU, GELU_TANH, SILU, gated
from numeric.rules.table import assumes_a_library, rule_for

VALUES = [-1.5, -0.25, 0.0, 0.25, 3.0]
RADIUS = 0.5


def column() -> WithRadius:
    value = torch.tensor(VALUES, dtype=torch.float64).reshape(1, -1, 1)
    return exact(value, FP64, hazards(1), radius=torch.full_like(value, RADIUS))


def radii(module: nn.Module, value: Tensor) -> list[float]:
    rule = rule_for(module)
    assert rule is not None
    return [float(x) for x in rule(module, column(), value).entry_radius.flatten()]


@pytest.mark.parametrize("module", [nn.ReLU()], ids=lambda module: type(module).__name__)
def test_what_rounds_nothing_keeps_the_radius(module: nn.Module) -> None:
    """3 ± 1/2 stays so, and nothing less would do; what float64 adds is a few of its roundings."""
    value = module(column().value)
    assert torch.equal(value, column().value.clamp_min(0.0) if isinstance(module, nn.ReLU) else column().value)
    for radius in radii(module, value):
        assert RADIUS <= Fraction(radius) <= Fraction(RADIUS) * (1 + Fraction(1, 2**48))


def test_each_gate_has_its_own_rule() -> None:
    """The two kinds of GELU differ, in their errors and in how steep they are."""
    rules = {nn.GELU(): GELU, nn.GELU(approximate="tanh"): GELU_TANH, nn.SiLU(): SILU}
    found = []
    for module, gate in rules.items():
        value = module(column().value)
        found.append(radii(module, value))
        assert found[-1] == [float(x) for x in gated(gate, column(), value).entry_radius.flatten()]
    assert len({tuple(each) for each in found}) == 3


WITH = [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Softmax(dim=-1), nn.Softmax(dim=1), nn.LayerNorm(3), nn.RMSNorm(3)]
WITH += [Product(), LargestOnly(1), WeightedSum()]
WITHOUT = [nn.Tanh(), nn.Dropout(), nn.Softmax(dim=0), nn.LayerNorm((2, 3)), nn.RMSNorm((2, 3)), nn.Linear(2, 2)]


def test_which_modules_have_a_rule() -> None:
    assert all(rule_for(module) is not None for module in WITH)
    assert all(rule_for(module) is None for module in WITHOUT)


def test_which_modules_rest_on_a_library() -> None:
    """By themselves and in a network; of a module without a rule nothing is asked."""
    rests = [module for module in WITH if assumes_a_library(module)]
    assert [type(module) for module in rests] == [nn.GELU, nn.SiLU, nn.Softmax, nn.Softmax, nn.LayerNorm, nn.RMSNorm]
    assert not any(assumes_a_library(module) for module in (nn.Tanh(), nn.Linear(2, 2)))
    assert assumes_a_library(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.SiLU()))
    assert not assumes_a_library(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
