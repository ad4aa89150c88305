"""The mutants of ``numeric/sides`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SAME_RULE, SIZE, Spared

SIDES = "numeric.sides."

SPARE_UNIT = "the widening of a bound is twice float64's roundoff, one for either of its sums: half of it would do, and none would not"
ANY_PLACE = "which entry is given a second opinion; any of them has one"
ANY_NUMBER = "what stands in for the h of an expert whose target is zero: any number but zero would do"
LATER = "no format has an accumulator whose normal numbers begin later than its own"
UNTOLD = "what cannot be told has an infinite radius by the rules already, and where ε is 0 the formula gives 0"
STANDS_IN = "what stands in for a case without an effect, or at a = 0: it is not well inside whatever comes out, NaN included"

MEASURED_AGAIN = "what was measured or expected before is taken; made once more it is the same bits, and only takes its time (``test_without_refinements.py``)"
BY_A_FIXTURE = "``test_unforeseen.py`` notices it, whose trained blocks are fixtures; where â itself is not finite the case is refused for that"

SPARED: tuple[Spared, ...] = (
    Spared(SIDES + "judging", r"^_compare: (\(?difference|torch\.where\(moved == 0|bound \* \(1|1 \+ 4|4 \* ROUNDOFF|4 → )", SPARE_UNIT, matched=19),
    Spared(SIDES + "judging", r"^judge: (torch\.where\(\(?(output_)?(effect|change) > 0|\(effect > 0\))|^_norm: 1\.0 → ", SAME_RULE, matched=10),
    Spared(SIDES + "certificate", r"max\(_share|max\(shares\)|^_share: ", ANY_PLACE, matched=13),
    Spared(SIDES + "certificate", r"^(agreement: y - x → x - y$|certify: arb\(x\) - (y|move - y) → y - )", SIZE, matched=3),
    Spared(SIDES + "certificate", r"e\.upper\(\) → e$", SAME_RULE, matched=2),
    Spared(
        SIDES + "range_limits",
        r"^well_inside: (torch\.where\(usable[^/]*\) → [a-z]+$|1\.0 → |\(top > 0\) & torch\.isfin.* → (?!\(top > 0\) & torch\.isfinite\(top\) & ))",
        STANDS_IN,
        matched=17,
    ),
    Spared(SIDES + "range_limits", r"^range_losses: max\(update.* → storage\.smallest_normal$", LATER, matched=1),
    Spared(
        SIDES + "range_limits",
        r"^_over: torch\.where\(size > 0.* → share / size$|^lost_in_the_norm: e\.abs\(\) → e$|one \* order\.strands → order",
        SAME_RULE,
        matched=3,
    ),
    Spared(SIDES + "both_sides", r"^_moved: torch\.isfinite\(moved\.value\) & .* → ~", SAME_RULE, matched=1),
    Spared(SIDES + "output_patch", r"^output_patch: 1\.0 → (0\.5|2\.0)$", ANY_NUMBER, matched=2),
    Spared(
        SIDES + "both_sides",
        r"^_moved: (flags\.underflow \| flags\.not_finite → flags\.not_finite|none \| ~known → ~known|torch\.where\(known, moved.*, torch\.inf\) → moved)",
        UNTOLD,
        matched=3,
    ),
    Spared(SIDES + "both_sides", r"^measure_sides: None if known is None else known\.passes → None$", MEASURED_AGAIN, matched=1),
    Spared(
        SIDES + "both_sides",
        r"^measure_sides: (forward|before\.unp|attend|_patched_pass|_expected)\S* .* if .* → (forward|_patched|attend|_exp)",
        MEASURED_AGAIN,
        matched=5,
    ),
    Spared(SIDES + "both_sides", r"^measure_sides: (before|known\.expected) if .* → None$", MEASURED_AGAIN, matched=2),
    Spared(
        SIDES + "both_sides",
        r"^measure_sides: (passes is None and variant.* → (variant|passes is None and \()|known is not None → known is None$)",
        MEASURED_AGAIN,
        matched=3,
    ),
    Spared(SIDES + "both_sides", r"^measure_sides: known is not None and passes is not None → passes", SAME_RULE, matched=1),
    Spared(SIDES + "both_sides", r"^measure_sides: (right\.carried|left\.carried|z\.value|left\.output)\S* - \S+ → (stream|a\.|unpatched)", SIZE, matched=4),
    Spared(SIDES + "range_limits", r"^range_losses: rounded - v → v - rounded$", SIZE, matched=1),
    Spared(SIDES + "expected_difference", r"^_at: -theirs\.known → theirs\.known$", SIZE, matched=1),
    Spared(SIDES + "both_sides", r"^measure_sides: (flags\.unforeseen|torch\.isfinite\(reference\).* → ~)", BY_A_FIXTURE, matched=2),
)
