"""What one rounding loses, given the number that came out: the constants of which every arithmetic here makes its bounds.

    γ_k = ku/(1 - ku)           k roundings, one after the other                  Higham, Lemma 3.1
    ω(ẑ) = u·ufp(ẑ) ≤ u|ẑ|      one rounding to nearest, without underflow        ``Refinement.FIRST_PLACE``
    0                           of a sum that is known to be of the format        ``Refinement.EXACT_DIFFERENCES``

ufp(z) is the largest power of two that is not above |z|.
"""

import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope, outward
from numeric.formats import round_to
from numeric.machine import ErrorModel, Refinement


def gamma(k: int, unit_roundoff: float) -> float:
    """γ_k = ku/(1 - ku); infinite where ku ≥ 1.  Higham, Lemma 3.1."""
    ku = k * unit_roundoff
    return ku / (1.0 - ku) if ku < 1.0 else float("inf")


def first_place(x: Tensor) -> Tensor:
    """ufp(x), the largest power of two that is not above |x|; 0 for zero and for subnormal numbers.  Any format; infinities stay."""
    kinds = {torch.float64: (torch.int64, 0x7FF0000000000000), torch.float32: (torch.int32, 0x7F800000), torch.bfloat16: (torch.int16, 0x7F80)}
    integer, mask = kinds.get(x.dtype, (torch.int16, 0x7C00))
    return (x.view(integer) & mask).view(x.dtype)


def rounding_error(value: Tensor, n: ErrorModel, *, once: bool = False) -> Tensor:
    """Error of an elementwise operation, given its result; with ``once``, of the rounding to storage alone.  float64."""
    size = value.double().abs()
    nearest = first_place(size) if n.refines(Refinement.FIRST_PLACE) else size
    error = nearest * n.storage.unit_roundoff
    if not once and n.opmath != n.storage:
        error = error + size * (2.0 * n.opmath.unit_roundoff)
    return outward(error, 3)


def entrywise_rounding(value: Tensor, magnitude: Envelope, n: ErrorModel) -> Envelope:
    """The same for every entry of a matrix a case, as an envelope."""
    if not n.refines(Refinement.FIRST_PLACE) or value.dim() == 2:
        return magnitude.scaled(n.elementwise_roundoff)
    u = torch.full((1, 1, 1), n.storage.unit_roundoff, dtype=torch.float64, device=value.device)
    rounding = Envelope(weighted=((first_place(value), u),))
    return rounding if n.opmath == n.storage else rounding + magnitude.scaled(2.0 * n.opmath.unit_roundoff)


def sum_error(x: Tensor, y: Tensor, value: Tensor, n: ErrorModel) -> Tensor:
    """Error of one addition or subtraction of two columns: none where the result is known to be a number of the format."""
    error = rounding_error(value, n)
    if not n.refines(Refinement.EXACT_DIFFERENCES) or not x.dtype == y.dtype == value.dtype:
        return error
    normal = n.storage.smallest_normal
    smaller = torch.minimum(*(first_place(t.double()).clamp_min(normal) for t in (x, y)))
    known = (value.double().abs() < 2 * smaller) | (x == 0) | (y == 0)
    return torch.where(known, 0.0, error)


def operand_error(x: Tensor, n: ErrorModel) -> Tensor:
    """What a product's operand loses by being rounded to the operands' format; nothing if it is of it.  float64."""
    assert n.operands is not None
    size = x.double().abs()
    lost = outward(size * n.operands.unit_roundoff + n.operands.half_subnormal, 2)
    return torch.where(round_to(x, n.operands) == x, 0.0, lost)


def subnormal_part(size: Tensor, n: ErrorModel) -> Tensor:
    """The entries that a kernel which flushes would read as zero; zero elsewhere."""
    return torch.where(size < n.storage.smallest_normal, size, torch.zeros_like(size))
