"""The mutants of ``numeric/experiments`` that no test notices, and why none can, or need."""

from tests.numeric.spared.row import SAME_RULE, SIZE, Spared

EXPERIMENTS = "numeric.experiments."

MARKED = "the attempt with all steps at once has marked the same limits in the same flags before"
HOW_MANY = "how many cases are drawn and distances are measured: more find rarer failures, and no bound rests on it"
SETTLED = "from 2^-20 on ΔA moves by a millionth at most, beside the tenth that its losses are compared with (``test_near_zero_parts.py``)"
LOST = "what is not finite was foretold as an overflow or an underflow; else ``LostNumbers`` has been raised before"
SEED = "the number of a stream of random numbers: of another number the prompts are others"
ALIKE = "it bounds nothing: it says what counts as the same, far above fp64's roundings and far below every wrong patch"
TABLE = "how many rows are compared with exact ones: each is a problem of its own, and any of them could be taken"

SPARED: tuple[Spared, ...] = (
    Spared(EXPERIMENTS + "weight_paths", r"^_path: getattr\(flags, name\).* → nothing$", MARKED, matched=1),
    Spared(EXPERIMENTS + "near_zero_sweep", r"^constant: (256 → |24 → 48$)", HOW_MANY, matched=3),
    Spared(EXPERIMENTS + "near_zero_sweep", r"^constant: 40 → |^predicted_radius: max\(exponent, SETTLED\) → exponent$", SETTLED, matched=3),
    Spared(EXPERIMENTS + "implicit_dynamics", r"^constant: 4 → ", HOW_MANY, matched=2),
    Spared(EXPERIMENTS + "implicit_dynamics", r"^dynamics_of: .* \| flags\.not_finite → flags\.overflow \| flags\.underflow$", LOST, matched=1),
    Spared(EXPERIMENTS + "patched_stack", r"^constant: (16|12) → ", HOW_MANY, matched=6),
    Spared(EXPERIMENTS + "patched_stack", r"^constant: 1e-12 → ", ALIKE, matched=2),
    Spared(EXPERIMENTS + "one_update_many_queries", r"^constant: 4 → (2|8) #2$", TABLE, matched=2),
    Spared(EXPERIMENTS + "one_update_many_queries", r"^constant: (128 → 256|16 → (8|32) #2|32 → (16 #2|64 #3)|96 → (48|192))$", HOW_MANY, matched=7),
    Spared(EXPERIMENTS + "exact_least_squares", r"^distance: patch - right → right - ", SIZE, matched=1),
    Spared(EXPERIMENTS + "one_update_many_queries", r"^(_errors: .* → wanted - |_loss: predicted - answer → answer - )", SIZE, matched=2),
    Spared(EXPERIMENTS + "near_zero_sweep", r"^level_at: product.* - (computed|target) → (computed|target) - ", SIZE, matched=2),
    Spared(EXPERIMENTS + "patched_stack", r"^relative_difference: stream - goal → goal - ", SIZE, matched=1),
    Spared(
        EXPERIMENTS + "implicit_dynamics",
        r"^dynamics_of: .* → (goal - layer|backwards\S* - W_B|W_S - W_B|first - W_S|desc.* - moved)",
        SIZE,
        matched=7,
    ),
    Spared(EXPERIMENTS + "implicit_dynamics", r"^(_entries|_identity): (weights|compared)\S* - \S+ → \S+ - ", SIZE, matched=2),
    Spared(EXPERIMENTS + "post_norm", r"^_prepared: 8 → ", SEED, matched=2),
    Spared(EXPERIMENTS + "first_layer", r"^FirstLayer\.of: W if shared else matrices → matrices$", SAME_RULE, matched=1),
)
