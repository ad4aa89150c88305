"""Whether two tensors share a place in memory: then what is written through one is read through the other.

Tensors of one storage need not: parameters may be views of one flat buffer, one behind the other, or interleaved. A tensor of sizes s and strides t
has its entries at the addresses start + Σ iₖtₖ, 0 ≤ iₖ < sₖ; whether two such sets meet is a bounded linear Diophantine equation, which numpy solves
exactly (``numpy.shares_memory``).
"""

from typing import Any

import numpy as np
from torch import Tensor


class _Places:
    """A tensor as numpy's interface describes it: where its entries lie, and nothing of what they hold."""

    def __init__(self, x: Tensor) -> None:
        size = x.element_size()
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "typestr": f"|V{size}",
            "data": (x.data_ptr(), True),
            "shape": tuple(x.shape),
            "strides": tuple(stride * size for stride in x.stride()),
        }


def share_a_place(x: Tensor, y: Tensor) -> bool:
    """Whether a byte belongs to an entry of both.  No value is read, so they may be of any dtype and on any device."""
    if x.device != y.device or not (x.numel() and y.numel()):
        return False
    return np.shares_memory(np.asarray(_Places(x)), np.asarray(_Places(y)))
