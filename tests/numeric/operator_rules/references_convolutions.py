"""A convolution by its sums over balls: each entry of the result is a sum over the channels of its group and the places of the kernel."""

from collections.abc import Sequence

import numpy as np
from flint import arb

Array = np.ndarray


def convolution(  # ATen's arguments
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    """x (B, C, ...) ∗ w (F, C/groups, ...) + b; transposed, w is (C, F/groups, ...)."""
    n = weight.ndim - 2
    stride, padding, dilation, output_padding = ([each[0]] * n if len(each) == 1 else list(each) for each in (stride, padding, dilation, output_padding))
    size, kernel = input.shape[2:], weight.shape[2:]
    out_channels = weight.shape[1] * groups if transposed else weight.shape[0]
    if transposed:
        sizes = [(size[d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + output_padding[d] + 1 for d in range(n)]
    else:
        sizes = [(size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d in range(n)]
    made = np.empty((input.shape[0], out_channels, *sizes), dtype=object)
    for place in np.ndindex(made.shape):
        made[place] = arb(0) if bias is None else bias[place[1]]
    per_group = out_channels // groups, input.shape[1] // groups
    for case in range(input.shape[0]):
        for out in range(out_channels):
            group = out // per_group[0]
            for channel in range(per_group[1]):
                source = group * per_group[1] + channel
                for tap in np.ndindex(*kernel):
                    w = weight[(source, out % per_group[0], *tap)] if transposed else weight[(out, channel, *tap)]
                    for at in np.ndindex(*(size if transposed else sizes)):
                        other = tuple(at[d] * stride[d] - padding[d] + tap[d] * dilation[d] for d in range(n))
                        read, written = (at, other) if transposed else (other, at)
                        if all(0 <= each < most for each, most in zip(other, sizes if transposed else size, strict=True)):
                            made[(case, out, *written)] = made[(case, out, *written)] + input[(case, source, *read)] * w
    return made
