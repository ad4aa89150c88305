"""The mutants of ``numeric/rules`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import ONE_SIDE, SAME_RULE, SECOND_ORDER, SIZE, Spared

RULES = "numeric.rules."

FAR = "where a number stands for all beyond it, since float64 has nothing left of what is computed there"
UNITS = "units of underflow: the worst kernel here uses two of the six that the family may"
SUPREMA = "a bound of the slope is a sum of two suprema that are attained at two places; at no operand are both needed"
AT_THE_ENDS = "where e^-x is subnormal, or beyond Ω, 1 + e^-x is 1, or the quotient nothing, to far within the other terms"
CLAMPED = "what is clamped is of that sign or size already, or becomes infinite or NaN, which ``from_module`` takes for nothing known"
WORDS = "it changes the words of a source and no number"
WHOLE = "every row of float64 has a whole number of units"
IN_A_BALL = "the same number over balls: either form's ball is small wherever e^t has a small one, which it has to |t| = 2^200"

SPARED: tuple[Spared, ...] = (
    Spared(
        RULES + "activations",
        r"TINY|exp_above|exp_below|v \* above → v$|^gated: (up|down)\(|^constant: (2\.0 → 4\.0|50|57|2\.0 \*\* \(-50\)|0\.044715)",
        ONE_SIDE,
        matched=71,
    ),
    Spared(
        RULES + "activations",
        r"^constant: (10 →|2\.0 → 4\.0 #4)|_FAR|^_cubic: 2\.0 → |clamp_max\(0\.0\)|x\.clamp\(0\.0, 2\.0\)|^_phi_above: 2\.0",
        FAR,
        matched=26,
    ),
    Spared(RULES + "activations", r"^constant: 6 → 3$|underflow_unit|flushed_below", UNITS, matched=8),
    Spared(RULES + "activations", r"^gated: (size|centre) \+ radius → |^gated: slope \* radius → slope$", SUPREMA, matched=5),
    Spared(RULES + "activations", r"2\.0 \*\* \(-20\)|^gated: (1\.0 → |20 → |2\.0 → )", ONE_SIDE, matched=17),
    Spared(RULES + "activations", r"theta|^_phi_error: 2\.0 → 1\.0 #2$|^gauss: 0\.5 \* share → 0\.5$", SECOND_ORDER, matched=32),
    Spared(RULES + "activations", r"^gated: torch\.where\(radius > 0|^gated: centre\.clamp_min\(0\.0\) → centre$", SAME_RULE, matched=3),
    Spared(RULES + "activations", r"^_silu_error: (epsilon \+ 2\.0 \* v|k \* opmath|2\.0 → 1\.0 #3|1\.0 → 2\.0 #3|2\.0 / opmath)", AT_THE_ENDS, matched=9),
    Spared(RULES + "junctions", r"^largest_only: (up|down)\(", ONE_SIDE, matched=4),
    Spared(RULES + "enclosures", r"^_steps: math\.ceil\(.*→ math\.floor", WHOLE, matched=1),
    Spared(RULES + "normalisation", r"^constant: (2\.0 → 4\.0|11 → (10|22))$|clamp_max\(_FAR\) → (high|low)$", FAR, matched=5),
    Spared(
        RULES + "normalisation",
        r"^powers: ((down|up)\([^()]*\) → (down|up)\(|exp_(above|below)\(.* → exp_(above|below)|1\.0 - v - 2\..* → 1\.0 - v$|2\.0 → 4\.0$|51 → 102)",
        ONE_SIDE,
        matched=8,
    ),
    Spared(RULES + "normalisation", r"^softmax_rule: (up|down)\([^()]*\) → (down|up)\(", ONE_SIDE, matched=2),
    Spared(RULES + "normalisation", r"^softmax_rule: (up|down)\((outward|1\.0 - torch\.max).* → (up|down)\(", ONE_SIDE, matched=4),
    Spared(
        RULES + "normalisation", r"^_central_moments: (down\(.*(→ up\(|→ down\(distance\)$)|sqrt_above\(above\) →|up\(2\.0.* → down\()", ONE_SIDE, matched=5
    ),
    Spared(RULES + "normalisation", r"^_normalised: (down\(.* → up\(|sqrt_below\(below\) →|sqrt_above\(outward.* → sqrt_below)", ONE_SIDE, matched=4),
    Spared(RULES + "normalisation", r"^_normalised: (math\.sqrt\(n - centred\) \* |1\.0 \+ 2\.0 \*\* |2\.0 → 4\.0 #5|50 → 100)", ONE_SIDE, matched=6),
    Spared(
        RULES + "normalisation", r"\.clamp_(min|max)\([01]\.0\) → (down\(d|up\((o|1)|(left|lowest)( #2)?$)|^softmax_rule: 1\.0 → 2\.0 #2$", CLAMPED, matched=8
    ),
    Spared(RULES + "normalisation", r"^powers: above \+ numerator → above$", SECOND_ORDER, matched=1),
    Spared(RULES + "normalisation", r"^_central_moments: centre - mean → mean - ", SIZE, matched=1),
    Spared(RULES + "normalisation", r"torch\.where\(\(radius > 0\)|isfinite\(size\)\.all\(-2\)\.reshape\(-1\) → ~", SAME_RULE, matched=5),
    Spared(RULES + "reference", r"^sigmoid: x\.mid\(\) >= 0|^softmax: (max\(x, .* → min|t - shift → t$)", IN_A_BALL, matched=3),
    Spared(RULES + "library_errors", r"^constant: CUDA \+ ", WORDS, matched=4),
)
