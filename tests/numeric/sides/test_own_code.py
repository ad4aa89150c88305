"""What a block's own code raises in a format is told from what the walk raises behind it; neither is hidden by the code's own handlers."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from numeric import ContextualBlock
from numeric.operator_rules import NoOperatorRule
from numeric.operators.block import WatchedBlock
from numeric.sides.own_code import OwnCodeFails, own_code
from numeric.sides.written_passes import Bounding
from numeric.sides.written_sides import WrittenCases, measure_written_sides
from tests.numeric.sides.test_written_sides import FORMULA, TOKENS, in_format, some_cases
from tests.numeric.sides.test_written_ways import Block, Network, hidden, last


def another_dtype(p: Block, s: Tensor, x: Tensor) -> Tensor:
    return s + F.linear(hidden(p, s) * torch.arange(1, 13).sqrt(), p.w2, p.b2)


def raises(p: Block, s: Tensor, x: Tensor) -> Tensor:
    if s.dtype == torch.bfloat16:
        raise ValueError("no\nbf16")
    return s + F.linear(hidden(p, s), p.w2, p.b2)


def goes_on(p: Block, s: Tensor, x: Tensor) -> Tensor:
    """Past an operator without a rule."""
    h = hidden(p, s)
    if h.dtype == torch.bfloat16:
        try:
            h = torch.logit(h)
        except Exception:
            h = h * 1.0
    return s + F.linear(h, p.w2, p.b2)


def asked(network: Network) -> tuple[WatchedBlock, WrittenCases]:
    held = WatchedBlock.of(ContextualBlock.of(Block(network).eval(), last, "w1", width=8))
    return held, some_cases(held, "bf16", tuple(range(TOKENS)))


@pytest.mark.soak
@pytest.mark.parametrize(("network", "said"), [(another_dtype, "must have the same dtype"), (raises, "ValueError: no bf16")])
def test_code_that_fails_in_a_format_is_said_in_a_line(network: Network, said: str) -> None:
    held, cases = asked(network)
    with pytest.raises(OwnCodeFails, match="the block's own code fails in bf16: ") as error:
        measure_written_sides(in_format(held, "bf16"), cases, FORMULA)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    measure_written_sides(in_format(held, "fp32"), some_cases(held, "fp32", (0, 3)), FORMULA)


@pytest.mark.soak
def test_code_that_catches_a_missing_rule_has_none() -> None:
    held, cases = asked(goes_on)
    with pytest.raises(NoOperatorRule, match=r"aten\.logit"):
        measure_written_sides(in_format(held, "bf16"), cases, FORMULA)


@pytest.mark.soak
def test_a_fault_of_the_walk_is_not_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    held, cases = asked(raises)

    def faulty(self: Bounding, step: object) -> object:
        raise ValueError("a bug of ours")

    monkeypatch.setattr("numeric.operator_rules.walk.BoundedWalk.execute", faulty)
    with pytest.raises(ValueError, match="a bug of ours"):
        measure_written_sides(in_format(held, "fp32"), cases, FORMULA)


def test_what_is_no_failure_of_the_code_passes() -> None:
    """A missing rule passes as it is; an exception raised by the code does not, and one that an operator raised is the code's."""
    with pytest.raises(NoOperatorRule), own_code("bf16", lambda: None):
        raise NoOperatorRule("x")
    with pytest.raises(OwnCodeFails, match="the block's own code fails in bf16: KeyError: 'x'"), own_code("bf16", lambda: None):
        raise KeyError("x")
