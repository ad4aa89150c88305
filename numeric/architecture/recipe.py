"""How a block is trained: every choice that determines its weights, and nothing else."""

import ast
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


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
    """A Python source without its import statements, docstrings and blank lines."""
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        ):
            dropped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return "\n".join(line for number, line in enumerate(source.splitlines(), start=1) if number not in dropped and line.strip())
