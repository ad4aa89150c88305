"""What is undecided stays so: an index or a mask in doubt leaves in doubt what it selects, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, NoOperatorRule
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from tests.numeric.operator_rules.swept import probed

ROUTER = torch.tensor([[1.0, 1.0001, -2.0, 0.0], [3.0, -1.0, 0.5, -4.0]])
"""Two tokens: of the first it is undecided which expert is the largest, if the radius is 0.01."""
VALUES = torch.arange(12.0).reshape(4, 3)
ONE = int(Doubt.UNDECIDED)


def walked(run: Callable[..., Tensor], *operands: tuple[Tensor, float]) -> tuple[Tensor, Bounded]:
    """A result, and what is known of it.  operands: each with its radius."""
    knowledge = KnownTensors()
    for x, radius in operands:
        knowledge.put(x, Bounded(torch.full((), radius, dtype=torch.float64)))
    with BoundedWalk(models_of(probed("fp32")), knowledge):
        value = run(*(x for x, _ in operands))
    known = knowledge.of(value)
    assert isinstance(known, Bounded)
    return value, known


def doubts(run: Callable[..., Tensor], *operands: tuple[Tensor, float]) -> list[object]:
    """The doubts of each entry."""
    value, known = walked(run, *operands)
    return (torch.zeros(value.shape, dtype=torch.uint8) if known.doubts is None else known.doubts.expand(value.shape)).tolist()


ROUTED = ((ROUTER, 0.01), (VALUES, 0.0))


def test_an_index_in_doubt_leaves_in_doubt_what_is_read_there() -> None:
    """The other token's values are known."""
    assert doubts(lambda r, v: r.argmax(-1), *ROUTED) == [ONE, 0]
    assert doubts(lambda r, v: v[r.argmax(-1)], *ROUTED) == [[ONE] * 3, [0] * 3]
    assert doubts(lambda r, v: torch.nn.functional.embedding(r.argmax(-1), v), *ROUTED) == [[ONE] * 3, [0] * 3]
    assert doubts(lambda r, v: v.index_select(0, r.argmax(-1)), *ROUTED) == [[ONE] * 3, [0] * 3]
    assert doubts(lambda r, v: v.T[:, r.argmax(-1)], *ROUTED) == [[ONE, 0]] * 3
    assert doubts(lambda r, v: r.gather(1, r.topk(2).indices), *ROUTED) == [[ONE, ONE], [0, 0]]
    assert doubts(lambda r, v: v.take(r.argmax(-1)), *ROUTED) == [ONE, 0]


def test_two_indices_stand_where_their_broadcast_stands() -> None:
    """Next to each other, in the place of the first; apart, in front."""
    cube = torch.arange(60.0).reshape(3, 4, 5)
    operands = (ROUTER, 0.01), (cube, 0.0)
    assert doubts(lambda r, c: c[:, r.argmax(-1)], *operands) == [[[ONE] * 5, [0] * 5]] * 3
    assert doubts(lambda r, c: c[:, r.argmax(-1), torch.tensor([0, 1])], *operands) == [[ONE, 0]] * 3
    assert doubts(lambda r, c: c[torch.tensor([0, 1]), :, r.argmax(-1)], *operands) == [[ONE] * 4, [0] * 4]


def test_a_choice_by_exact_numbers_is_decided() -> None:
    """Ties included: the machine's choice is the choice."""
    tied = torch.tensor([[1.0, 1.0, 0.0]])
    assert doubts(lambda x: x.topk(2).indices, (tied, 0.0)) == [[0, 0]]
    assert doubts(lambda x: x.topk(1).indices, (tied, 1e-9)) == [[ONE]]


def test_the_order_of_the_chosen_may_be_in_doubt_where_the_set_is_not() -> None:
    """Of an unsorted topk the set alone counts."""
    x = torch.tensor([[5.0, 5.001, 1.0]])
    assert doubts(lambda x: x.topk(2).indices, (x, 0.01)) == [[ONE, ONE]]
    assert doubts(lambda x: x.topk(2, sorted=False).indices, (x, 0.01)) == [[0, 0]]
    assert doubts(lambda x: x.topk(2).values, (x, 0.01)) == [[0, 0]], "the values are order statistics, whatever was chosen"


