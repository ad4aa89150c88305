"""The rows of operators that move numbers and compute none: nothing is rounded, so what moves an entry moves its radius and its doubts.

A place that is in doubt, an index made by an undecided choice, leaves what was read there in doubt. What is only asked for its shape gives an exact result.
A number that becomes an entry is rounded to the tensor's format, half a unit in its last place: Higham (2.4).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from numeric.operator_rules.again import choice_of, moved_doubts, moved_radii, once_more, placed
from numeric.operator_rules.call import Bounded, Entries, OperatorCall, OperatorRow, UndecidedShape
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked


def moves(*names: str) -> OperatorRow:
    """The row of an operator that moves the entries of these operands: cat, flip, repeat, constant_pad_nd, slice_scatter, ..."""

    def row(call: OperatorCall) -> list[Bounded]:
        return moved(call, names)

    return row


def moved(call: OperatorCall, names: tuple[str, ...]) -> list[Bounded]:
    """What is known of the results."""
    radii, doubts = moved_radii(call, names), moved_doubts(call, names)
    return [Bounded(radius, None if doubts is None else doubts[place]) for place, radius in enumerate(radii)]


def copied(call: OperatorCall) -> list[Bounded]:
    """clone and its like: the same entries."""
    x, shape = call.tensor("self"), call.result.shape
    doubts = call.doubts(x)
    return [Bounded(call.radius(x).reshape(shape), None if doubts is None else doubts.reshape(shape))]


def filled(call: OperatorCall) -> list[Bounded]:
    """fill and its like: one number, or a tensor with one entry."""
    return [_written(call, call.given["value" if "value" in call.given else "fill_value"])]


def _written(call: OperatorCall, x: object) -> Bounded:
    found = _as_number(call, x)
    lost = marked(torch.isinf(found.radius), Doubt.OVERFLOW)
    shape = call.result.shape
    return Bounded(found.radius.expand(shape), joint_doubts([found.doubts, lost], shape))


def _as_number(call: OperatorCall, x: object) -> Entries:
    return call.entries_of(x) if call.result.is_floating_point() else placed(call, x, call.result.dtype)


def made(call: OperatorCall) -> list[Bounded]:
    """zeros_like and its like: what is read is a shape, and what comes out is exact."""
    return [Bounded(torch.zeros(each.shape, dtype=torch.float64, device=each.device)) for each in call.results]


def lain_out(call: OperatorCall) -> list[Bounded]:
    """as_strided_copy: it reads the storage, and not the tensor."""
    x = call.tensor("self")
    whole = x.as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)
    offset = call.given.get("storage_offset")
    lies = call.given["size"], call.given["stride"], x.storage_offset() if offset is None else offset
    radius, doubts = call.radius(whole).contiguous(), call.doubts(whole)
    return [Bounded(radius.as_strided(*lies), None if doubts is None else doubts.contiguous().as_strided(*lies))]  # type: ignore[arg-type]


def read_at_index(call: OperatorCall) -> list[Bounded]:
    """gather and take: the result has the shape of the index."""
    (found,) = moved(call, ("self",))
    return [_with(found, call.doubts(call.tensor("index")), call)]


def selected(call: OperatorCall) -> list[Bounded]:
    """index_select: an index along one axis."""
    (found,) = moved(call, ("self",))
    places, shape = call.doubts(call.tensor("index")), [1] * call.result.dim()
    if call.result.dim():
        shape[int(call.number("dim"))] = -1
    return [_with(found, None if places is None else places.reshape(shape), call)]


def embedded(call: OperatorCall) -> list[Bounded]:
    """embedding: rows of a matrix."""
    weight, index = call.tensor("weight"), call.tensor("indices")
    radius, doubts, places = call.radius(weight), call.doubts(weight), call.doubts(index)
    found = Bounded(radius[index], None if doubts is None else doubts[index])
    return [_with(found, None if places is None else places.unsqueeze(-1), call)]


def read_by_indices(call: OperatorCall) -> list[Bounded]:
    """index: an index for each of some axes, broadcast together; a mask counts for its axes, and decides the shape."""
    (found,) = moved(call, ("self",))
    indices = call.given["indices"]
    assert isinstance(indices, list | tuple)
    return [_with(found, _of_places(call, indices), call)]


def _of_places(call: OperatorCall, indices: list[Tensor | None] | tuple[Tensor | None, ...]) -> Tensor | None:
    """The doubts of the indices, so that they broadcast to the result."""
    given = [(place, each) for place, each in enumerate(indices) if each is not None]
    if all(call.doubts(each) is None for _, each in given):
        return None
    if any(each.dtype in (torch.bool, torch.uint8) for _, each in given):
        return joint_doubts([decides_the_shape(call, call.doubts(each)) for _, each in given], call.result.shape)
    shape = torch.broadcast_shapes(*(each.shape for _, each in given))
    adjacent = given[-1][0] - given[0][0] == len(given) - 1
    before = given[0][0] if adjacent else 0
    places = joint_doubts([call.doubts(each) for _, each in given], shape)
    assert places is not None
    return places.reshape(*shape, *([1] * (call.result.dim() - before - len(shape))))


def everywhere(doubts: Tensor | None) -> Tensor | None:
    """One doubt for a whole tensor, UNDECIDED, where any entry has one; None where none has."""
    return None if doubts is None or not bool((doubts != 0).any()) else torch.full((), int(Doubt.UNDECIDED), dtype=torch.uint8, device=doubts.device)


def _with(found: Bounded, places: Tensor | None, call: OperatorCall) -> Bounded:
    return Bounded(found.radius, joint_doubts([found.doubts, choice_of(places)], call.result.shape))


def _put(call: OperatorCall, values: str, *, twice: Callable[[OperatorCall], Tensor] | None) -> list[Bounded]:
    """Entries that are replaced: scatter, index_put, index_copy, index_fill, ... .

    twice: counts how often each entry is written; of one that is written more than once nobody knows by which. An index in doubt leaves all in doubt.
    """
    (found,) = moved(call, ("self", values))
    several = None if twice is None else marked(twice(call) > 1, Doubt.UNDECIDED)
    radius = found.radius if several is None else torch.where(several != 0, torch.inf, found.radius)
    return [Bounded(radius, joint_doubts([found.doubts, several, *indices_in_doubt(call)], call.result.shape))]


def indices_in_doubt(call: OperatorCall) -> list[Tensor | None]:
    """One doubt for everything where an index or a mask has one."""
    given: list[Tensor | None] = []
    for name in ("index", "indices", "mask"):
        value = call.given.get(name)
        given += value if isinstance(value, list | tuple) else [value] if isinstance(value, Tensor) else []
    return [everywhere(call.doubts(each)) for each in given if each is not None]


def scattered(call: OperatorCall) -> list[Bounded]:
    """scatter of a tensor."""
    return _put(call, "src", twice=lambda call: counts(call).scatter_add(int(call.number("dim")), call.tensor("index"), _ones(call.tensor("index"))))


def scattered_number(call: OperatorCall) -> list[Bounded]:
    """scatter of a number, and index_fill: whoever writes last, it is the same."""
    return _put(call, "value", twice=None)


def index_copied(call: OperatorCall) -> list[Bounded]:
    """index_copy."""
    return _put(call, "source", twice=lambda call: counts(call).index_add(int(call.number("dim")), call.tensor("index"), _ones(call.tensor("source"))))


def index_replaced(call: OperatorCall) -> list[Bounded]:
    """index_put without accumulation."""
    return _put(call, "values", twice=lambda call: torch.ops.aten.index_put(counts(call), call.given["indices"], torch.ones((), dtype=torch.float64), True))


def replaced(call: OperatorCall) -> list[Bounded]:
    """put without accumulation."""
    return _put(call, "source", twice=lambda call: counts(call).put(call.tensor("index"), _ones(call.tensor("source")), accumulate=True))


def counts(call: OperatorCall) -> Tensor:
    """A count for each entry of ``self``, from 0."""
    return torch.zeros(call.tensor("self").shape, dtype=torch.float64, device=call.result.device)


def _ones(like: Tensor) -> Tensor:
    return torch.ones(like.shape, dtype=torch.float64, device=like.device)


def decides_the_shape(call: OperatorCall, doubts: Tensor | None) -> Tensor | None:
    """One doubt for a result whose shape is decided by what is in doubt.  Raises UndecidedShape: where nothing came out, no entry could carry it."""
    found = everywhere(doubts)
    if found is not None and call.result.numel() == 0:
        raise UndecidedShape(f"{call.step.operator} of which it is undecided how many entries there are, and none came out")
    return found


def masked_selected(call: OperatorCall) -> list[Bounded]:
    """masked_select: the mask decides how many there are."""
    (radius,) = once_more(call, {"self": call.radius(call.tensor("self"))})
    own = call.doubts(call.tensor("self"))
    doubts = None if own is None else once_more(call, {"self": own})[0]
    return [Bounded(radius, joint_doubts([doubts, decides_the_shape(call, call.doubts(call.tensor("mask")))], call.result.shape))]
