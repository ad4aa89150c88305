"""The rules that make a bound tighter than a γ for every operation: each with its proof, each can be switched off.

A refinement may use magnitudes that were met on the way; none uses the difference under test.
"""

from collections.abc import Sequence
from enum import StrEnum

from symbolic.vocabulary import CallError, chosen


class UnknownRefinement(CallError):
    """No refinement of that name."""


class Refinement(StrEnum):
    """A named rule."""

    SUMMATION_ORDER = "summation-order"
    """Where the order of a sum is known, u Σ|s_t| over its partial sums stands for γ_n Σ|x_k y_k|.

    *Proof.* ``numeric.machine.summation_tree``. Higham, §3.3; it is at most the other, and for terms of mixed signs some √n times smaller.
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


TITLES = {
    Refinement.SUMMATION_ORDER: "a sum whose order was revealed errs by u Σ|its partial sums|, not γ Σ|its terms|",
    Refinement.FIRST_PLACE: "rounding to nearest errs by u times the power of two below the result, not u times the result",
    Refinement.EXACT_DIFFERENCES: "a difference below twice the power of two under its smaller operand is exact (Sterbenz and beyond)",
    Refinement.EXACT_PRODUCTS: "products of short numbers are exact in a wider accumulator, so n terms are rounded n - 1 times",
}
"""Each in a line; the proofs are above."""

REFINEMENTS = frozenset(Refinement)


def refinements_named(names: Sequence[str]) -> list[Refinement]:
    """The refinements of these names. Raises UnknownRefinement."""
    return chosen({row.value: row for row in Refinement}, names, "refinement", UnknownRefinement)