def test_what_is_written_at_a_place_in_doubt_leaves_all_in_doubt() -> None:
    """Nobody knows where it should have gone."""
    for write in (
        lambda r, v: torch.zeros(4, 3).index_add(0, r.argmax(-1), v[:2]),
        lambda r, v: torch.zeros(4, 3).index_put((r.argmax(-1),), v[:2]),
        lambda r, v: torch.zeros(4, 3).index_put_((r.argmax(-1),), v[:2], accumulate=True),
        lambda r, v: torch.zeros(4, 3).index_copy(0, r.argmax(-1), v[:2]),
        lambda r, v: torch.zeros(4, 3).scatter_add(0, r.argmax(-1).unsqueeze(-1).expand(2, 3), v[:2]),
        lambda r, v: torch.zeros(4, 3).scatter(0, r.argmax(-1).unsqueeze(-1).expand(2, 3), v[:2]),
    ):
        assert doubts(write, *ROUTED) == [[ONE] * 3] * 4


def test_a_mask_in_doubt_gives_the_one_or_the_other() -> None:
    """A relu by hand: where the sign is undecided both results are inside the radius, and nothing is in doubt."""
    x = torch.tensor([-1.0, 0.005, 2.0])
    value, known = walked(lambda x: torch.where(x > 0, x, 0.0), (x, 0.01))
    assert known.doubts is None or not known.doubts.any()
    assert known.radius[0] == 0.0
    assert 0.01 <= known.radius[1] <= 0.0151
    assert known.radius[2] == pytest.approx(0.01)
    assert value.tolist() == [0.0, pytest.approx(0.005), 2.0]
    assert doubts(lambda x: x.masked_fill(x > 0, float("-inf")), (x, 0.01)) == [0, ONE, 0], "of -inf and a number nothing is inside a radius"


def test_one_that_is_sure_decides_for_those_that_are_not() -> None:
    """any, all, and, or."""
    x = torch.tensor([0.005, 2.0])
    assert doubts(lambda x: x > 0, (x, 0.01)) == [ONE, 0]
    assert doubts(lambda x: (x > 0).any(), (x, 0.01)) == 0
    assert doubts(lambda x: (x > 0).all(), (x, 0.01)) == ONE
    assert doubts(lambda x: (x > 0) & (x > 9), (x, 0.01)) == [0, 0]
    assert doubts(lambda x: (x > 0) | (x > 9), (x, 0.01)) == [ONE, 0]
    assert doubts(lambda x: torch.logical_or(x > 0, x > -9), (x, 0.01)) == [0, 0]
    assert doubts(lambda x: torch.isfinite(x), (x, 0.01)) == [0, 0]


def test_a_shape_that_is_undecided_is_in_doubt_or_refused() -> None:
    """How many there are depends on the values; where none came out no entry could carry the doubt."""
    some, none = torch.tensor([0.005, 2.0]), torch.tensor([-0.005, -2.0])
    assert doubts(lambda x: (x > 0).nonzero(), (some, 0.01)) == [[ONE], [ONE]]
    assert doubts(lambda x: x.masked_select(x > 0), (some, 0.01)) == [ONE, ONE]
    assert doubts(lambda x: x[x > 0], (some, 0.01)) == [ONE, ONE]
    for run in (lambda x: (x > 0).nonzero(), lambda x: x.masked_select(x > 0), lambda x: x[x > 0]):
        with pytest.raises(NoOperatorRule, match="none came out"):
            walked(run, (none, 0.01))


def test_a_number_becomes_whole_where_both_ends_do() -> None:
    """A cast to whole numbers, and to truth."""
    x = torch.tensor([1.5, 1.995, -0.5, 0.0])
    assert doubts(lambda x: x.long(), (x, 0.01)) == [0, ONE, 0, 0]
    assert doubts(lambda x: x.bool(), (x, 0.01)) == [0, 0, 0, ONE]
    assert doubts(lambda x: x.bool(), (x, 0.0)) == [0, 0, 0, 0]


