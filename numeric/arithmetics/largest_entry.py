"""max|x| of each case, in whatever arithmetic x is of: each registers its own."""

from functools import singledispatch
from typing import Any

from torch import Tensor


@singledispatch
def largest_entry(x: Any) -> Any:
    """max|x| of each case, as a 1x1 value.  x: (cases, d, 1), exact."""
    raise NotImplementedError(type(x))


@largest_entry.register
def _(x: Tensor) -> Tensor:
    return x.abs().amax((-2, -1), keepdim=True)
