"""Modules of ``numeric`` in whose expressions numbers stand and of which no mutant is tried: no radius is made there, by reason."""

WITHOUT_BOUNDS: dict[str, tuple[str, ...]] = {
    "what is measured is made here: a block is trained or refused, and a claim holds for any weights": (
        *(f"architecture.{name}" for name in ("layers", "recipe")),
        *(f"blocks.{name}" for name in ("attention", "experts", "griffin", "linear_attention", "parallel", "pre_ln", "recurrent", "stack", "state_space")),
        *(f"training.{name}" for name in ("cache", "task", "train")),
    ),
    "it admits a block or refuses it by what its modules do, and bounds nothing": (
        "architecture.wiring",
        "user_blocks.admission",
        "user_blocks.user_block",
    ),
    "it watches a block, and admits or refuses it; what the check in float64 allows is held to planted faults (``operators/test_patching.py``)": (
        *(f"operators.{name}" for name in ("absorber", "cut", "derivatives", "double_check", "evidence", "executions", "labels", "layout", "memory")),
        *(f"operators.{name}" for name in ("origins", "own_parameters", "stream", "updates", "walk")),
    ),
    "it chooses examples: a bound holds for whatever was chosen": (
        *(f"scenarios.{name}" for name in ("cancelling", "huge", "long", "near_zero", "non_finite", "permuted", "recompute", "repeated", "tiny")),
        *(f"search.{name}" for name in ("readable_context", "search_file", "surrogate", "worst_context")),
    ),
    "the formats themselves: every number of the small ones, and both ends of the others, are compared with their definition (``formats/``)": (
        *(f"formats.{name}" for name in ("emulation", "format", "mode", "storage")),
    ),
    "it asks the machine; its tests are kernels that compute otherwise in one way, which it has to find (``machine/planted_kernels.py``)": (
        *(f"machine.{name}" for name in ("bench", "device", "environment_questions", "kept_orders", "kernel_service", "kernels", "operands")),
        *(f"machine.{name}" for name in ("questions", "summation_order", "summation_tree")),
        "rules.library_probe",
    ),
    "how many cases are taken at once, which are kept, and how a file is laid out: a case's radius does not depend on it": (
        *(f"cells.{name}" for name in ("cell", "measurement", "replay", "scenario", "witness")),
        "sides.batch",
    ),
}
"""By the reason."""
