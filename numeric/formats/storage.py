"""How a format's numbers lie in torch's tensors, and rounding to a format that has no tensors of its own."""

import torch
from torch import Tensor

from numeric.formats.format import Format


def torch_dtype(storage: Format) -> torch.dtype:
    """Torch's dtype of a format."""
    dtype = getattr(torch, storage.dtype)
    assert isinstance(dtype, torch.dtype)
    return dtype


def round_to(x: Tensor, target: Format) -> Tensor:
    """x rounded to nearest, ties to even, in the format; held in x's dtype, which has at least its range.

    x: any shape, of fp32 or of a format that fp32 holds. What would pass Ω becomes infinite, or NaN in a format without an infinity.
    """
    wide = x.float()
    shift = 24 - target.significand_bits
    if shift <= 0 or not x.numel():
        return x
    nearest = _shortened(wide, shift)
    if target.min_exponent > -126:
        # Below the smallest normal number the spacing is constant: adding and subtracting a power of two rounds there.
        anchor, size = target.smallest_subnormal * 2.0**23, wide.abs()
        subnormal = size < target.smallest_normal
        size += anchor
        size -= anchor
        nearest = torch.where(subnormal, torch.copysign(size, wide), nearest)
    # To nearest nothing passes a number of the format, so within ±Ω all is done; a NaN makes both ends NaN. One look at all is cheaper than one at each.
    lowest, highest = torch.aminmax(wide)
    if -target.largest <= lowest.item() and highest.item() <= target.largest:
        return nearest.to(x.dtype)
    if target.max_exponent < 127:
        beyond = torch.where(wide < 0, -torch.inf, torch.inf) if not target.reserved else torch.nan
        nearest = torch.where(nearest.abs() > target.largest, beyond, nearest)
    return torch.where(torch.isfinite(wide), nearest, wide).to(x.dtype)


def _shortened(wide: Tensor, shift: int) -> Tensor:
    """A float32 number to nearest with fewer bits in its significand, ties to even: on the integer that its bits are."""
    bits = wide.view(torch.int32)
    rounded = bits >> shift  # and in place from here on: of large operands, memory is what takes the time
    rounded &= 1
    rounded += (1 << (shift - 1)) - 1
    rounded += bits
    rounded &= -(1 << shift)
    return rounded.view(torch.float32)


def in_storage(value: Tensor, target: Format) -> Tensor:
    """Numbers rounded to a format, in the dtype that holds it; the tensor itself if it is of that format."""
    return value.to(torch_dtype(target)) if target.native else round_to(value, target)
