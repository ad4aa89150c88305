"""What else a term may be taken for: a condition turned about or halved, a sign dropped, the operands of a difference exchanged.

not x, ~x, -x          x
a and b, a or b        a, b; of more than two all but one
a - b                  b - a
a is b, a in b         a is not b, a not in b; and back
if t, while t          if not t, where t is not one of these or a comparison
"""

import ast
import copy

ARITHMETICS, EXPERIMENTS, RULES, SIDES = (f"numeric.{wing}." for wing in ("arithmetics", "experiments", "rules", "sides"))
TURNED_TOO = {ARITHMETICS + name for name in ("hazard", "matrix_products", "partial_sums", "uniform_errors", "growth", "entry_roundings", "largest_entry")}
TURNED_TOO |= {ARITHMETICS + name for name in ("intervals", "envelope", "roundoff", "balls", "sensitivities", "value_and_radius", "value_and_variance")} | {
    "numeric.machine.error_model"
}
TURNED_TOO |= {RULES + name for name in ("activations", "reference", "enclosures", "library_errors", "junctions", "layouts", "normalisation", "table")}
TURNED_TOO |= {SIDES + name for name in ("certificate", "judging", "one_side", "patches", "variant", "wrong_update")}
TURNED_TOO |= {SIDES + name for name in ("both_sides", "expected_difference", "output_patch", "range_limits")}
TURNED_TOO |= {EXPERIMENTS + name for name in ("near_zero_sweep", "one_update_many_queries")}
TURNED_TOO |= {
    EXPERIMENTS + name for name in ("least_squares", "exact_least_squares", "post_norm", "first_layer", "weight_paths", "patched_stack", "implicit_dynamics")
}
"""The modules of which these are tried, too."""

NEGATED = {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}


def turned(node: ast.AST) -> list[ast.AST]:
    """What a node may become of these."""
    if isinstance(node, ast.UnaryOp) and not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
        return [node.operand]
    if isinstance(node, ast.BoolOp):
        return [_without(node, each) for each in node.values]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return [ast.BinOp(node.right, node.op, node.left)]
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in NEGATED:
        return [ast.Compare(node.left, [NEGATED[type(node.ops[0])]()], node.comparators)]
    if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        other = copy.copy(node)
        other.test = ast.UnaryOp(ast.Not(), node.test)
        return [other]
    return []


def _without(node: ast.BoolOp, part: ast.expr) -> ast.expr:
    rest = [each for each in node.values if each is not part]
    return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def shown(node: ast.AST) -> ast.AST:
    """What stands for a node in words: of a statement its condition."""
    return node.test if isinstance(node, ast.If | ast.While) else node
