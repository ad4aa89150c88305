"""The mutants of ``numeric/experiments`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SAME_RULE, Spared

EXPERIMENTS = "numeric.experiments."

MARKED = "the attempt with all steps at once has marked the same limits in the same flags before"

SPARED: tuple[Spared, ...] = (
    Spared(EXPERIMENTS + "weight_paths", r"^_path: getattr\(flags, name\).* → nothing$", MARKED, matched=1),
    Spared(EXPERIMENTS + "first_layer", r"^FirstLayer\.of: W if shared else matrices → matrices$", SAME_RULE, matched=1),
)
