"""The second memory: what is written through one view is read through every other, and nothing is kept alive."""

import gc

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from numeric.operators.memory import Memory, ReadAsAnotherType, StorageSet


@st.composite
def views(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, int]]]:
    """Steps from a (4, 6) tensor to a view of it, each with two numbers."""
    names = draw(st.lists(st.sampled_from(["transpose", "narrow", "select", "flatten", "expand", "diagonal", "unfold"]), max_size=4))
    return names, [(draw(st.integers(0, 5)), draw(st.integers(0, 5))) for _ in names]


def viewed(x: Tensor, plan: tuple[list[str], list[tuple[int, int]]]) -> Tensor:
    """The view, of any tensor of the same shape and strides; a step that does not fit is left out."""
    for name, (a, b) in zip(*plan, strict=True):
        if x.dim() and name == "transpose":
            x = x.transpose(a % x.dim(), b % x.dim())
        elif x.dim() and name == "narrow":
            dim = a % x.dim()
            start = b % x.shape[dim]
            x = x.narrow(dim, start, x.shape[dim] - start)
        elif x.dim() and name == "select":
            x = x.select(a % x.dim(), b % x.shape[a % x.dim()])
        elif name == "flatten" and x.is_contiguous():
            x = x.flatten()
        elif name == "expand":
            x = x.expand(a % 3 + 1, *x.shape)
        elif x.dim() > 1 and name == "diagonal":
            x = x.diagonal()
        elif x.dim() and name == "unfold":
            x = x.unfold(a % x.dim(), 1, b % 2 + 1)
    return x


@given(views(), views())
def test_what_one_view_is_told_another_one_says(written: tuple[list[str], list[tuple[int, int]]], read: tuple[list[str], list[tuple[int, int]]]) -> None:
    """Against a tensor of notes on which the same views are taken: no strides there, but torch's own views of a second tensor."""
    x, notes, memory = torch.zeros(4, 6), torch.zeros(4, 6, dtype=torch.int32), Memory(torch.int32)
    for number, plan in enumerate((written, read, written), start=1):
        target, mine = viewed(x, plan), viewed(notes, plan)
        values = (10 * number + torch.arange(mine.numel())).view(mine.shape).to(torch.int32)
        expanded = any(stride == 0 and size > 1 for stride, size in zip(mine.stride(), mine.shape, strict=True))
        if expanded:
            memory.put(target, number)
            notes.view(-1)[torch.unique(viewed(torch.arange(24).view(4, 6), plan))] = number
        else:
            memory.put(target, values)
            mine.copy_(values)
        for plan_of_reader in (written, read):
            assert torch.equal(memory.of(viewed(x, plan_of_reader)), viewed(notes, plan_of_reader))


def test_what_is_not_known_is_unknown() -> None:
    memory = Memory(torch.uint8, unknown=7)
    x = torch.zeros(2, 3)
    assert not memory.knows(x)
    assert torch.equal(memory.of(x), torch.full((2, 3), 7, dtype=torch.uint8))
    memory.put(x[0], 1)
    assert memory.of(x).tolist() == [[1, 1, 1], [7, 7, 7]]
    assert memory.whole(x[1]).tolist() == [1, 1, 1, 7, 7, 7]


def test_a_note_dies_with_its_storage_and_not_before() -> None:
    """A view keeps the storage, and so the note; an address that is used again starts without one."""
    memory, storages = Memory(torch.uint8), StorageSet()
    x = torch.zeros(1000)
    memory.put(x, 1)
    storages.add([x])
    view = x[10:20]
    del x
    gc.collect()
    assert memory.of(view).tolist() == [1] * 10
    assert view in storages
    del view
    gc.collect()
    assert len(memory) == len(storages) == 0
    for _ in range(100):
        fresh = torch.zeros(1000)
        assert not memory.knows(fresh)
        assert fresh not in storages
        memory.put(fresh, 1)
        storages.add([fresh])
        del fresh
    assert len(memory) == len(storages) == 0


def test_another_type_of_entries_is_refused() -> None:
    memory = Memory(torch.uint8)
    x = torch.zeros(4, dtype=torch.float64)
    memory.put(x, 1)
    for other in (x.view(torch.int64), x.view(torch.float32), torch.view_as_complex(x.view(2, 2))):
        with pytest.raises(ReadAsAnotherType):
            memory.of(other)
        with pytest.raises(ReadAsAnotherType):
            memory.put(other, 2)
    memory.put_everywhere(x.view(torch.int64), 3)
    assert memory.of(x.view(torch.int64)).tolist() == [3, 3, 3, 3]
    with pytest.raises(ReadAsAnotherType):
        memory.of(x)
