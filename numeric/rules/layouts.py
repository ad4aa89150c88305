"""How the operands of an elementwise or row-by-row kernel may lie in memory: a library chooses its code by that, and with it its errors.

ATen runs vector code on entries that are next to each other; scalar code, with the functions of the C library, on entries that lie apart and on the end of
a row that fills no register; for GELU a kernel of oneDNN, on whole contiguous tensors alone. A mean of rows that lie column by column is summed in
another order. So what is assumed of a function is assumed of it in every layout, and it is asked in each of these.
"""

from collections.abc import Callable, Iterator

from torch import Tensor

from numeric.machine.operands import Operand

PLAIN = "as torch makes them"

Place = Callable[[int, int], tuple[tuple[int, int], int]]
"""From the number of rows and their width to the strides and the first entry's place, both in entries."""

LAYOUTS: dict[str, Place] = {
    PLAIN: lambda rows, width: ((width, 1), 0),
    "one entry off": lambda rows, width: ((width, 1), 1),
    "as slices of longer rows": lambda rows, width: ((width + 1, 1), 1),
    "with every other entry left out": lambda rows, width: ((2 * width, 2), 0),
    "column by column": lambda rows, width: ((1, rows), 0),
    "as slices of longer columns": lambda rows, width: ((1, rows + 1), 1),
    "as one row for all": lambda rows, width: ((0, 1), 0),
    "as one number a row": lambda rows, width: ((1, 0), 0),
}
"""By the words that follow "operands that lie"."""


def laid_out(values: Tensor, place: Place, device: str) -> Tensor:
    """Rows of numbers in a layout; of one that was expanded, the first row or the first of each row.  values: (rows, width)."""
    strides, first = place(*values.shape)
    dtype = str(values.dtype).removeprefix("torch.")
    return Operand(dtype, tuple(values.shape), strides, first * values.dtype.itemsize).laid_out(values, device)


def in_every_layout(values: Tensor, device: str) -> Iterator[tuple[str, Tensor]]:
    """Rows of numbers in each layout.  values: (rows, width)."""
    for words, place in LAYOUTS.items():
        yield words, laid_out(values, place, device)
