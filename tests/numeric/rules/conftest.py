"""The precision of the balls that the rules are compared with."""

from collections.abc import Iterator

import pytest
from flint import ctx


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    saved, ctx.prec = ctx.prec, 256
    yield
    ctx.prec = saved
