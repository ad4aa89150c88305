"""How a block is trained: every choice that determines its weights, and nothing else."""

import hashlib
import json
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


def fingerprint(block_id: str, recipe: Recipe, *sources: str) -> str:
    """A hash of everything that determines the trained weights.  sources: the texts of the code that builds and trains the block, its libraries' versions."""
    recipe_text = json.dumps(asdict(recipe), sort_keys=True)
    return hashlib.sha256("\0".join([block_id, recipe_text, *sources]).encode()).hexdigest()[:16]
