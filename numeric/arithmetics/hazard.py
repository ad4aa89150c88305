"""What can go wrong in the cases of a batch: a case in which something did, or could, is not judged.

**An overflow leaves a trace, or it hides.** Of ∞ and a finite number a sum is ∞; a product is ∞, or NaN with 0; a quotient of ∞ is ∞; of two of them each
is ∞ or NaN. So what overflows in a sum, a product, a matrix product or the argument of x·G(x) comes out as a result that is not finite, and a
case whose results are all finite is judged. An overflow hides where the machine divides by it, x/∞ = 0, or takes a function of it that is finite. There
are these places:

    x / s               s is a scalar on the way, and marked as not finite where it comes out (``not_finite``)
    1/√(M/n + ε)        M, the sum of squares of a normalisation, is seen by nobody outside the kernel: ``hides``
    e^{-t}, tanh, erf   0, ±1, ±1: the limits are what these rules allow for (``numeric/rules/activations.py``, ``normalisation.py``)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.formats import Format


@dataclass(slots=True)
class Hazards:
    """What can go wrong in the cases of a batch: foretold by the operands, or seen in a result."""

    overflow: Tensor
    """(cases,) bool: a magnitude could pass Ω, so an infinity would be no surprise."""
    underflow: Tensor
    """(cases,) bool: a denominator cannot be told from zero."""
    not_finite: Tensor
    """(cases,) bool: a vector or a scalar on the way came out infinite or NaN. A later step can hide it: x/∞ = 0."""
    undecided: Tensor
    """(cases,) bool: which entries are the largest cannot be told, so neither which experts are chosen."""
    hidden: Tensor
    """(cases,) bool: a magnitude inside a kernel could pass Ω and leave a finite result, such as x/√∞ = 0."""
    unforeseen: Tensor
    """(cases,) bool: a vector or a scalar came out infinite or NaN when nothing had foretold it: no limit of the format, but a fault."""

    def overflowed(self, finite: Tensor) -> Tensor:
        """(cases,) bool: an overflow was foretold, and it was met or could hide.  finite: (cases,) bool, whether all results are."""
        return (self.hidden | (self.overflow & (self.not_finite | ~finite))) & ~self.unforeseen

    def came_out(self, value: Tensor) -> None:
        """Mark the cases whose result is not finite, after what its operands foretold was marked.  value: (cases, p, 1) or (cases, 1, q).

        A NaN is no magnitude below Ω, so whatever reads it would foretell what has happened already: the first result that is not finite decides.
        """
        lost = ~torch.isfinite(value).all(-1).all(-1)
        self.not_finite |= lost
        self.unforeseen |= lost & ~(self.overflow | self.underflow | self.hidden | self.undecided)


def hazards(cases: int, device: torch.device | str = "cpu") -> Hazards:
    """No hazards yet, for that many cases."""
    return Hazards(*(torch.zeros(cases, dtype=torch.bool, device=device) for _ in range(6)))


def foretell_overflow(hazards: Hazards, largest: Tensor, storage: Format, *, hides: bool = False) -> None:
    """Mark the cases in which a magnitude could round to infinity.

    largest: (cases, 1, 1) or (1, 1, 1); hides: whether a finite result could come of it.
    """
    passes = ~(largest < storage.largest).reshape(-1)
    hazards.overflow |= passes
    if hides:
        hazards.hidden |= passes
