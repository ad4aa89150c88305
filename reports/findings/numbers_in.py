"""Every float in a part of the record, for what has to be true of all of them."""

import math
from collections.abc import Iterator


def numbers_in(values: object) -> Iterator[float]:
    """Every float in a dumped row."""
    if isinstance(values, float):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from numbers_in(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from numbers_in(value)


def has_nan(values: object) -> bool:
    """Whether one of them is not a number."""
    return any(map(math.isnan, numbers_in(values)))
