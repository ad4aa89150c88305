"""What is known of numbers that are moved, copied or looked at along an axis: radii and doubts come to stand where the numbers do."""

import pytest
import torch

from numeric.operator_rules import Bounded, again
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.doubts import Doubt
from numeric.operators.executions import CallSite, Execution
from tests.numeric.operator_rules.drawn_calls import overload_named
from tests.numeric.operator_rules.stated_functions import STATED
from tests.numeric.operator_rules.test_stated_products import doubts_of

ONE, BEYOND = int(Doubt.UNDECIDED), int(Doubt.OVERFLOW)


def _marked(*shape: int, at: tuple[int, ...], doubt: int = ONE) -> torch.Tensor:
    made = torch.zeros(shape, dtype=torch.uint8)
    made[at] = doubt
    return made


def test_an_axis_has_the_doubts_of_its_entries() -> None:
    """Along either axis of a softmax, of its logarithm, and entry by entry of a gate."""
    x, mark = torch.ones(2, 3, dtype=torch.bfloat16), _marked(2, 3, at=(1, 2))
    for run in (torch.softmax, torch.log_softmax):
        assert doubts_of(lambda x, run=run: run(x, 0), {"x": x}, "x", mark).tolist() == [[0, 0, ONE]] * 2
        assert doubts_of(lambda x, run=run: run(x, 1), {"x": x}, "x", mark).tolist() == [[0] * 3, [ONE] * 3]
    assert doubts_of(torch.nn.functional.silu, {"x": x}, "x", mark).tolist() == mark.tolist()


def test_what_is_moved_takes_its_doubts_along() -> None:
    """Into a longer tensor, about which a number is laid, and out in parts."""
    a, b, mark = torch.ones(2), torch.ones(3), _marked(2, at=(1,))
    assert doubts_of(lambda a, b: torch.cat([a, b]), {"a": a, "b": b}, "a", mark).tolist() == [0, ONE, 0, 0, 0]
    assert doubts_of(lambda a, b: torch.cat([a, b]), {"a": a, "b": b}, "b", _marked(3, at=(0,))).tolist() == [0, 0, ONE, 0, 0]
    assert doubts_of(lambda a: torch.nn.functional.pad(a, (1, 2), value=2.0), {"a": a}, "a", mark).tolist() == [0, 0, ONE, 0, 0]
    for place, expected in enumerate(([0, ONE], [0, 0])):
        parts = doubts_of(lambda b, place=place: torch.ops.aten.split_with_sizes_copy(b, [2, 2])[place], {"b": torch.ones(4)}, "b", _marked(4, at=(1,)))
        assert parts.tolist() == expected


def test_what_is_read_at_a_place_in_doubt_has_that_doubt_and_one_more() -> None:
    """Why the place is in doubt is not forgotten."""
    index, v = torch.tensor([0, 1]), torch.ones(3, 2)
    found = doubts_of(lambda v, i: v[i], {"v": v, "i": index}, "i", _marked(2, at=(1,), doubt=BEYOND))
    assert found.tolist() == [[0, 0], [BEYOND | ONE] * 2]


@pytest.mark.parametrize("of", ["flushing", "one"])
def test_a_copy_into_the_same_format_loses_nothing(of: str) -> None:
    """Also of a number that arithmetic would flush; a whole number stays whole, with its doubts."""
    n, x = STATED[of], torch.tensor([2.0**-12, 1.0])
    whole, doubts = torch.tensor([3, 4], dtype=torch.int32), torch.tensor([0, ONE], dtype=torch.uint8)
    known = {id(whole): Bounded(torch.zeros(2, dtype=torch.float64), doubts)}
    step = Execution(CallSite("aten.clone.default", "a test", 0), overload_named("aten.clone.default"), (), {})
    call = OperatorCall(step, {}, [x], lambda x: known.get(id(x)), lambda dtype: n)
    assert again.placed(call, x, torch.float32).radius.tolist() == [0.0, 0.0]
    made = again.placed(call, whole, torch.int64)
    assert made.value.tolist() == [3.0, 4.0]
    assert made.doubts is not None
    assert made.doubts.tolist() == doubts.tolist()
    number = again.placed(call, 7, torch.int64)
    assert (number.value.item(), number.radius.item(), number.doubts) == (7.0, 0.0, None)
