"""Parameters that read what W reads, and that ``first`` may have left out: an expert's router, a gate, the first matrix of an adapter.

They are W, too: one rank-one update serves all that read one z. Left out, they bring the context past W, and what they make is refused further on.
"""

from numeric.operators.labels import DATA, MATRIX_PRODUCTS, Made
from numeric.operators.recording import OperandRead, Record, Recording


def read_beside(trace: Recording) -> str:
    """Their names, in words for the end of what a refusal found; empty if there are none."""
    products = [found for record in trace.records if (found := _product(record)) is not None]
    read = [rows for rows, matrix in products if matrix.made & Made.FIRST]
    names = {
        matrix.source
        for rows, matrix in products
        if matrix.source
        and matrix.made & Made.PARAMETER
        and not matrix.made & Made.FIRST
        and any(rows.holds_the_same(z.value) or z.holds_the_same(rows.value) for z in read)
    }
    also = "also reads" if len(names) == 1 else "also read"
    return f" ({' and '.join(sorted(names))} {also} what W reads; what is W, too, belongs into first)" if names else ""


def _product(record: Record) -> tuple[OperandRead, OperandRead] | None:
    """What a product of data with a parameter multiplies, and the parameter."""
    left = MATRIX_PRODUCTS.get(record.step.operator)
    factors = [each for each in record.operands if left is not None and each.index in (left, left + 1)]
    data = [each for each in factors if each.made & DATA]
    return (data[0], next(each for each in factors if each is not data[0])) if len(factors) == 2 and len(data) == 1 else None
