"""Weights are tied where they share a place in memory, and not where they are views of one buffer that share none."""

from collections.abc import Callable, Sequence
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import UnusableBlock
from numeric.formats import MODES
from numeric.sides import block_in_format
from numeric.user_blocks import own_block
from numeric.user_blocks.shared_memory import share_a_place
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import D, M, block, measured

BUFFER = 64
"""Entries of the buffer that views are drawn in."""


def bytes_of(x: Tensor) -> set[int]:
    """Every byte that belongs to an entry, by plain loops."""
    starts = (sum(i * k for i, k in zip(index, x.stride(), strict=True)) for index in product(*(range(size) for size in x.shape)))
    return {x.data_ptr() + start * x.element_size() + byte for start in starts for byte in range(x.element_size())}


@st.composite
def views(draw: st.DrawFn, buffer: Tensor) -> Tensor:
    """A strided view, expanded axes and overlapping rows included."""
    buffer = buffer.view(draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64])))
    shape, strides, last = [], [], draw(st.integers(0, len(buffer) - 1))
    offset = last
    for _ in range(draw(st.integers(0, 3))):
        stride = draw(st.integers(0, 7))
        most = 3 if stride == 0 else 1 + (len(buffer) - 1 - last) // stride
        size = draw(st.integers(0, min(most, 5)))
        last += max(0, size - 1) * stride
        shape.append(size)
        strides.append(stride)
    return buffer.as_strided(shape, strides, offset)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_two_views_share_a_place_if_a_byte_is_of_both(data: st.DataObject) -> None:
    buffer = torch.zeros(BUFFER)
    x, y = data.draw(views(buffer)), data.draw(views(buffer))
    assert share_a_place(x, y) is bool(bytes_of(x) & bytes_of(y)) is share_a_place(y, x)


def test_two_storages_of_one_memory_share_it() -> None:
    """A storage says whose memory it is; what is tied is the memory."""
    whole = torch.zeros(8).numpy()
    front, back, middle = (torch.from_numpy(whole[part]) for part in (slice(0, 4), slice(4, 8), slice(3, 6)))
    assert front.untyped_storage().data_ptr() != middle.untyped_storage().data_ptr()
    assert [share_a_place(front, back), share_a_place(front, middle), share_a_place(middle, back)] == [False, True, True]


Places = Callable[[Sequence[nn.Parameter]], list[Tensor]]
"""Where parameters of these shapes are to lie: a view for each."""


def one_behind_the_other(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """As sharded optimisers keep them."""
    flat = torch.zeros(sum(each.numel() for each in parameters))
    return [part.view_as(each) for part, each in zip(flat.split([each.numel() for each in parameters]), parameters, strict=True)]


def interleaved(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Entry by entry in turn; their spans are almost the same."""
    lines = torch.zeros(max(each.numel() for each in parameters), len(parameters))
    return [lines[: each.numel(), place].view_as(each) for place, each in enumerate(parameters)]


def column_major(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """One behind the other, matrices by columns."""
    rows = one_behind_the_other(parameters)
    return [part.reshape(-1).view(each.mT.shape).mT if each.dim() > 1 else part for part, each in zip(rows, parameters, strict=True)]


def overlapping(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """One behind the other, but each begins at the last entry of the one before."""
    flat, found, start = torch.zeros(sum(each.numel() for each in parameters)), [], 0
    for each in parameters:
        found.append(flat[start : start + each.numel()].view_as(each))
        start += each.numel() - 1
    return found


def laid(made: ContextualBlock, places: Places) -> ContextualBlock:
    parameters = list(made.parameters())
    for parameter, place in zip(parameters, places(parameters), strict=True):
        place.copy_(parameter.data)
        parameter.data = place
    return made


def forms() -> list[ContextualBlock]:
    """W alone takes an update; and the last bias too; and the last matrix."""
    bare = nn.Sequential(nn.Linear(D, M), nn.ReLU(), nn.Linear(M, D, bias=False))
    return [block(), block(norm=nn.LayerNorm(D)), block(net=bare, norm=nn.LayerNorm(D)), block(skip=True)]


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("places", [one_behind_the_other, interleaved, column_major])
def test_views_that_share_no_place_are_not_tied(form: int, places: Places) -> None:
    """And in every format the weights are those of a block with memory for each parameter."""
    plain, flat = forms()[form].requires_grad_(False), laid(forms()[form], places)
    own_block("mine", flat)
    for mode in MODES:
        in_mode = SimpleNamespace(mode=mode, device="cpu")  # all that is read of a probed mode
        ours, theirs = (dict(block_in_format(made, in_mode).named_parameters()) for made in (flat, plain))  # type: ignore[arg-type]
        assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())


@pytest.mark.soak
def test_a_block_of_one_flat_buffer_is_measured() -> None:
    assert measured("formula", laid(block(norm=nn.LayerNorm(D)), one_behind_the_other)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("form", range(4))
def test_views_that_share_one_are_tied(form: int) -> None:
    with pytest.raises(UnusableBlock, match="is tied to"):
        own_block("mine", laid(forms()[form], overlapping))
