"""What operators that move numbers are, over object arrays: numpy's words for it, or plain loops."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from flint import arb

Array = np.ndarray
Axes = Sequence[int] | int


def balls(x: Any) -> Array:
    """Whole numbers and truth values as balls, too."""
    made = np.empty(np.shape(x), dtype=object)
    for place in np.ndindex(made.shape):
        each = np.asarray(x, dtype=object)[place]
        made[place] = each if isinstance(each, arb) else arb(float(each)) if isinstance(each, float) else arb(int(each))
    return made


def filled(shape: Sequence[int], value: Any) -> Array:
    """One number everywhere."""
    made = np.empty(tuple(shape), dtype=object)
    made[...] = balls(np.asarray(value, dtype=object))
    return made


def changed(x: Array, places: Any, values: Any) -> Array:
    """A copy in which some entries are others."""
    made = balls(x).copy()
    made[places] = balls(values)
    return made


def at_axis(x: Array, axis: int, place: Any) -> tuple[Any, ...]:
    """The places whose coordinate along an axis is given."""
    return (slice(None),) * (axis % max(x.ndim, 1)) + (place,)


def gather(self: Array, dim: int, index: Array, **_: object) -> Array:
    made = np.empty(index.shape, dtype=object)
    for place in np.ndindex(index.shape):
        made[place] = self[_other(place, dim, index[place])] if index.ndim and self.ndim else self.reshape(-1)[0]
    return made


def _other(place: tuple[int, ...], dim: int, coordinate: int) -> tuple[int, ...]:
    axis = dim % len(place)
    return (*place[:axis], int(coordinate), *place[axis + 1 :])


def scatter(self: Array, dim: int, index: Array, src: Any) -> Array:
    made = balls(self).copy()
    for place in np.ndindex(index.shape):
        value = src if np.ndim(src) == 0 else src[place]
        made[_other(place, dim, index[place]) if place else ()] = balls(np.asarray(value, dtype=object))[()]
    return made


def scatter_add(self: Array, dim: int, index: Array, src: Array) -> Array:
    made = balls(self).copy()
    for place in np.ndindex(index.shape):
        to = _other(place, dim, index[place]) if place else ()
        made[to] = made[to] + src[place]
    return made


def index_add(self: Array, dim: int, index: Array, source: Array, *, alpha: float = 1) -> Array:
    made = balls(self).copy()
    for place, to in enumerate(np.atleast_1d(index)):
        at = at_axis(self, dim, int(to)) if self.ndim else ()
        made[at] = made[at] + arb(alpha) * (source[at_axis(source, dim, place)] if source.ndim else source[()])
    return made


def index_copy(self: Array, dim: int, index: Array, source: Array) -> Array:
    made = balls(self).copy()
    for place, to in enumerate(np.atleast_1d(index)):
        at = at_axis(self, dim, int(to)) if self.ndim else ()
        made[at] = source[at_axis(source, dim, place)] if source.ndim else source[()]
    return made


def index_fill(self: Array, dim: int, index: Array, value: Any) -> Array:
    return changed(self, at_axis(self, dim, np.atleast_1d(index)) if self.ndim else (), value)


def index_put(self: Array, indices: Sequence[Any], values: Array, accumulate: bool = False, unsafe: bool = False) -> Array:
    places = tuple(slice(None) if each is None else each for each in indices)
    made = balls(self).copy()
    if accumulate:
        np.add.at(made, places, values)
    else:
        made[places] = values
    return made


def put(self: Array, index: Array, source: Array, accumulate: bool = False) -> Array:
    flat = index_put(self.reshape(-1), [np.asarray(index).reshape(-1)], source.reshape(-1), accumulate)
    return flat.reshape(self.shape)


def index(self: Array, indices: Sequence[Any]) -> Array:
    return np.asarray(self[tuple(slice(None) if each is None else each for each in indices)], dtype=object)


def index_select(self: Array, dim: int, index: Array) -> Array:
    return np.take(self, np.atleast_1d(index), axis=dim) if self.ndim else self


def cat(tensors: Sequence[Array], dim: int = 0) -> Array:
    return np.concatenate([balls(each) for each in tensors if each.shape != (0,)] or list(tensors), axis=dim)


def block_diag(tensors: Sequence[Array]) -> Array:
    blocks = [np.atleast_2d(each) for each in tensors]
    made, row, column = filled((sum(each.shape[0] for each in blocks), sum(each.shape[1] for each in blocks)), 0), 0, 0
    for each in blocks:
        made[row : row + each.shape[0], column : column + each.shape[1]] = each
        row, column = row + each.shape[0], column + each.shape[1]
    return made


def repeat(self: Array, repeats: Sequence[int]) -> Array:
    return np.tile(self.reshape((1,) * (len(repeats) - self.ndim) + self.shape), tuple(repeats))


def roll(self: Array, shifts: Axes, dims: Axes = ()) -> Array:
    return np.roll(self, shifts, axis=tuple(dims) if not isinstance(dims, int) and dims else None if not isinstance(dims, int) else dims)


def triangle(lower: bool) -> Callable[..., Array]:
    def of(self: Array, diagonal: int = 0) -> Array:
        row, column = np.indices(self.shape[-2:])
        keeps = column - row <= diagonal if lower else column - row >= diagonal
        return np.where(np.broadcast_to(keeps, self.shape), self, filled((), 0))

    return of


def pad(self: Array, pad: Sequence[int], value: float = 0) -> Array:
    made = balls(self)
    for axis, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        made = np.moveaxis(made, -1 - axis, 0)
        made = made[max(-before, 0) : len(made) - max(-after, 0)]
        made = np.concatenate([filled((max(before, 0), *made.shape[1:]), value), made, filled((max(after, 0), *made.shape[1:]), value)])
        made = np.moveaxis(made, 0, -1 - axis)
    return made


def slice_scatter(self: Array, src: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    return changed(self, at_axis(self, dim, slice(start, end, step)), src)


def diagonal_scatter(self: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    made = balls(self).copy()
    seen = np.moveaxis(made, (dim1, dim2), (-2, -1))
    for k in range(src.shape[-1]):
        seen[..., k + max(-offset, 0), k + max(offset, 0)] = src[..., k]
    return made


def diag_embed(self: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Array:
    size = self.shape[-1] + abs(offset)
    made = filled((*self.shape[:-1], size, size), 0)
    for k in range(self.shape[-1]):
        made[..., k + max(-offset, 0), k + max(offset, 0)] = self[..., k]
    return np.moveaxis(made, (-2, -1), (dim1, dim2))


def masked_select(self: Array, mask: Array) -> Array:
    self, mask = np.broadcast_arrays(self, mask)
    return np.asarray(self[mask.astype(bool)], dtype=object)


def masked_scatter(self: Array, mask: Array, source: Array) -> Array:
    made, mask = balls(np.broadcast_to(self, np.broadcast_shapes(self.shape, mask.shape))).copy(), np.asarray(mask)
    mask = np.broadcast_to(mask, made.shape)
    made[mask] = source.reshape(-1)[: int(mask.sum())]
    return made


def unfold(self: Array, dimension: int, size: int, step: int) -> Array:
    if not self.ndim:
        return self.reshape(1)[:size]
    return np.lib.stride_tricks.sliding_window_view(self, size, axis=dimension)[at_axis(self, dimension, slice(None, None, step))]


def split(self: Array, split_sizes: Sequence[int], dim: int = 0) -> list[Array]:
    return np.split(self, np.cumsum(split_sizes)[:-1], axis=dim)


def as_strided(self: Array, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Array:
    made = np.empty(tuple(size), dtype=object)
    for place in np.ndindex(made.shape):  # of a whole tensor, which the samples are
        made[place] = self.reshape(-1)[(storage_offset or 0) + sum(a * b for a, b in zip(place, stride, strict=True))]
    return made


def shuffle(self: Array, upscale_factor: int) -> Array:
    r, (c, h, w) = upscale_factor, self.shape[-3:]
    split_up = self.reshape(*self.shape[:-3], c // r**2, r, r, h, w)
    n = split_up.ndim
    return split_up.transpose(*range(n - 5), n - 5, n - 2, n - 4, n - 1, n - 3).reshape(*self.shape[:-3], c // r**2, h * r, w * r)


def unshuffle(self: Array, downscale_factor: int) -> Array:
    r, (c, h, w) = downscale_factor, self.shape[-3:]
    split_up = self.reshape(*self.shape[:-3], c, h // r, r, w // r, r)
    n = split_up.ndim
    return split_up.transpose(*range(n - 5), n - 5, n - 3, n - 1, n - 4, n - 2).reshape(*self.shape[:-3], c * r**2, h // r, w // r)


def channels(self: Array, groups: int) -> Array:
    n, c, *rest = self.shape
    return self.reshape(n, groups, c // groups, *rest).swapaxes(1, 2).reshape(self.shape)


def same(self: Any, *_: object, **__: object) -> Array:
    return balls(self)


def cast(self: Any, *, dtype: torch.dtype | None = None, **_: object) -> Array:
    """Whole numbers are cut off; truth is what is not 0."""
    x = balls(self)
    if dtype is None or dtype.is_floating_point:
        return x
    made = np.empty(x.shape, dtype=object)
    for place in np.ndindex(x.shape):
        each = x[place]
        made[place] = bool(each != 0) if dtype == torch.bool else each.floor() if each >= 0 else each.ceil()
    return made


def constant(value: int) -> Callable[..., Array]:
    return lambda self, *given, **_: filled(given[0] if given else np.shape(self), value)


REFERENCES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys((f"aten.{name}.default" for name in ("clone", "alias_copy", "detach_copy", "lift_fresh_copy")), same),
    "aten._to_copy.default": cast,
    **dict.fromkeys(("aten.view_copy.default", "aten._unsafe_view.default"), lambda self, size: self.reshape(tuple(size))),
    "aten.copy.default": lambda self, src, non_blocking=False: np.broadcast_to(balls(src), np.shape(self)),
    "aten.flip.default": lambda self, dims: np.flip(self, tuple(dims)) if self.ndim else self,
    "aten.roll.default": roll,
    "aten.rot90.default": lambda self, k=1, dims=(0, 1): np.rot90(self, k, tuple(dims)),
    "aten.repeat.default": repeat,
    "aten.tril.default": triangle(True),
    "aten.triu.default": triangle(False),
    "aten.diag_embed.default": diag_embed,
    "aten.pixel_shuffle.default": shuffle,
    "aten.pixel_unshuffle.default": unshuffle,
    "aten.channel_shuffle.default": channels,
    "aten.split_with_sizes_copy.default": split,
    "aten.split_copy.Tensor": lambda self, split_size, dim=0: np.split(self, range(split_size, self.shape[dim], split_size), axis=dim),
    "aten.unbind_copy.int": lambda self, dim=0: [np.asarray(each, dtype=object) for each in np.moveaxis(self, dim, 0)],
    "aten.diagonal_copy.default": lambda self, offset=0, dim1=0, dim2=1: np.diagonal(self, offset, dim1, dim2),
    "aten.expand_copy.default": lambda self, size, implicit=False: np.broadcast_to(
        self, [old if new == -1 else new for new, old in zip(size, (1,) * (len(size) - self.ndim) + self.shape, strict=True)]
    ),
    "aten.permute_copy.default": lambda self, dims: np.transpose(self, tuple(dims)),
    "aten.t_copy.default": lambda self: self.T,
    "aten.transpose_copy.int": lambda self, dim0, dim1: np.swapaxes(self, dim0, dim1) if self.ndim else self,
    "aten.unsqueeze_copy.default": lambda self, dim: np.expand_dims(self, dim),
    "aten.unfold_copy.default": unfold,
    "aten.squeeze_copy.default": lambda self: np.squeeze(self),
    "aten.squeeze_copy.dim": lambda self, dim: np.squeeze(self, dim) if self.ndim and self.shape[dim] == 1 else self,
    "aten.squeeze_copy.dims": lambda self, dim: np.squeeze(self, tuple(each for each in dim if self.shape[each] == 1)) if self.ndim else self,
    "aten.select_copy.int": lambda self, dim, index: np.asarray(self[at_axis(self, dim, index)], dtype=object),
    "aten.slice_copy.Tensor": lambda self, dim=0, start=None, end=None, step=1: self[at_axis(self, dim, slice(start, end, step))],
    "aten.narrow_copy.default": lambda self, dim, start, length: self[at_axis(self, dim, slice(start, (start % max(self.shape[dim], 1)) + length))],
    "aten.as_strided_copy.default": as_strided,
    "aten.constant_pad_nd.default": pad,
    "aten.cat.default": cat,
    "aten.stack.default": lambda tensors, dim=0: np.stack([balls(each) for each in tensors], axis=dim),
    "aten.block_diag.default": block_diag,
    "aten.slice_scatter.default": slice_scatter,
    "aten.select_scatter.default": lambda self, src, dim, index: changed(self, at_axis(self, dim, index), src),
    "aten.diagonal_scatter.default": diagonal_scatter,
    "aten.masked_scatter.default": masked_scatter,
    "aten.masked_select.default": masked_select,
    "aten.gather.default": gather,
    "aten.take.default": lambda self, index: np.asarray(self.reshape(-1)[index], dtype=object),
    "aten.index_select.default": index_select,
    "aten.embedding.default": lambda weight, indices, *_, **__: np.asarray(weight[indices], dtype=object),
    **dict.fromkeys(("aten.index.Tensor", "aten._unsafe_index.Tensor"), index),
    "aten.scatter.src": scatter,
    "aten.scatter.value": lambda self, dim, index, value: scatter(self, dim, index, value),
    "aten.scatter_add.default": scatter_add,
    "aten.index_add.default": index_add,
    "aten.index_copy.default": index_copy,
    **dict.fromkeys(("aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor"), index_fill),
    **dict.fromkeys(("aten.index_put.default", "aten._unsafe_index_put.default", "aten._index_put_impl.default"), index_put),
    "aten.put.default": put,
    **dict.fromkeys(("aten.fill.Scalar", "aten.fill.Tensor"), lambda self, value: filled(np.shape(self), value)),
    "aten.full_like.default": lambda self, fill_value, **_: filled(np.shape(self), fill_value),
    "aten.new_full.default": lambda self, size, fill_value, **_: filled(size, fill_value),
    **dict.fromkeys(("aten.zero.default", "aten.zeros_like.default", "aten.new_zeros.default"), constant(0)),
    **dict.fromkeys(("aten.ones_like.default", "aten.new_ones.default"), constant(1)),
    **dict.fromkeys(("aten.empty_like.default", "aten.new_empty.default", "aten.new_empty_strided.default"), lambda self, *_, **__: None),
}
"""By overload, with ATen's argument names."""
