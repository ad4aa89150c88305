"""The mutants that no test notices, and why none can, or need: by module and by what is changed."""

import re
from dataclasses import dataclass

from tests.numeric.mutants import Mutant

ARITHMETICS, RULES, SIDES = "numeric.arithmetics.", "numeric.rules.", "numeric.sides."


@dataclass(frozen=True, slots=True)
class Spared:
    """Some mutants of a module."""

    module: str
    pattern: str
    """A regular expression that is found in the mutant's words."""
    why: str

    def of(self, mutant: Mutant) -> bool:
        """Whether a mutant is one of these."""
        return self.module == mutant.module and re.search(self.pattern, str(mutant)) is not None


STEPS = "float64's own rounding: each count is taken three times, two would do, and what is left out in one place others make up for (``envelope.py``)"
ONE_SIDE = "float64's own: the other bound of the same function, or a relative 2^-50 more or less, is far within the steps of ``outward`` about it"
SECOND_ORDER = "second order: what the proof adds for the errors of errors; in the formats here it is less than what the terms of first order have to spare"
SAME_RULE = "the same result in other words: the other branch gives it, too, or float64 comes to it by itself (a division by zero, an infinity)"
FLUSHED_ONCE = "of k products and the sums of them at most k are flushed: what is zero already flushes in no sum; the proof counts each by itself"
ANY_PLACE = "which entry is given a second opinion; any of them has one"
SUPREMA = "a bound of the slope is a sum of two suprema that are attained at two places; at no operand are both needed"
UNITS = "units of underflow: the worst kernel here uses two of the six that the family may"
SHORT_PRODUCT = "γ_2q ≤ 4q·2^-24 stands for the roundings of 2q operations and for an operand that is rounded up; torch adds in blocks, and loses less"
MANY_ROUNDINGS = "where a sum cancels and nothing is left, products lost the most: one or two roundings would do, of the q + K + 2 that the proof counts"
UNDERFLOWS_ALONE = "an underflow of a product of shared numbers is half of float64's smallest number, and ``outward`` adds more"
AT_THE_ENDS = "where e^-x is subnormal, or beyond Ω, 1 + e^-x is 1, or the quotient nothing, to far within the other terms"
FAR = "where a number stands for all beyond it, since float64 has nothing left of what is computed there"
SPARE_UNIT = "the widening of a bound is twice float64's roundoff, one for either of its sums: half of it would do, and none would not"

SPARED: tuple[Spared, ...] = (
    Spared(ARITHMETICS + "matrix_products", r"growth|^product_error: \(?1\.0 \+ gamma|^product_error: 1\.0 \+ n\.storage", SECOND_ORDER),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: gamma\(k, n\.sum_roundoff\) → gamma\(k, n\.sum_roundoff\) \* 0\.5$", SECOND_ORDER),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: 2 \* k → k$|^product_error: 2 → 1$", FLUSHED_ONCE),
    Spared(
        RULES + "activations",
        r"TINY|exp_above|exp_below|v \* above → v$|^gated: (up|down)\(|^constant: (2\.0 → 4\.0|50|57|2\.0 \*\* \(-50\)|0\.044715)",
        ONE_SIDE,
    ),
    Spared(RULES + "activations", r"^constant: (10 →|2\.0 → 4\.0 #4)|_FAR|^_cubic: 2\.0 → |clamp_max\(0\.0\)|x\.clamp\(0\.0, 2\.0\)|^_phi_above: 2\.0", FAR),
    Spared(RULES + "activations", r"^constant: 6 → 3$|underflow_unit|flushed_below", UNITS),
    Spared(RULES + "activations", r"^gated: (size|centre) \+ radius → |^gated: slope \* radius → slope$", SUPREMA),
    Spared(RULES + "activations", r"2\.0 \*\* \(-20\)|^gated: (1\.0 → |20 → |2\.0 → )", ONE_SIDE),
    Spared(RULES + "activations", r"theta|^_phi_error: 2\.0 → 1\.0 #2$|^_gauss: 0\.5 \* share → 0\.5$", SECOND_ORDER),
    Spared(RULES + "activations", r"^gated: torch\.where\(radius > 0|^gated: centre\.clamp_min\(0\.0\) → centre$", SAME_RULE),
    Spared(RULES + "activations", r"^_silu_error: (epsilon \+ 2\.0 \* v|k \* opmath|2\.0 → 1\.0 #3|1\.0 → 2\.0 #3|2\.0 / opmath)", AT_THE_ENDS),
    Spared(SIDES + "judging", r"^_compare: (\(?difference|torch\.where\(moved == 0|bound \* \(1|1 \+ 4|4 \* ROUNDOFF|4 → )", SPARE_UNIT),
    Spared(SIDES + "judging", r"^judge: (torch\.where|\(effect > 0\))|^_norm: 1\.0 → ", SAME_RULE),
    Spared(SIDES + "certificate", r"max\(_share|max\(shares\)|^_share: ", ANY_PLACE),
    Spared(SIDES + "certificate", r"e\.upper\(\) → e$", SAME_RULE),
    Spared(RULES + "junctions", r"^largest_only: (up|down)\(", ONE_SIDE),
    Spared(ARITHMETICS + "envelope", r"^constant: (2\.0|52)", "twice float64's roundoff, which only ``judging.py`` uses; it is changed there"),
    Spared(ARITHMETICS + "envelope", r"^_applied_in_its_format: (2\.0 → 4\.0|125 → |1\.0 \+ |\(q \+ 1\)|x\.float\(\)|1 → 0)", SHORT_PRODUCT),
    Spared(ARITHMETICS + "envelope", r"^Envelope\._terms: |^_applied_in_its_format: q \+ 1 → q$", STEPS),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: (terms\.y\.shape|2 → 1|\(roundings|roundings \+ 1|1 → 0)", MANY_ROUNDINGS),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: 1\.0 (→|\+ sum)", UNDERFLOWS_ALONE),
    Spared(ARITHMETICS + "partial_sums", r"^root_of_squares: ", SAME_RULE),
)


def reason(mutant: Mutant) -> str | None:
    """Why a mutant need not be noticed; None if there is no reason."""
    if mutant.steps:
        return STEPS
    return next((row.why for row in SPARED if row.of(mutant)), None)
