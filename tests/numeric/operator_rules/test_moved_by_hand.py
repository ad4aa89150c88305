"""What is known of numbers that are moved, copied or looked at along an axis: radii and doubts come to stand where the numbers do."""

import pytest
import torch

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, again
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from numeric.operators.executions import CallSite, Execution
from tests.numeric.operator_rules.drawn_calls import overload_named
from tests.numeric.operator_rules.stated_functions import STATED
from tests.numeric.operator_rules.swept import probed
from tests.numeric.operator_rules.test_doubts_move_on import doubts, walked
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

    def of_tensors(x: torch.Tensor) -> Bounded | None:
        assert isinstance(x, torch.Tensor)
        return known.get(id(x))

    call = OperatorCall(step, {}, [x], of_tensors, lambda dtype: n)
    assert again.placed(call, x, torch.float32).radius.tolist() == [0.0, 0.0]
    made = again.placed(call, whole, torch.int64)
    assert made.value.tolist() == [3.0, 4.0]
    assert made.doubts is not None
    assert made.doubts.tolist() == doubts.tolist()
    number = again.placed(call, 7, torch.int64)
    assert (number.value.item(), number.radius.item(), number.doubts) == (7.0, 0.0, None)


def test_copies_of_a_tensor_have_its_doubts() -> None:
    """As it is; some of it, by a mask; rows of it; and its storage, laid out otherwise, from where it begins or from elsewhere."""
    a, mark = torch.ones(4), _marked(4, at=(1,))
    assert doubts_of(torch.clone, {"a": a}, "a", mark).tolist() == [0, ONE, 0, 0]
    chosen = torch.tensor([False, True, True, False])
    assert doubts_of(lambda a: a.masked_select(chosen), {"a": a}, "a", mark).tolist() == [ONE, 0]
    rows = doubts_of(lambda w: torch.nn.functional.embedding(torch.tensor([1, 0]), w), {"w": torch.ones(2, 2)}, "w", _marked(2, 2, at=(1, 0)))
    assert rows.tolist() == [[ONE, 0], [0, 0]]
    for offset, expected in ((None, [0, ONE]), (1, [ONE, 0]), (2, [0, 0])):
        assert doubts_of(lambda a, offset=offset: torch.as_strided_copy(a, (2,), (1,), offset), {"a": a}, "a", mark).tolist() == expected
    assert doubts_of(lambda a: torch.as_strided_copy(a[1:], (2,), (2,)), {"a": a}, "a", mark).tolist() == [ONE, 0]


def test_indices_apart_stand_in_front_and_those_in_no_doubt_leave_none() -> None:
    v, i, j = torch.ones(2, 3, 2, 3), torch.tensor([0, 1]), torch.tensor([2, 0])
    found = doubts_of(lambda v, i: v[:, i, :, j], {"v": v, "i": i}, "i", _marked(2, at=(1,)))
    assert found.tolist() == [[[0, 0]] * 2, [[ONE, ONE]] * 2]
    for doubt, expected in ((0, [0, 0, 0]), (BEYOND, [ONE] * 3)):
        written = doubts_of(lambda v, i: v.index_copy(0, i, torch.zeros(2)), {"v": torch.ones(3), "i": i}, "i", _marked(2, at=(0,), doubt=doubt))
        assert written.tolist() == expected


def test_of_an_entry_that_is_written_twice_nothing_is_known() -> None:
    twice = torch.tensor([1, 1, 2])
    _, known = walked(lambda x, v: x.scatter(0, twice, v), (torch.zeros(4), 0.0), (torch.tensor([1.0, 2.0, 3.0]), 0.125))
    assert known.radius.tolist() == [0.0, float("inf"), 0.125, 0.0]


def test_what_is_filled_with_a_number_is_off_by_as_much_as_that_is_rounded() -> None:
    """Also by a tensor that holds one; whole numbers are exact; and of what was in no doubt nothing is, however it was copied."""
    x = torch.zeros(2)
    rounded = abs(float(torch.tensor(0.3)) - 0.3)
    for fill in (lambda x: torch.full_like(x, 0.3), lambda x: x.fill_(0.3), lambda x: x.fill_(torch.tensor(0.3, dtype=torch.float64))):
        _, known = walked(fill, (x.clone(), 0.5))
        assert all(rounded <= each <= 2.0**-25 for each in known.radius.tolist())
    _, whole = walked(lambda x: x.fill_(3), (torch.zeros(2, dtype=torch.int64), 0.0))
    assert whole.radius.tolist() == [0.0, 0.0]
    for copy in (torch.clone, lambda x: torch.as_strided_copy(x, (2,), (1,))):
        _, known = walked(copy, (x, 0.5))
        assert known.radius.tolist() == [0.5, 0.5]
        assert known.doubts is None


def test_a_flushing_machine_may_fill_with_nothing() -> None:
    x, small, knowledge = torch.ones(2), torch.tensor(2.0**-130), KnownTensors()
    knowledge.put(x, Bounded(torch.zeros((), dtype=torch.float64)))
    with BoundedWalk(models_of(probed("fp32-ftz")), knowledge, probed("fp32-ftz").mode.while_running("cpu")):
        x.fill_(small)
    known = knowledge.of(x)
    assert isinstance(known, Bounded)
    assert min(known.radius.expand(2).tolist()) >= 2.0**-130


def test_a_choice_that_is_undecided_is_off_by_the_way_to_the_other() -> None:
    """|x - y| and the other's radius; of numbers of any order, and none of which is 0."""
    for x, y in ((1.0, 3.0), (3.0, 1.0), (-1.0, -3.0)):
        for s, radius in ((0.005, 2.5), (-0.005, 2.25), (1.0, 0.25), (-1.0, 0.5)):
            given = (torch.tensor([s]), 0.01), (torch.tensor([x]), 0.25), (torch.tensor([y]), 0.5)
            _, known = walked(lambda s, x, y: torch.where(s > 0, x, y), *given)
            assert radius <= known.radius.item() <= radius * (1.0 + 2.0**-40)
            assert known.doubts is None or not known.doubts.any()


def test_a_condition_hands_on_why_it_is_in_doubt() -> None:
    given = {"c": torch.tensor([True, False]), "x": torch.ones(2)}
    found = doubts_of(lambda c, x: torch.where(c, x, 0.0), given, "c", _marked(2, at=(1,), doubt=BEYOND | ONE))
    assert found.tolist() == [0, BEYOND]


def test_comparisons_of_one_that_is_off_and_of_whole_numbers() -> None:
    one = torch.tensor([1.0])
    assert doubts(lambda x, y: x < y, (one, 0.0), (one.clone(), 0.125)) == [ONE]
    assert doubts(lambda x, y: x < y, (one, 0.125), (one.clone(), 0.0)) == [ONE]
    whole = torch.tensor([1, 2])
    assert doubts(lambda x: x > 1, (whole, 0.0)) == [0, 0]
    assert doubts(lambda x: x.masked_fill(x > 1, 7), (whole, 0.0)) == [0, 0]
    x = torch.tensor([[0.005, 2.0], [0.005, -1.0]])
    assert doubts(lambda x: torch.any(x > 0, (1,)), (x, 0.01)) == [0, ONE]
    assert doubts(lambda x: torch.any(x > 0, [0, 1]), (x, 0.01)) == 0
