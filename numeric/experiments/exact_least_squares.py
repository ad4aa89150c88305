"""The same least squares in exact rationals (python-flint's ``fmpq_mat``), and how far a patch in fp64 lies from them.

The floats of A and V are taken as the rationals that they are, so both numbers below are certified: nothing is rounded but the last
division, and that upwards. Rows of ΔW are problems of their own, so some of them stand for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_mat

from numeric.experiments.least_squares import SingularPatch

Rows = Sequence[Sequence[float | Fraction]]


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a patch lies from the exact one."""

    patch: float
    """Certified: largest entry of the difference over the largest entry of the exact patch."""
    normal: float
    """Certified: largest entry of (ΔW A - V)Aᵀ + λΔW, which is zero for the exact patch, over the largest entry of VAᵀ."""


def rational(rows: Rows) -> fmpq_mat:
    """Floats and fractions as the rationals that they are, by rows."""
    return fmpq_mat(len(rows), len(rows[0]), [fmpq(*x.as_integer_ratio()) for row in rows for x in row])


def exact_patch(A: fmpq_mat, V: fmpq_mat, ridge: fmpq | int = 0) -> fmpq_mat:
    """ΔW exactly.  A: (d, K); V: (m, K); ridge: λ ≥ 0. Returns (m, d). Raises SingularPatch."""
    d, K = A.nrows(), A.ncols()
    try:
        if ridge == 0 and d > K:
            return (A * (A.transpose() * A).solve(V.transpose())).transpose()
        return (A * A.transpose() + _times_identity(ridge, d)).solve(A * V.transpose()).transpose()
    except ZeroDivisionError as error:
        raise SingularPatch(f"the {K} vectors A(x) span {A.rank()} directions of {d}, and a patch for them needs {min(d, K)}.") from error


def distance(patch: fmpq_mat, A: fmpq_mat, V: fmpq_mat, ridge: fmpq | int = 0) -> Distance:
    """How far a patch is from the exact one.  patch: (m, d); A, V and ridge as above, and V Aᵀ ≠ 0. Raises SingularPatch."""
    right = exact_patch(A, V, ridge)
    normal = (patch * A - V) * A.transpose() + patch * _times_identity(ridge, A.nrows())
    return Distance(_share(patch - right, right), _share(normal, V * A.transpose()))


def _times_identity(value: fmpq | int, size: int) -> fmpq_mat:
    return fmpq_mat(size, size, [value if i == j else 0 for i in range(size) for j in range(size)])


def _share(part: fmpq_mat, whole: fmpq_mat) -> float:
    """The largest entry of the one over that of the other, rounded upwards."""
    largest = [max(abs(x) for x in matrix.entries()) for matrix in (part, whole)]
    exactly = Fraction(int(largest[0].p), int(largest[0].q)) / Fraction(int(largest[1].p), int(largest[1].q))
    nearest = float(exactly)
    return nearest if Fraction(nearest) >= exactly else math.nextafter(nearest, math.inf)