def test_an_entry_that_is_written_twice_is_in_doubt() -> None:
    """By which it was written, nobody says; the same number twice is no question."""
    x, twice = torch.zeros(3), torch.tensor([1, 1])
    assert doubts(lambda x, v: x.scatter(0, twice, v), (x, 0.0), (torch.tensor([1.0, 2.0]), 0.1)) == [0, ONE, 0]
    assert doubts(lambda x: x.scatter(0, twice, 7.0), (x, 0.0)) == [0, 0, 0]


def test_what_is_added_takes_its_doubts_along() -> None:
    """And nowhere else; an entry to which nothing is added is not computed."""
    index = torch.tensor([1, 2])

    def added(r: Tensor, v: Tensor) -> Tensor:
        return torch.zeros(4).index_add(0, index, v[0][r.argmax(-1)])

    assert doubts(added, *ROUTED) == [0, ONE, 0, 0]
    assert doubts(lambda r, v: v[0][r.argmax(-1)].index_add(0, torch.tensor([1]), v[0][:1]), *ROUTED) == [ONE, 0]
    largest = torch.tensor([torch.finfo(torch.float32).max, 1.0])
    assert doubts(lambda x: x.index_add(0, torch.tensor([1]), torch.ones(1)), (largest, 0.0)) == [0, 0]


def test_so_many_terms_that_no_first_order_bound_is_left() -> None:
    """300 steps in bf16: the radius is finite, and holds."""
    x, terms = torch.zeros(1, dtype=torch.bfloat16), torch.full((300,), 0.75, dtype=torch.bfloat16)
    value, known = walked(lambda x: x.index_add(0, torch.zeros(300, dtype=torch.int64), terms), (x, 0.0))
    assert abs(value.item() - 225.0) <= known.radius.item() < float("inf")
    assert known.doubts is None


def test_a_running_total_of_two_in_doubt_has_one_doubt() -> None:
    """Not two of them added up; of a whole number alone, too."""
    both = torch.tensor([[1.0, 1.0001], [3.0, 3.0001]])
    assert doubts(lambda r, v: v[0][r.argmax(-1)].cumsum(0), (both, 0.01), (VALUES, 0.0)) == [ONE, ONE]
    assert doubts(lambda r: r.argmax().cumsum(0), (ROUTER, 0.01)) == 0
    assert doubts(lambda r: r.argmax().cumsum(0), (both, 0.01)) == ONE


def test_what_is_exact_has_no_radius_at_all() -> None:
    """Not even float64's smallest: an exact number that is equal to another is known to be."""
    x = torch.tensor([0.0, 1.0, 3.0])
    assert doubts(lambda x: x.double() == torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64), (x, 0.0)) == [0, 0, 0]
    assert doubts(lambda x: x == torch.tensor([0, 1, 2]), (x, 0.0)) == [0, 0, 0]
    assert doubts(lambda x: (x > 0.5).to(torch.float32) == 1, (x, 0.0)) == [0, 0, 0]
    _, known = walked(lambda x: x.double(), (x, 0.0))
    assert not known.radius.any()


def test_a_choice_between_two_has_the_doubts_of_the_chosen() -> None:
    """And of both where the choice itself is in doubt; a number of either sign is surely not 0 if it is larger than its radius."""
    takes = torch.tensor([True, False])
    mixed = ROUTED[0], (torch.tensor([0.005, 0.0]), 0.01), (VALUES, 0.0)
    assert doubts(lambda r, s, v: torch.where(takes, v[0][r.argmax(-1)], 0.0), *mixed) == [ONE, 0]
    assert doubts(lambda r, s, v: torch.where(~takes, v[0][r.argmax(-1)], 0.0), *mixed) == [0, 0]
    assert doubts(lambda r, s, v: torch.where(s > 0, 0.0, v[0][r.argmax(-1)]), *mixed) == [ONE, 0]
    assert doubts(torch.logical_not, (torch.tensor([-2.0, 2.0, -0.005, 0.0]), 0.01)) == [0, 0, ONE, ONE]
    assert doubts(lambda x: x.masked_fill(x > 0, torch.tensor(3.0)), (torch.tensor([0.005, 2.0]), 0.01)) == [0, 0]
