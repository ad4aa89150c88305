"""How a tensor lies in memory, and one laid out likewise."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from numeric.machine.operands import CACHE_LINE, KernelCall, Operand


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Views of every kind that a block hands on: slices, transposes, expansions, rows of a longer tensor, from any place in memory."""
    dtype = draw(st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]))
    axes = draw(st.integers(1, 3))
    shape = [draw(st.integers(1, 5)) for _ in range(axes)]
    room = [size + draw(st.integers(0, 3)) for size in shape]
    base = torch.arange(float(torch.tensor(room).prod()) + 70).to(dtype)[draw(st.integers(0, 70)) :]
    x = base[: int(torch.tensor(room).prod())].reshape(room)
    for axis, size in enumerate(shape):
        x = x.narrow(axis, draw(st.integers(0, room[axis] - size)), size)
    if axes > 1 and draw(st.booleans()):
        x = x.transpose(draw(st.integers(0, axes - 1)), draw(st.integers(0, axes - 1)))
    if draw(st.booleans()):
        x = x[:1].expand(draw(st.integers(1, 4)), *x.shape[1:])
    return x


@settings(max_examples=400, deadline=None)
@given(tensors())
def test_a_tensor_laid_out_as_another_lies_so_and_holds_the_numbers(x: Tensor) -> None:
    operand = Operand.of(x)
    again = operand.laid_out(x, "cpu")
    assert torch.equal(again, x)
    assert Operand.of(again) == operand
    assert again.data_ptr() % CACHE_LINE == x.data_ptr() % CACHE_LINE
    assert operand.dtype == str(x.dtype).removeprefix("torch.")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=3))
def test_entries_that_share_a_place_are_noticed(axes: list[tuple[int, int]]) -> None:
    """Against every place written down. Strides that interleave without meeting may be called overlapping: then any order is allowed, which is safe."""
    shape, strides = (tuple(part) for part in zip(*axes, strict=True))
    places = [sum(i * stride for i, stride in zip(index, strides, strict=True)) for index in product(*map(range, shape))]
    if not Operand("float32", shape, strides).overlaps:
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x.t(), lambda x: x[:, 1:], lambda x: x[::2], lambda x: x[:, ::2].t()])
def test_views_of_a_matrix_do_not_overlap(make) -> None:
    assert not Operand.of(make(torch.zeros(7, 9))).overlaps


def test_windows_that_overlap_cannot_be_asked() -> None:
    rows = torch.zeros(20).unfold(0, 5, 1)
    assert Operand.of(rows).overlaps
    assert not KernelCall.of("dense layer", rows, torch.zeros(3, 5, 1)).askable
    assert not KernelCall.of("dense layer", torch.zeros(1, 1).expand(16, 5), torch.zeros(3, 5, 1)).askable, "all terms of a sum are one number"
    assert KernelCall.of("dense layer", torch.zeros(16, 5), torch.zeros(1, 5, 1).expand(3, 5, 1)).askable, "one vector for all cases is a call like another"


def test_a_call_is_told_from_another_by_layout_alignment_batch_and_threads() -> None:
    W, x, b = torch.zeros(8, 6), torch.zeros(4, 6, 1), torch.zeros(8, 1)
    long = torch.zeros(4, 7)
    calls = [
        KernelCall.of("dense layer", W, x, b),
        KernelCall.of("dense layer", W.t().contiguous().t(), x, b),
        KernelCall.of("dense layer", W, long[:, 1:].unsqueeze(-1), b),
        KernelCall.of("dense layer", W, torch.zeros(25)[1:].reshape(4, 6, 1), b),
        KernelCall.of("dense layer", W, x[:2], b),
        KernelCall.of("dense layer", W, x),
        KernelCall.of("dense layer", W.double(), x, b),
    ]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        calls.append(KernelCall.of("dense layer", W, x, b))
    finally:
        torch.set_num_threads(threads)
    assert len(set(calls)) == len(calls)
    assert KernelCall.of("dense layer", torch.ones(8, 6), torch.ones(4, 6, 1), b) == calls[0], "the numbers do not matter"
