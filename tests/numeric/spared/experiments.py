"""The mutants of ``numeric/experiments`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SAME_RULE, Spared

EXPERIMENTS = "numeric.experiments."

MARKED = "the attempt with all steps at once has marked the same limits in the same flags before"
HOW_MANY = "how many cases are drawn and distances are measured: more find rarer failures, and no bound rests on it"
SETTLED = "from 2^-20 on ΔA moves by a millionth at most, beside the tenth that its losses are compared with (``test_near_zero_parts.py``)"

SPARED: tuple[Spared, ...] = (
    Spared(EXPERIMENTS + "weight_paths", r"^_path: getattr\(flags, name\).* → nothing$", MARKED, matched=1),
    Spared(EXPERIMENTS + "near_zero_sweep", r"^constant: (256 → |24 → 48$)", HOW_MANY, matched=3),
    Spared(EXPERIMENTS + "near_zero_sweep", r"^constant: 40 → |^predicted_radius: max\(exponent, SETTLED\) → exponent$", SETTLED, matched=3),
    Spared(EXPERIMENTS + "first_layer", r"^FirstLayer\.of: W if shared else matrices → matrices$", SAME_RULE, matched=1),
)
