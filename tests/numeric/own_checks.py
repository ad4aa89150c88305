"""Which tests are a module's own: those that run in this process, ask for no fixture, and compare with exact numbers."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from numeric.arithmetics import value_and_radius
from numeric.operator_rules.functions import FUNCTIONS
from tests.numeric.arithmetics import (
    rule_operands,  # noqa: F401 - it fills the list of trials, as does the next
    rule_operands_of_products,  # noqa: F401
    rule_trials,
)
from tests.numeric.formats.drawn_operands import NATIVE
from tests.numeric.noticing import Check, checks_of
from tests.numeric.operator_rules import test_arithmetic, test_erring_kernels, test_foretold, test_functions
from tests.numeric.operator_rules.test_erring_kernels import CASES as KERNELS
from tests.numeric.operator_rules.test_erring_kernels import MODELS

ARITHMETICS, RULES, SIDES, EXPERIMENTS, MACHINE = (f"numeric.{wing}." for wing in ("arithmetics", "rules", "sides", "experiments", "machine"))
OPERATORS = "numeric.operator_rules."


def trials() -> list[Check]:
    """The trials of the rules of values with radii, in each format."""

    def check(trial: rule_trials.Trial, row: object) -> None:
        assert all(trial(rule_trials.Desk(value_and_radius, row)))  # type: ignore[arg-type]

    return [partial(check, trial, row) for row in NATIVE for _, trial in rule_trials.TRIALS]


def found_in(*files: str, only: tuple[str, ...] = ()) -> Callable[[], list[Check]]:
    """The tests of some files below ``tests/numeric``."""
    return lambda: checks_of(*(import_module(f"tests.numeric.{file}") for file in files), only=only)


def erring(*names: str) -> list[Check]:
    """Kernels of some operators, in each model."""
    return [partial(test_erring_kernels.test_a_kernel_that_errs_as_much_as_it_may_is_within_its_radius, name, of) for name in names for of in MODELS]


def foretold(*names: str) -> list[Check]:
    """What is foretold of some operators, and where radii are handed on."""
    tests = (
        (test_foretold.test_an_overflow_is_foretold_where_it_could_be, test_foretold.REACHES),
        (test_foretold.test_what_came_out_infinite_was_foretold, test_foretold.REACHES),
        (test_foretold.test_outside_of_a_domain_nothing_is_known, test_foretold.DOMAINS),
        (test_foretold.test_a_radius_is_handed_on_where_its_operand_is, test_foretold.CHOICES),
    )
    return [partial(test, overload) for test, overloads in tests for overload in overloads if overload.removeprefix("aten.").startswith(names)]


def sweeps(*names: str, modes: tuple[str, ...] = ("bf16", "fp32-ftz")) -> list[Check]:
    """A few calls of some overloads, of every kind of numbers."""
    overloads = tuple(f"aten.{name}" if "." in name else f"aten.{name}.default" for name in names)
    return [partial(test_functions.swept, overloads, mode, range(7), (0.0, 1e-2)) for mode in modes]


def arithmetic(*names: str) -> list[Check]:
    """Calls of arithmetic and of matrix products."""
    chosen = tuple(name for name in test_arithmetic.OWN if name.split(".")[0].rstrip("_") in names)
    return [partial(test_arithmetic.swept, chosen, mode, range(7), (0.0, 1e-2)) for mode in ("bf16", "fp32-ftz")]


def of_operators(name: str) -> Callable[[], list[Check]]:
    """Draws of the overloads whose rows stand in a module of the table of operators, and the tests of its formulas."""
    return lambda: import_module("tests.numeric.operator_rules.checks_of_moves").OF_MODULES[name]()


OF_RATIONALS = (
    "test_one_query_is",
    "test_no_other",
    "test_of_those",
    "test_fp64_leaves",
    "test_the_distance",
    "test_dependent",
    "test_one_singular",
    "test_the_span",
)

CHECKS: dict[str, Callable[[], list[Check]]] = {
    ARITHMETICS + "roundoff": lambda: [*found_in("arithmetics.test_roundoff")(), *trials()],
    ARITHMETICS + "hazard": lambda: [*found_in("arithmetics.test_hazards")(), *trials()],
    ARITHMETICS + "value_and_radius": lambda: [*found_in("arithmetics.test_rules_at_the_edges", "arithmetics.test_rules_and_their_switches")(), *trials()],
    ARITHMETICS + "matrix_products": found_in("arithmetics.test_matrix_products"),
    ARITHMETICS + "partial_sums": found_in("arithmetics.test_partial_sums"),
    ARITHMETICS + "envelope": lambda: [
        *found_in("arithmetics.test_envelope_terms", "sides.test_margins", "sides.test_verdicts")(),
        *found_in("arithmetics.test_envelopes", only=("test_a_ninth", "test_what_is_no", "test_one_matrix", "test_a_product"))(),
    ],
    ARITHMETICS + "sensitivities": found_in("arithmetics.test_sensitivities"),
    ARITHMETICS + "uniform_errors": found_in("arithmetics.test_sensitivities"),
    ARITHMETICS + "growth": found_in("arithmetics.test_growth"),
    ARITHMETICS + "entry_roundings": found_in("arithmetics.test_entry_roundings"),
    ARITHMETICS + "value_and_variance": found_in("arithmetics.test_variances_exactly"),
    ARITHMETICS + "largest_entry": found_in("arithmetics.test_largest_entry"),
    ARITHMETICS + "balls": found_in("arithmetics.test_references_against_rationals"),
    ARITHMETICS + "intervals": found_in("arithmetics.test_references_against_rationals"),
    MACHINE + "error_model": found_in("machine.test_error_model_by_hand"),
    RULES + "reference": found_in("rules.test_reference_against_mpmath"),
    RULES + "activations": found_in("rules.test_worst_kernels", only=("test_an_act", "test_an_exp")),
    RULES + "enclosures": found_in(
        "rules.test_enclosures", "rules.test_worst_kernels", only=("test_an_act", "test_bounds", "test_what_is_flushed", "test_each_part")
    ),
    RULES + "normalisation": lambda: [
        *found_in("rules.test_stated_bounds")(),
        *found_in("rules.test_worst_kernels", only=("test_a_softmax", "test_a_norm"))(),
        *found_in("operator_rules.test_erring_norms")(),
    ],
    RULES + "library_errors": found_in("rules.test_library_errors"),
    RULES + "layouts": found_in("rules.test_layouts", only=("test_a_layout_has",)),
    RULES + "table": found_in("rules.test_table"),
    RULES + "junctions": found_in("rules.test_worst_junctions"),
    OPERATORS + "functions": lambda: [
        *found_in("operator_rules.test_stated_functions", only=("test_a_function", "test_ends"))(),
        *foretold("exp", "log", "sqrt", "rsqrt"),
        *erring(*(function.name for function in FUNCTIONS)),
        *found_in("operator_rules.test_erring_kernels", only=("test_a_sigmoid",))(),
        *found_in("operator_rules.test_functions", only=("test_the_constants",))(),
    ],
    OPERATORS + "gates": lambda: [
        *found_in("operator_rules.test_stated_bends", only=("test_a_mish", "test_the_form"))(),
        *erring("mish"),
        *found_in("operator_rules.test_functions", only=("test_the_constants",))(),
        *sweeps("gelu", "glu", modes=("bf16",)),
    ],
    OPERATORS + "bends": lambda: [
        *found_in("operator_rules.test_stated_bends", only=("test_a_softplus", "test_a_log", "test_what", "test_an_exp", "test_a_cont"))(),
        *foretold("softplus", "elu"),
        *erring("softplus", "log-sigmoid", "elu", "elu with numbers", "celu"),
    ],
    OPERATORS + "arithmetic": lambda: [
        *found_in("operator_rules.test_stated_arithmetic", only=("test_arithmetic", "test_a_denominator"))(),
        *arithmetic("add", "sub", "rsub", "mul", "div", "reciprocal", "neg"),
    ],
    OPERATORS + "products": found_in("operator_rules.test_stated_products"),
    OPERATORS + "columns": lambda: [
        *found_in("operator_rules.test_moved_by_hand", only=("test_an_axis",))(),
        *sweeps("_softmax", "native_layer_norm", "silu"),
        *found_in("operator_rules.test_erring_norms")(),
    ],
    OPERATORS + "piecewise": lambda: [
        *found_in("operator_rules.test_stated_arithmetic", only=("test_what", "test_a_leaky", "test_a_clamp", "test_a_threshold"))(),
        *foretold("leaky", "hards", "relu", "hardtanh", "clamp", "threshold"),
        *erring("leaky relu", "hardswish", "hardsigmoid"),
        *found_in("operator_rules.test_foretold", only=("test_the_larger", "test_a_machine"))(),
        *found_in("operator_rules.test_functions", only=("test_the_constants",))(),
        *sweeps("abs", "maximum", "minimum", "hardtanh", "_prelu_kernel", "softshrink", "hardshrink", "nan_to_num", modes=("bf16",)),
    ],
    OPERATORS + "powers": lambda: [
        *found_in("operator_rules.test_stated_functions", only=("test_a_power", "test_powers"))(),
        *foretold("pow"),
        test_foretold.test_a_square_that_is_lost_spoils_its_reciprocal,
        test_foretold.test_a_whole_power_across_zero_is_bounded,
        *erring(*(name for name in KERNELS if name.startswith("power"))),
        *found_in("operator_rules.test_erring_kernels", only=("test_a_power",))(),
    ],
    OPERATORS + "norms": lambda: [
        *found_in("operator_rules.test_stated_norms", only=("test_a_batch", "test_a_group", "test_a_norm", "test_a_root"))(),
        *found_in("operator_rules.test_erring_kernels", only=("test_a_batch_norm",))(),
        *found_in("operator_rules.test_erring_norms")(),
        *sweeps("_softmax", "native_layer_norm", "native_group_norm", "_native_batch_norm_legit", "_safe_softmax", modes=("bf16",)),
    ],
    OPERATORS + "log_sums": lambda: [
        *found_in("operator_rules.test_stated_norms", only=("test_logarithms", "test_a_log"))(),
        *found_in("operator_rules.test_erring_kernels", only=("test_logarithms",))(),
        *sweeps("_log_softmax", "logsumexp", modes=("bf16",)),
    ],
    SIDES + "judging": found_in("sides.test_margins", "sides.test_verdicts"),
    SIDES + "certificate": found_in("sides.test_certificate", "sides.test_certified_moves"),
    SIDES + "range_limits": found_in("sides.test_range_limits_exactly"),
    SIDES + "both_sides": lambda: [
        *found_in("sides.test_both_sides_by_hand", "sides.test_known_sides")(),
        *found_in("sides.test_both_sides_exactly", only=("test_each_side", "test_a_drift", "test_the_move", "test_what_the_update", "test_the_same_bits"))(),
    ],
    SIDES + "expected_difference": found_in("sides.test_expected_difference"),
    SIDES + "one_side": found_in("sides.test_output_patch", "sides.test_both_sides_exactly"),
    SIDES + "variant": found_in("sides.test_variants"),
    SIDES + "patches": found_in("sides.test_patches_by_hand"),
    SIDES + "wrong_update": found_in("sides.test_patches_by_hand"),
    SIDES + "output_patch": found_in("sides.test_output_patch"),
    EXPERIMENTS + "near_zero_sweep": lambda: [
        *found_in("experiments.test_near_zero_by_hand", "experiments.test_near_zero_parts")(),
        *found_in("experiments.test_near_zero_predictions", only=("test_one_entry", "test_an_operand", "test_a_case"))(),
    ],
    EXPERIMENTS + "implicit_dynamics": lambda: [
        *found_in("experiments.test_dynamics_by_hand")(),
        *found_in("experiments.test_implicit_dynamics", only=("test_curves",))(),
    ],
    EXPERIMENTS + "patched_stack": found_in("experiments.test_patched_stack_by_hand"),
    EXPERIMENTS + "post_norm": found_in("experiments.test_patched_stack_by_hand", only=("test_a_post", "test_scales")),
    EXPERIMENTS + "one_update_many_queries": found_in("experiments.test_static_patches_by_hand"),
    EXPERIMENTS + "paper_figures": found_in("experiments.test_losses_apart"),
    EXPERIMENTS + "exact_least_squares": found_in("experiments.test_one_update_many_queries", only=OF_RATIONALS),
    EXPERIMENTS + "least_squares": found_in("experiments.test_one_update_many_queries", only=OF_RATIONALS),
    EXPERIMENTS + "weight_paths": found_in("experiments.test_weight_paths_exactly"),
    EXPERIMENTS + "first_layer": found_in("experiments.test_weight_paths_exactly"),
    OPERATORS + "convolutions": found_in("operator_rules.test_convolutions", only=("test_conv", "test_another", "test_radii", "test_what", "test_onednn")),
    OPERATORS + "attention": found_in("operator_rules.test_attention", only=("test_att", "test_the_exp")),
    **{OPERATORS + name: of_operators(name) for name in ("accumulations", "again", "casts", "choices", "comparisons", "mixtures", "moves", "sums")},
    **{OPERATORS + name: of_operators(name) for name in ("running_products", "steps", "variances")},
}
"""By the module that is changed."""

EXPLAINED = [ARITHMETICS + name for name in ("roundoff", "hazard", "growth", "matrix_products", "partial_sums", "envelope", "value_and_radius")]
EXPLAINED += [ARITHMETICS + name for name in ("value_and_variance", "sensitivities", "uniform_errors", "entry_roundings", "balls", "intervals")]
EXPLAINED += [RULES + name for name in ("activations", "enclosures", "normalisation", "junctions", "layouts", "library_errors", "table")]
EXPLAINED += [SIDES + name for name in ("both_sides", "expected_difference", "judging", "certificate", "one_side", "output_patch", "range_limits")]
EXPLAINED += [SIDES + name for name in ("patches", "variant", "wrong_update")]
EXPLAINED += [EXPERIMENTS + name for name in ("first_layer", "implicit_dynamics", "near_zero_sweep", "one_update_many_queries", "patched_stack", "post_norm")]
EXPLAINED += [EXPERIMENTS + name for name in ("exact_least_squares", "least_squares", "weight_paths")]
EXPLAINED += [OPERATORS + name for name in ("accumulations", "arithmetic", "bends", "functions", "gates", "log_sums", "mixtures", "norms")]
EXPLAINED += [OPERATORS + name for name in ("again", "casts", "columns", "comparisons", "moves", "piecewise", "powers", "products", "sums")]
EXPLAINED += [ARITHMETICS + "largest_entry", MACHINE + "error_model", RULES + "reference"]
"""Those of which every mutant that goes unnoticed is listed with its reason; the lists of the others are not complete."""

QUICK = [ARITHMETICS + "matrix_products", RULES + "activations", SIDES + "judging"]
"""Those of which a sample is tried by default."""
