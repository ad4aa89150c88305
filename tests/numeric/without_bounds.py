"""Modules of ``numeric`` that have mutants of which none is tried: no radius is made there, by reason."""

WITHOUT_BOUNDS: dict[str, tuple[str, ...]] = {
    "what is measured is made here: a block is trained or refused, and a claim holds for any weights": (
        *(f"architecture.{name}" for name in ("block", "contextual_block", "form", "junctions", "layers", "recipe", "shapes")),
        *(f"blocks.{name}" for name in ("attention", "experts", "griffin", "linear_attention", "parallel", "pre_ln", "recurrent", "stack", "state_space")),
        *(f"training.{name}" for name in ("cache", "task", "train", "trained_block")),
    ),
    "it runs the block, and what it hears is compared with rationals by whoever bounds it (``sides/test_both_sides_exactly.py``)": ("sides.passes",),
    "it admits a block or refuses it by what its modules do, and bounds nothing": (
        "architecture.wiring",
        *(
            f"user_blocks.{name}"
            for name in ("admission", "own_update", "prompts", "shared_memory", "update_size", "user_block", "user_code", "usual_mistakes")
        ),
        "architecture.as_written",
        "architecture.compiled",
        "rules.no_rule",
    ),
    "it admits a rebuilt block if it is the whole one; what it allows is held to planted mistakes (``user_blocks/test_whole_block.py``)": (
        "user_blocks.whole_block",
    ),
    "it watches a block, and admits or refuses it; what the check in float64 allows is held to planted faults (``operators/test_many_cases.py``)": (
        *(f"operators.{name}" for name in ("absorber", "anatomy", "block", "cut", "derivatives", "double_check", "double_precision", "evidence")),
        *(f"operators.{name}" for name in ("executions", "hidden_ways", "labels", "layout", "many_cases", "memory", "needed_claims", "origins")),
        *(
            f"operators.{name}"
            for name in ("overlaps", "own_parameters", "positions", "read_beside", "recording", "refusals", "stream", "updates", "walk", "weights")
        ),
    ),
    "it hands on what is known of tensors; its tests are programs and whole layers that are run three ways (``operator_rules/test_random_programs.py``)": (
        *(f"operator_rules.{name}" for name in ("call", "doubts", "models", "table", "walk")),
        *(f"sides.{name}" for name in ("entrywise_patches", "known_passes", "noted_rows", "shares")),
        *(f"sides.{name}" for name in ("written_cases", "written_choices", "written_constants", "written_passes", "written_sides")),
    ),
    "it chooses examples: a bound holds for whatever was chosen": (
        *(f"scenarios.{name}" for name in ("cancelling", "huge", "long", "near_zero", "non_finite", "permuted", "recompute", "repeated", "tiny")),
        *(f"search.{name}" for name in ("readable_context", "search_file", "surrogate", "worst_context")),
    ),
    "the formats themselves: every number of the small ones, and both ends of the others, are compared with their definition (``formats/``)": (
        *(f"formats.{name}" for name in ("emulation", "format", "mode", "operator_mode", "storage")),
    ),
    "it asks the machine; its tests are kernels that compute otherwise in one way, which it has to find (``machine/planted_kernels.py``)": (
        *(f"machine.{name}" for name in ("bench", "device", "environment_questions", "kept_orders", "kernel_service", "kernels", "operands")),
        *(f"machine.{name}" for name in ("confirmed_order", "probing", "questions", "summation_order", "summation_tree")),
        "rules.library_probe",
    ),
    "which cells there are, and what they are called": ("cells.exclusions", "cells.subject"),
    "how many cases are taken at once, which are kept, and how a file is laid out: a case's radius does not depend on it": (
        *(f"cells.{name}" for name in ("cell", "measurable", "measurement", "replay", "scenario", "witness")),
        "sides.batch",
        "user_blocks.block_as_written",
    ),
}
"""By the reason."""
