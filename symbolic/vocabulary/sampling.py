"""Of how many of a cell's cases the expected bound is computed: it judges nothing, and costs more than the bound that judges."""

EXPECTED_EVERY = 8
"""It is computed in the first of so many batches."""

EXPECTED_OF = 128
"""And there of so many cases, the first ones."""


def expects(number: int) -> int:
    """Of how many cases of a cell's batch it is computed.  number: of the batch, from 0."""
    return EXPECTED_OF if number % EXPECTED_EVERY == 0 else 0


def expected_cases(cases: int, batch: int) -> int:
    """Of how many of a cell's cases, computed so many at once, it is computed."""
    return sum(min(EXPECTED_OF, batch, cases - start) for start in range(0, cases, batch * EXPECTED_EVERY))
