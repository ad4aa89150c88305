"""The rules that make a bound tighter than a γ for every operation: each with its proof, each can be switched off.

A refinement may use magnitudes that were met on the way; none uses the difference under test.
"""

from enum import StrEnum


class Refinement(StrEnum):
    """A named rule."""

    SUMMATION_ORDER = "summation-order"
    """Where the order of a sum is known, u Σ|s_t| over its partial sums stands for γ_n Σ|x_k y_k|.

    *Proof.* ``numeric.summation``. Higham, §3.3; it is at most the other, and for terms of mixed signs some √n times smaller.
    """
    FIRST_PLACE = "unit-in-the-first-place"
    """An error of rounding to nearest is at most u times the largest power of two that is not above the result.

    *Proof.* Between 2^e and 2^(e+1) the numbers of the format are 2u·2^e apart, so one of them is within u·2^e; and rounding is monotone,
    so the result is at least 2^e. Rump, Ogita and Oishi, SIAM J. Sci. Comput. 31 (2008), (2.2): |fl(t) - t| ≤ u ufp(t) ≤ u ufp(fl(t)).
    """
    EXACT_DIFFERENCES = "exact-differences"
    """x - y is exact if it is smaller than 2·ufp of the smaller operand, or if an operand is zero.

    *Proof.* Both are multiples of g = 2u·ufp(min), hence so is x - y; an integer below 2^p = 1/u in units of g is a number of the format. Sterbenz'
    lemma (y/2 ≤ x ≤ 2y; Higham, Theorem 2.5) is the special case.
    """
    EXACT_PRODUCTS = "exact-products"
    """A product of two p-bit numbers has 2p bits, so it is exact in an accumulator of 2p bits, and n terms are rounded n - 1 times."""


REFINEMENTS = frozenset(Refinement)
