"""A block with its weights, and what is refused: a stress test of an untrained block would say nothing of the paper."""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock
from numeric.training.task import InContextRegressor, Prompts, draw_prompts
from symbolic.vocabulary import CallError


class BlockNotTrained(Exception):
    """The block did not learn the task, so no statement about trained blocks can be tested on it."""


class UnusableWeights(CallError):
    """A weight is NaN or infinite."""


@dataclass(frozen=True, slots=True)
class TrainedBlock:
    """A block with its weights and what training showed."""

    block: Block
    model: InContextRegressor
    validation_loss: float
    """Half the mean squared error on fresh prompts."""
    zero_loss: float
    """The same for predicting zero."""
    losses: tuple[tuple[int, float], ...]
    """(step, training loss), thinned."""
    seconds: float
    cached: bool
    checkpoints: dict[int, dict[str, Tensor]]
    """The weights before a step of training, by that step; evenly spaced. Empty where they were left behind."""
    replaces_others: bool = False
    """Whether the cache held a sound file with other weights. Training is deterministic on one machine, so those came from elsewhere or were changed."""

    def at(self, step: int) -> "TrainedBlock":
        """The block as it was before a step of training; its losses are those of the whole training."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.checkpoints[step])
        return replace(self, model=model, checkpoints={})

    def alone(self) -> "TrainedBlock":
        """Without the checkpoints, which most of what is done with it does not need."""
        return replace(self, checkpoints={})

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(p.numel() for p in self.model.parameters())

    def generator(self, stream: int) -> torch.Generator:
        """A generator of its own for each experiment, by the recipe's seed.  stream: added to that."""
        return torch.Generator().manual_seed(self.block.recipe.seed + stream)

    def in_fp64(self, prompts: int, generator: torch.Generator) -> tuple[ContextualBlock, Prompts]:
        """The module in fp64, and so many fresh prompts, embedded."""
        raw, embed = draw_prompts(self.block.recipe, prompts, generator), copy.deepcopy(self.model.embedding).double()
        with torch.no_grad():
            embedded = Prompts(embed(raw.context.double()), embed(raw.query.double()), raw.answer.double())
        return copy.deepcopy(self.model.block).double(), embedded


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of every weight, bit for bit, by its name."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        digest.update(name.encode() + weight.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
