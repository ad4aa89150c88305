"""The mutants of ``numeric/arithmetics`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SECOND_ORDER, STEPS, Spared

ARITHMETICS = "numeric.arithmetics."

FLUSHED_ONCE = "of k products and the sums of them at most k are flushed: what is zero already flushes in no sum; the proof counts each by itself"
SHORT_PRODUCT = "γ_2q ≤ 4q·2^-24 stands for the roundings of 2q operations and for an operand that is rounded up; torch adds in blocks, and loses less"
HALF_OF_THE_DOUBT = "half of the counted roundings would do: what is lost stays only if other terms cancel it, and both are in Σ|X_ij y_j| (``partial_sums.py``)"
HALF_AN_UNDERFLOW = "rounding to nearest loses half of float64's smallest number in an underflow, and the whole of it is counted (``partial_sums.py``)"

SPARED: tuple[Spared, ...] = (
    Spared(ARITHMETICS + "matrix_products", r"growth|^product_error: \(?1\.0 \+ gamma|^product_error: 1\.0 \+ n\.storage", SECOND_ORDER, matched=11),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: gamma\(k, n\.sum_roundoff\) → gamma\(k, n\.sum_roundoff\) \* 0\.5$", SECOND_ORDER, matched=1),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: 2 \* k → k$|^product_error: 2 → 1$", FLUSHED_ONCE, matched=2),
    Spared(ARITHMETICS + "envelope", r"^constant: (2\.0|52)", "twice float64's roundoff, which only ``judging.py`` uses; it is changed there", matched=5),
    Spared(ARITHMETICS + "envelope", r"^_applied_in_its_format: (2\.0 → 4\.0|125 → |1\.0 \+ |\(q \+ 1\)|x\.float\(\)|1 → 0)", SHORT_PRODUCT, matched=12),
    Spared(ARITHMETICS + "envelope", r"^Envelope\._terms: |^_applied_in_its_format: q \+ 1 → q$", STEPS, matched=5),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: (terms\.y\.shape.* \+ 2 → terms|2 → 1$|roundings \+ 1 → roundings$|1 → 0$)", HALF_OF_THE_DOUBT, matched=4),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: 1\.0 → 0\.5$", HALF_AN_UNDERFLOW, matched=1),
)
