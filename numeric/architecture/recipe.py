"""How a block is trained: every choice that determines its weights, and nothing else."""

import ast
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeGuard


@dataclass(frozen=True, slots=True)
class Recipe:
    """The paper's task (§4.1) and a training run on it. The paper gives neither width, heads, batch, rate nor steps."""

    dimension: int = 2
    """d of the task: h(x) = ⟨w, x⟩ with x, w in ℝᵈ."""
    examples: int = 50
    """N: examples in a prompt."""
    width: int = 32
    """Width of a token once embedded, and of the contextual layer."""
    heads: int = 8
    hidden: int = 128
    """m: rows of W, the first dense layer."""
    steps: int = 1500
    batch: int = 128
    learning_rate: float = 5e-3
    """Adam's; it falls to zero along a half cosine."""
    clip: float = 1.0
    """Largest norm of a gradient; a longer one is shortened to it. Recurrences need it."""
    seed: int = 0
    required_loss: float = 0.06
    """Half the mean squared error on fresh prompts above which the block counts as not trained; predicting zero gives d/2."""

    @property
    def token_width(self) -> int:
        """D + 1: a token is (x, ⟨w, x⟩)."""
        return self.dimension + 1


def fingerprint(block_id: str, recipe: Recipe, sources: Sequence[str], torch_version: str) -> str:
    """A hash of everything that determines the trained weights.  sources: the texts of the modules that build and train the block.

    Import statements and docstrings do not count: a module that moves, or is described in other words, trains the same weights.
    """
    recipe_text = json.dumps(asdict(recipe), sort_keys=True)
    return hashlib.sha256("\0".join([block_id, recipe_text, *map(executed, sources), torch_version]).encode()).hexdigest()[:16]


def executed(source: str) -> str:
    """A Python source without its import statements, docstrings and blank lines.

    What is imported under another name counts, since that name may stand for anything.
    """
    lines, renamed = [line.encode() for line in source.splitlines()], []
    for node in sorted(filter(_does_nothing, ast.walk(ast.parse(source))), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        last = node.end_lineno or node.lineno
        lines[node.lineno - 1 : last] = [lines[node.lineno - 1][: node.col_offset] + lines[last - 1][node.end_col_offset :]]
        if isinstance(node, ast.Import | ast.ImportFrom):
            renamed += [f"{alias.name} as {alias.asname}" for alias in node.names if alias.asname]
    return "\n".join([line.decode() for line in lines if line.strip()] + sorted(renamed))


def _does_nothing(node: ast.AST) -> TypeGuard[ast.stmt]:
    """Whether it is an import statement, or a string that stands alone."""
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return text or isinstance(node, ast.Import | ast.ImportFrom)
