"""The mutants of ``numeric/arithmetics`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SAME_RULE, SECOND_ORDER, SIZE, STEPS, Spared

ARITHMETICS = "numeric.arithmetics."
RADIUS, VARIANCE = ARITHMETICS + "value_and_radius", ARITHMETICS + "value_and_variance"

FLUSHED_ONCE = "of k products and the sums of them at most k are flushed: what is zero already flushes in no sum; the proof counts each by itself"
HALF_OF_THE_DOUBT = "half of the counted roundings would do: what is lost stays if others cancel it, and both are in Σ|X_ij y_j| (``partial_sums.py``)"
WITHOUT_FREXP = "frexp of zero, an infinity or NaN leaves the exponent 0 here, though C leaves that of the last two open"
FIRST_OF_A_SUM = "the first term of a sum that begins with zero"
HALF_AN_UNDERFLOW = "rounding to nearest loses half of float64's smallest number in an underflow, and the whole of it is counted (``partial_sums.py``)"
STAND_IN = "a case with a singular denominator is refused: any number may stand in its place"
EITHER_IS_ENOUGH = "a product is flushed in the accumulator or in storage, where one that is zero stays so"
READ_AS_ZERO = "2λ would do: where both operands are read as zero the result is zero as it is"
TO_NEAREST = "second order: to nearest a number loses u/(1 + u) of its size at most, and u of it is counted (Jeannerod and Rump)"
AT_THE_END = "a sum below Ω is rounded to at most Ω: no factor is needed"
READ_AS_INFINITE = "an entry beyond the end of the operands' format is infinite as it is read, and so is the sum of the absolutes, which is foretold as well"
GROWTH = "second order of what underflow loses; and just below Ω one rounding adds half of u at most"
AT_ONCE = "how many rows are looked through at once, for the memory that it takes"
BITS_OF_AN_END = "an end of an interval has 200 bits, and as many hold it"
ANOTHER_QUESTION = "another question whose answer is known, as is that of the one that stands here"
ADDED_LATER = "terms of one source are added up before they are squared, here or in ``deviation``"
EACH_COUNTED = "a product that flushes is charged for 2k + 1 numbers and loses k (``test_rules_and_their_switches.py``): a sum with a bias is among the rest"
ONE_ROW = "a row is the product of a one and itself: the partial sums are the same in either form"

SPARED: tuple[Spared, ...] = (
    Spared(ARITHMETICS + "matrix_products", r"growth|^product_error: \(?1\.0 \+ gamma|^product_error: 1\.0 \+ n\.storage", SECOND_ORDER, matched=11),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: gamma\(k, n\.sum_roundoff\) → gamma\(k, n\.sum_roundoff\) \* 0\.5$", SECOND_ORDER, matched=1),
    Spared(ARITHMETICS + "matrix_products", r"^product_error: 2 \* k → k$|^product_error: 2 → 1$", FLUSHED_ONCE, matched=2),
    Spared(ARITHMETICS + "envelope", r"^Envelope\._terms: ", STEPS, matched=4),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: (terms.* \+ 2 → terms|2 → 1$|roundings \+ 1 → roundings$|1 → 0$)", HALF_OF_THE_DOUBT, matched=4),
    Spared(ARITHMETICS + "partial_sums", r"^partial_sums: 1\.0 → 0\.5$", HALF_AN_UNDERFLOW, matched=1),
    Spared(ARITHMETICS + "sensitivities", r"^power_of_two_above: (\(x > 0\) & torch|torch\.where\(plain, .* → torch\.ldexp)", WITHOUT_FREXP, matched=3),
    Spared(ARITHMETICS + "sensitivities", r"^LinearMap\._root_of_squares: total \+ scale.* → scale", FIRST_OF_A_SUM, matched=1),
    Spared(RADIUS, r"^WithRadius\.__truediv__: (\(size - spread\) .* → size - spread|1\.0 - .* → 1\.0|2\.0 → 4\.0|50 → 100)$", STEPS, matched=4),
    Spared(RADIUS, r"^WithRadius\.__truediv__: (1\.0 → .* #[234]|torch\.where\(singular, 1\.0, other.* → other.*)$", STAND_IN, matched=7),
    Spared(RADIUS, r"^WithRadius\._outer: (2 \* n\.acc.*smallest_normal → n\.|2 → 1$)", EITHER_IS_ENOUGH, matched=3),
    Spared(RADIUS, r"^WithRadius\._sum: 3 → 2$|^dense_layer: 3 → 2 #2$", READ_AS_ZERO, matched=2),
    Spared(RADIUS, r"^WithRadius\._sum: (largest \* .* → largest|1\.0 \+ n\.elementwise_roundoff → 1\.0)$", AT_THE_END, matched=2),
    Spared(RADIUS, r"^WithRadius\._outer: y \+ oy → y$|^product_radius: (size \+ from_y → size|X\.form\.slack \+ .* → X\.form\.slack)$", TO_NEAREST, matched=3),
    Spared(RADIUS, r"^product_radius: (torch\.maximum\(X.* → X\.magnitude\.largest\(\)|size\.amax.* → size\.amin.*)$", READ_AS_INFINITE, matched=2),
    Spared(RADIUS, r"^product_radius: (terms \* .* growth → terms .*|\(2 \* terms.* growth → 2 .*)$", GROWTH, matched=2),
    Spared(RADIUS, r"^product_radius: (2 \* terms → terms|2 → 1 #3)$", FLUSHED_ONCE, matched=2),
    Spared(
        RADIUS,
        r"^_sum_error_in_order: (\(acc.* → a.*|growth \* .*|1\.0 \+ gamma\(2.* → 1\.0|gamma\(2.*|2 \* order.* → .*|2 → 1)$",
        TO_NEAREST,
        matched=8,
    ),
    Spared(RADIUS, r"^_sum_error_in_order: gamma\(order\.height, inner\) → gamma\(order\.height, inner\) \* 0\.5$", SECOND_ORDER, matched=1),
    Spared(RADIUS, r"^dense_layer: (n\.elementwise_flushes or .* → n\.elem|kernel in n\.flushing → kernel not in .* #2$)", EACH_COUNTED, matched=2),
    Spared(RADIUS, r"^WithRadius\._lifted: .* - other → other - ", SIZE, matched=1),
    Spared(ARITHMETICS + "balls", r"^check_reference: -third → third$", ANOTHER_QUESTION, matched=1),
    Spared(ARITHMETICS + "sensitivities", r"^LinearMap\.deviation: self\.identity is None and .*\(not self\.outers\) → not self\.sh", SAME_RULE, matched=1),
    Spared(VARIANCE, r"^dense_layer: value\.double\(\) - bias.* → bias", SIZE, matched=1),
    Spared(ARITHMETICS + "entry_roundings", r"^constant: 8192 → ", AT_ONCE, matched=2),
    Spared(ARITHMETICS + "intervals", r"^_exactly: (2 \* _BITS → _BITS|2 → 1|2 → 4)$", BITS_OF_AN_END, matched=3),
    Spared(ARITHMETICS + "intervals", r"^check_intervals: (3\.5|0\.25) → ", ANOTHER_QUESTION, matched=4),
    Spared(ARITHMETICS + "balls", r"^check_reference: (0\.5 → 1\.0 #2|0\.25 → (0\.125|0\.5$)|half < half)", ANOTHER_QUESTION, matched=5),
    Spared(VARIANCE, r"^WithVariance\.__truediv__: (torch\.where\(by == 0, 1\.0, by\) → by|1\.0 → (0\.5|2\.0))$", STAND_IN, matched=3),
    Spared(VARIANCE, r"^WithVariance\._operand: gathered\(terms\) if", ADDED_LATER, matched=2),
    Spared(VARIANCE, r"^_product_errors: Form\(of\.outers\[0\]\[1\]\) if .* → Form\(of\.shared", ONE_ROW, matched=1),
)
