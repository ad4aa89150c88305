"""The mutants of ``numeric/operator_rules`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import ONE_SIDE, SAME_RULE, SECOND_ORDER, Spared

OPERATORS = "numeric.operator_rules."

UNUSED = "it stands in the place of a denominator of which nothing is known, and whose radius is infinite whatever it is"
FORETOLD = "second order of what is foretold: an overflow is foretold from half a rounding further away"
MANY = "of so many terms (2^22) that no test has them"
WHOLE = "the row of the table has one unit"
SCALED = "the values are scaled and the radii are not: the bounds are wider, but for float64's own last place"
BOTH_KINDS = "lists of axes come as lists from this version of torch"

ENDS = r"^_Terms\.ends: (self\.total \+ .* → self\.total|.* → 2\.0 \*\* \(-52\)|2\.0 → 4\.0|52 → 104)$"
LOWER_SQUARES = (
    r"^_root_of_squares: (down\(.*\.clamp_min\(0\.0\) → down\(.*|terms\.size \* \(1\.0 .* → terms\.size|1\.0 - 2\.0 .* → 1\.0"
    r"|2\.0 \*\* .* → 2\.0 \*\* \(-50\)|2\.0 → 4\.0 #2|50 → 100|terms\.count \+ 2 → .*|2 → 1)$"
)
ROOTS = r"^_root_of_squares: (sqrt_below\(.* → sqrt_above\(down.*|sqrt_above\((squares|terms\.size|terms\.spread)\) → sqrt_below\(.*)$"
A_BIT_LESS = r"^added_\w+: (.* \* \(1\.0 - 2\.0 \*\* \(-5[01]\)\) → (size|t\.size - t\.radius)|1\.0 - 2\.0 .* → 1\.0|2\.0 → 4\.0( #2)?|5[01] → 10[02])$"
UNITS = r"inverse \* \(1\.0 \+ s\.above\) → inverse$|^added_quotient: 1\.0 \+ s\.above → 1\.0$|1\.0 \+ share \+ apart → 1\.0 \+ share$"

FAR = "where a number stands for all beyond it, since float64 has nothing left of what is computed there"
ROWS = "the table of operators holds the row as it was built: both sides of the end of a domain are asked in ``test_foretold.py``"
OUT_OF_DOMAIN = r"torch\.where\((inside|outside \| nothing), .* → each$|outside \| nothing → (outside|nothing)$"
OPPOSITE = r"(up\(.* → down\(|down\(.* → up\(|exp_above\(.* → exp_below\()"
A_BIT = (
    r"theta \+ .* → theta$|1\.0 \+ inner.* → 1\.0 \+ inner\[1\]$|of_inner \+ .* → of_inner$|1\.0 - inner.* → 1\.0 - inner\[1\]$"
    r"|1\.0 \+ scale.* → 1\.0 \+ scale\[1\]$|1\.0 \+ 2\.0 \*\* .* → 1\.0$|50\)\) → (v \+ rho.*\)|alpha\[1\].* v|\(v \+ .*\) \* c)$|5[02] → 10[04]( #\d)?$"
)
OF_A_BIT = r"^(softplus: 2\.0 → 4\.0( #2)?|exponential_unit: 2\.0 → 4\.0 #2|continuous_unit: 2\.0 → 4\.0|_bent: 2\.0 → 4\.0( #[3456])?)$"

SPARED: tuple[Spared, ...] = (
    Spared(OPERATORS + "functions", rf"^row_of_function: ({OUT_OF_DOMAIN}|1\.0 → (0\.5|2\.0)$)", UNUSED, matched=3),
    Spared(OPERATORS + "functions", r"^row_of_function: torch\.where\(x\.radius > 0, .* → function\.moved", SAME_RULE, matched=1),
    Spared(
        OPERATORS + "functions",
        r"^ends_of: (torch\.where\(moves, up.* → up|up\(.* → down)|^exp2_above: (up\(.* → down\(|torch\.maximum\(.* → )|^_by_(log1p|sqrt): down\(.* → up",
        ONE_SIDE,
        matched=9,
    ),
    Spared(OPERATORS + "functions", r"^constant: 1\.0 → ", ROWS, matched=2),
    Spared(OPERATORS + "casts", r"^conversion: marked\(given & .* → marked\(", SAME_RULE, matched=1),
    Spared(OPERATORS + "casts", r"^_whole: (down\(.* → up\(|up\(.* → down\()", ONE_SIDE, matched=2),
    Spared(OPERATORS + "log_sums", r"^constant: (2\.0 → 4\.0|11 → (10|22))$|^_summed: (high|low)\.clamp_max\(_FAR\) → ", FAR, matched=5),
    Spared(OPERATORS + "log_sums", r"^_logarithm: (total\.clamp_min\(1\.0\) → total|1\.0 → 0\.5)$", SAME_RULE, matched=2),
    Spared(OPERATORS + "log_sums", r"\.ulps → 2\.0 \* n\.opmath\.unit_roundoff$", WHOLE, matched=1),
    Spared(
        OPERATORS + "log_sums",
        r"^_logarithm: down\(.* → up\(|^_summed: (down\(d.* → (up\(|distance$|down\(distance\)$)|exp_(above|below)\(.* → exp_(above|below)\()",
        ONE_SIDE,
        matched=7,
    ),
    Spared(OPERATORS + "log_sums", r"^_summed: (1\.0 - u - 2\.0 .* → 1\.0 - u$|2\.0 → 4\.0$|51 → 102$)", ONE_SIDE, matched=3),
    Spared(OPERATORS + "norms", r"^batch_normalisation: (torch\.where\(singular, 1\.0, each\) → each|1\.0 → (0\.5|2\.0))$", UNUSED, matched=3),
    Spared(
        OPERATORS + "norms",
        r"^batch_normalisation: (.* → \(.* - 1\.0|.* → \(.*\(1\.0 \+ held\)|1\.0 \+ 2\.0 .* → 1\.0|2\.0 → 4\.0 #[23]|50 → 100( #2)?)$",
        ONE_SIDE,
        matched=7,
    ),
    Spared(OPERATORS + "arithmetic", r"^divided: (.* → y\.size - y\.radius|1\.0 - 2\.0 .* → 1\.0|2\.0 → 4\.0|50 → 100)$", ONE_SIDE, matched=4),
    Spared(OPERATORS + "arithmetic", r"^divided: (torch\.where\(singular, 1\.0, (y\.size|low)\) → (y\.size|low)|1\.0 → (0\.5|2\.0) #[23])$", UNUSED, matched=6),
    Spared(OPERATORS + "gates", r"^constant: 64\.0|^_mish_above: (x\.clamp_max\(_FAR\) → x|torch\.where\(x > _FAR, .* → outward)", FAR, matched=4),
    Spared(
        OPERATORS + "gates",
        r"^_mish_above: (outward\(.*clamp_max\(1\.0\) → outward.*2\)|1\.0 → 2\.0 #2)$|^_mish_error: (x\.abs\(\) → x|x\.clamp_min\(0\.0\) → x #2)$",
        SAME_RULE,
        matched=4,
    ),
    Spared(OPERATORS + "gates", r"k_log → 2\.0 \* v$", WHOLE, matched=1),
    Spared(OPERATORS + "piecewise", r"^hardswish: \(2\.0 \* high \+ 3\.0\)\.abs\(\) → ", SAME_RULE, matched=1),
    Spared(OPERATORS + "piecewise", r"^_ramp: (torch\.where\(x > -3\.0, .* → up\(x \+ 3\.0\)|3\.0 → 6\.0)$", SAME_RULE, matched=2),
    Spared(
        OPERATORS + "products",
        r"^_rows_times: None if call\.known\(rows\) .* → call\.radius|^_matrix: None if known is None .* → known\.radius|torch\.stack\(doubts, 1\) if .* → t",
        SAME_RULE,
        matched=3,
    ),
    Spared(OPERATORS + "bends", r"^_bent: (2\.0 \* v \* k → 2\.0 \* v|k \* unit → unit)$", WHOLE, matched=2),
    Spared(OPERATORS + "bends", r"k_log → 2\.0 \* v( #\d)?$|k_log \* unit → unit$", WHOLE, matched=3),
    Spared(OPERATORS + "columns", r"^as_column: None if known is None .* → arranged", SAME_RULE, matched=1),
    Spared(OPERATORS + "comparisons", r"list \| tuple → list$", BOTH_KINDS, matched=1),
    Spared(OPERATORS + "again", r"list \| tuple → list$", BOTH_KINDS, matched=1),
    Spared(OPERATORS + "again", r"^moved_doubts: once_more\(.* → once_more", SAME_RULE, matched=1),
    Spared(OPERATORS + "moves", r"list \| tuple → list$", BOTH_KINDS, matched=1),
    Spared(OPERATORS + "moves", r"^indices_in_doubt: \[value\] if .* → \[value\]$", SAME_RULE, matched=1),
    Spared(OPERATORS + "comparisons", r"^(compared|_one_of): (down\(.* → up\(|up\(.* → down\()", ONE_SIDE, matched=3),
    Spared(
        OPERATORS + "comparisons", r"^_one_of: doubts & .* & 255 → doubts & ~|^masked: .* → value$|nan_to_num\(nan=torch\.inf\) → \(x", SAME_RULE, matched=3
    ),
    Spared(OPERATORS + "bends", r"^constant: (2\.0 → 4\.0|11 → (10|22))$|clamp_max\(_FAR\) → ", FAR, matched=4),
    Spared(OPERATORS + "bends", rf"^\w+: {OPPOSITE}", ONE_SIDE, matched=18),
    Spared(OPERATORS + "bends", rf"{A_BIT}|{OF_A_BIT}", ONE_SIDE, matched=30),
    Spared(OPERATORS + "bends", r"^softplus: z\.abs\(\) → z$", SAME_RULE, matched=1),
    Spared(OPERATORS + "powers", rf"^_power: ({OUT_OF_DOMAIN}|1\.0 → (0\.5|2\.0)( #2)?$)", UNUSED, matched=7),
    Spared(
        OPERATORS + "powers",
        r"^_power: ((high|most)\.abs\(\) → |least\.floor\(\) → least\.ceil|\(q == 0\) & .* → least == |\(r > 0\) & .* → size_of_p > 0$"
        r"|nothing \| \(q == 0\) → q == 0$|torch\.where\(nothing, 0\.0, power_above.* → power_above)",
        SAME_RULE,
        matched=7,
    ),
    Spared(
        OPERATORS + "powers",
        r"^_power: (torch\.where\(whole, (least|most) - 1\.0, .* → (least|most) - 1\.0|(down|up)\((least|most) - 1\.0\) → (up|down)\(.*)$",
        ONE_SIDE,
        matched=4,
    ),
    Spared(OPERATORS + "accumulations", r"count\.(max|numel)|^_accumulated: 1 → 0$|^_accumulated: 1 → (0|2) #2$", ONE_SIDE, matched=8),
    Spared(OPERATORS + "accumulations", r"^_accumulated: 0\.5 → ", SAME_RULE, matched=2),
    Spared(OPERATORS + "accumulations", r"terms \+ lost → terms$", FORETOLD, matched=1),
    Spared(OPERATORS + "sums", r"list \| tuple → list", BOTH_KINDS, matched=1),
    Spared(OPERATORS + "sums", ENDS, ONE_SIDE, matched=4),
    Spared(OPERATORS + "sums", r"^(_total|mean): terms\.size \+ lost → terms\.size|^running_total: size \+ lost → size", FORETOLD, matched=4),
    Spared(OPERATORS + "sums", r"^_root_of_squares: (terms\.size \+ squares → terms\.size$|ends \+ root → ends$)", FORETOLD, matched=2),
    Spared(OPERATORS + "sums", r"^running_total: (2\.0 \* count \* u → u|2\.0 \* count → .*|2\.0 → .*|1\.0 → (0\.5|2\.0))$", MANY, matched=7),
    Spared(OPERATORS + "sums", r"^norm: 1\.0 → 0\.5 #[23]$", SCALED, matched=2),
    Spared(OPERATORS + "sums", LOWER_SQUARES, ONE_SIDE, matched=9),
    Spared(OPERATORS + "sums", ROOTS, ONE_SIDE, matched=4),
    Spared(OPERATORS + "sums", r"torch\.where\(below > 0, .* → outward", SAME_RULE, matched=1),
    Spared(OPERATORS + "sums", r"\.ulps → 2\.0$", WHOLE, matched=1),
    Spared(OPERATORS + "mixtures", A_BIT_LESS, ONE_SIDE, matched=12),
    Spared(OPERATORS + "mixtures", r"^added_quotient: 1\.0 → (0\.5|2\.0) #[23]$", UNUSED, matched=4),
    Spared(OPERATORS + "mixtures", UNITS, SECOND_ORDER, matched=3),
    Spared(OPERATORS + "mixtures", r"^_added: size \+ product → size$|outward\(share \* apart, 1\) \+ lost → torch", FORETOLD, matched=2),
)
