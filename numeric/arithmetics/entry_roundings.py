"""The roundings of the entries of a matrix a case: each entry's own, and met by one product.

The standard deviation of an entry is a fixed share of its size, so Σ_j σ_ij² y_j² costs what the matrix's short form does
(``LinearMap.deviation``), not m·d numbers a case.

**Absorbed entries.** Where |Û_ij| ≤ u·ufp(W_ij) the sum W_ij + Û_ij is W_ij again, so its error is -Û_ij, which is not random: over a
row these add up to a part of v̂_i that is lost (stagnation; Croci, Fasi, Higham, Mary and Mikaitis, "Stochastic rounding:
implementation, error analysis and applications", R. Soc. Open Sci. 9 (2022)). They are added up as they are, entry by entry in the
rows where there is any, into a *known* error κ_i, and the bound is |κ_i| + λσ_i (``uniform_errors.py``).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.arithmetics.roundoff import first_place
from numeric.arithmetics.sensitivities import LinearMap, root_sum_squares
from numeric.formats import Format

_ROWS_AT_ONCE = 8192  # of a matrix a case, so that the rows of all cases need not be held


@dataclass(frozen=True, slots=True)
class Roundings:
    """Errors of the entries of a matrix a case, each entry's own."""

    relative: tuple[tuple[float, LinearMap], ...] = ()
    """Standard deviations |matrix|·factor, as pairs of the factor and the matrix."""
    absolute: Tensor | None = None
    """One for all entries: (cases, 1, 1)."""
    absorbed: tuple[tuple[Tensor, LinearMap], ...] = ()
    """Updates that are lost entry by entry where they are not above a threshold: pairs of the thresholds, (p, q), and the update."""

    def plus(self, other: "Roundings") -> "Roundings":
        """Both; independent of one another."""
        absolute = other.absolute if self.absolute is None else self.absolute if other.absolute is None else torch.hypot(self.absolute, other.absolute)
        return Roundings(self.relative + other.relative, absolute, self.absorbed + other.absorbed)

    def divided(self, divisor: Tensor) -> "Roundings":
        """The quotient by a number a case."""
        assert not self.absorbed
        relative = tuple((factor, matrix.divided(divisor)) for factor, matrix in self.relative)
        return Roundings(relative, None if self.absolute is None else self.absolute / divisor.abs())

    def deviation(self, y: Tensor) -> Tensor:
        """√Σ_j σ_ij² y_j².  y: (cases, q, 1). Returns what broadcasts to (cases, p, 1)."""
        total = torch.zeros((1, 1, 1), dtype=torch.float64, device=y.device)
        for factor, matrix in self.relative:
            total = torch.hypot(total, factor * matrix.deviation(y.abs()))
        return total if self.absolute is None else torch.hypot(total, self.absolute * root_sum_squares(y))

    def known(self, y: Tensor) -> Tensor | None:
        """κ: what the absorbed entries make of a column.  y: (cases, q, 1). Returns (cases, p, 1), or None if there are none."""
        parts = [-_absorbed(thresholds, update, y) for thresholds, update in self.absorbed]
        return sum(parts[1:], start=parts[0]) if parts else None


def absorbing(near: LinearMap, target: Format) -> tuple[tuple[Tensor, LinearMap], ...]:
    """Of W + update, W of the target format: what is absorbed when the sum is rounded to it."""
    if not near.shared or not near.outers:
        return ()
    matrix = near.shared[0][1]
    return ((first_place(matrix).clamp_min(target.smallest_normal) * target.unit_roundoff, LinearMap(outers=near.outers)),)


def _absorbed(thresholds: Tensor, update: LinearMap, y: Tensor) -> Tensor:
    """Σ_j U_ij y_j over the entries that are not above their threshold.  thresholds: (p, q); y: (cases, q, 1). Returns (cases, p, 1).

    Rows whose largest entry is over 8 times the largest threshold are left out: of them next to nothing is absorbed.
    """
    largest = torch.stack([col.abs() * row.abs().amax(-1, keepdim=True) for col, row in update.outers]).sum(0)
    cases, rows = torch.nonzero((largest <= 8 * thresholds.amax(-1, keepdim=True)).squeeze(-1), as_tuple=True)
    found = torch.zeros_like(largest)
    for case, of in zip(cases.split(_ROWS_AT_ONCE), rows.split(_ROWS_AT_ONCE), strict=True):
        updates = torch.stack([col[case, of] * row[case, 0] for col, row in update.outers]).sum(0)
        lost = torch.where(updates.abs() <= thresholds[of], updates, 0.0)
        found[case, of] = (lost * y[case, :, 0]).sum(-1, keepdim=True)
    return found
