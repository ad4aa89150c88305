"""Training a block on the paper's task, and the cache of what was trained.

Deterministic by the recipe's seed on one machine and version of torch. A block that has not learned is refused: a
stress test of an untrained block would say nothing of the paper.
"""

import copy
import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from numeric.architecture.block import Block
from numeric.training.task import InContextRegressor, draw_prompts, half_squared_error
from symbolic.vocabulary.errors import CallError

VALIDATION_PROMPTS = 8192
CHECKPOINT = "@"
"""Stands between the step and the name of a weight in a cached file; no parameter's name holds one."""
CURVE_POINTS = 100
CHECKPOINT_EVERY = 5
"""Points of the curve from one checkpoint to the next."""

Progress = Callable[[str, int, int], None]
"""Called with a label, the steps done and the steps in all."""


class BlockNotTrained(Exception):
    """The block did not learn the task, so no statement about trained blocks can be tested on it."""


class UnusableWeights(CallError):
    """A weight is NaN or infinite."""


class CacheNotWritten(UserWarning):
    """A trained block could not be kept; the next run trains it again."""


class DamagedCache(UserWarning):
    """A cached block could not be read and is trained again."""


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


def cache_folder() -> Path:
    """Where trained blocks are kept: $ICL_VERIFY_CACHE, or the user's cache folder."""
    named = os.environ.get("ICL_VERIFY_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("icl-verify")


def trained(block: Block, *, progress: Progress | None = None, retrain: bool = False) -> TrainedBlock:
    """The trained block, from the cache if it is there.

    Raises BlockNotTrained if it did not reach its recipe's loss, UnusableWeights if a weight is not finite.
    """
    path = _place(block)
    result = None if retrain or not path.exists() else _read(block, path)
    if result is None:
        result = _train(block, progress)
        refuse_unusable(result)
        _write(result, path)
    refuse_unusable(result)
    return result


def is_cached(block: Block) -> bool:
    """Whether there is a file for the block in the cache; whether it is sound shows when it is read."""
    return _place(block).exists()


def _place(block: Block) -> Path:
    return cache_folder() / f"{block.id}-{block.fingerprint}.safetensors"


def refuse_unusable(result: TrainedBlock) -> None:
    """Raise unless every weight is finite and the block has learned."""
    for name, weight in result.model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise UnusableWeights(f'"{name}" of block "{result.block.id}" holds a NaN or an infinity; delete its file in {cache_folder()} and train again.')
    required = result.block.recipe.required_loss
    if not result.validation_loss <= required:
        raise BlockNotTrained(f'block "{result.block.id}" reached ½ MSE {result.validation_loss:.4f}, not the required {required}; it has not learned.')


def _fresh(block: Block) -> InContextRegressor:
    """The untrained model; its initial weights depend on the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(block.recipe.seed)
        return InContextRegressor(block.build(block.recipe), block.recipe)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The sums of a product may depend on the number of threads; and for matrices this small one is no slower than two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@_one_thread()
def _train(block: Block, progress: Progress | None) -> TrainedBlock:
    recipe, started = block.recipe, time.perf_counter()
    model = _fresh(block)
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    losses: list[tuple[int, float]] = []
    checkpoints: dict[int, dict[str, Tensor]] = {}
    every = max(1, recipe.steps // CURVE_POINTS)
    for step in range(recipe.steps):
        prompts = draw_prompts(recipe, recipe.batch, generator)
        last = step == recipe.steps - 1
        if step % (CHECKPOINT_EVERY * every) == 0 or last:
            checkpoints[step] = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        loss = half_squared_error(model(prompts.context, prompts.query), prompts.answer)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        if step % every == 0 or last:
            losses.append((step, float(loss.detach())))
            if progress:
                progress(f"train {block.id}", step, recipe.steps)
    if progress:
        progress(f"train {block.id}", recipe.steps, recipe.steps)
    validation, zero = _validated(model.requires_grad_(False), block)
    return TrainedBlock(block, model, validation, zero, tuple(losses), time.perf_counter() - started, cached=False, checkpoints=checkpoints)


@_one_thread()
def _validated(model: InContextRegressor, block: Block) -> tuple[float, float]:
    """Half the mean squared error on fresh prompts, and the same for predicting zero."""
    fresh = draw_prompts(block.recipe, VALIDATION_PROMPTS, torch.Generator().manual_seed(block.recipe.seed + 2))
    with torch.no_grad():
        found, nothing = model(fresh.context, fresh.query), torch.zeros_like(fresh.answer)
    return float(half_squared_error(found, fresh.answer)), float(half_squared_error(nothing, fresh.answer))


def _is_finite(model: InContextRegressor) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in model.parameters())


def _checksum(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, weight in sorted(tensors.items()):
        digest.update(name.encode() + weight.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write(result: TrainedBlock, path: Path) -> None:
    """Write to a temporary file first, so that a killed run leaves no half of one. A cache that cannot be written is a warning."""
    tensors = dict(result.model.state_dict())
    tensors.update({f"{step}{CHECKPOINT}{name}": weight for step, weights in result.checkpoints.items() for name, weight in weights.items()})
    facts = {"weights": _checksum(tensors), "losses": result.losses, "seconds": result.seconds}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(descriptor)
        save_file(tensors, name, metadata={"facts": json.dumps(facts)})
        os.replace(name, path)
    except OSError as error:
        warnings.warn(
            CacheNotWritten(f"the trained block cannot be kept at {path} ({error.strerror}); set ICL_VERIFY_CACHE to a folder that can be written."),
            stacklevel=3,
        )


def _read(block: Block, path: Path) -> TrainedBlock | None:
    """The cached block, or None with a warning if its file is damaged. Its losses are measured again, not believed."""
    model = _fresh(block)
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        checkpoints: dict[int, dict[str, Tensor]] = {}
        for step, name in (key.split(CHECKPOINT) for key in tensors if CHECKPOINT in key):
            checkpoints.setdefault(int(step), {})[name] = tensors[f"{step}{CHECKPOINT}{name}"]
        model.load_state_dict({name: weight for name, weight in tensors.items() if CHECKPOINT not in name})
        # What is not finite is refused by name, and not trained again behind anybody's back.
        if _is_finite(model) and _checksum(tensors) != facts["weights"]:
            raise ValueError("its weights are not those that were written")
        losses, seconds = tuple((int(step), float(loss)) for step, loss in facts["losses"]), float(facts["seconds"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        warnings.warn(
            DamagedCache(f"the cached block {path} is damaged ({type(error).__name__}: {' '.join(str(error).split())}); it is trained again."), stacklevel=3
        )
        return None
    return TrainedBlock(
        block, model, *_validated(model.requires_grad_(False), block), losses, seconds, cached=True, checkpoints=dict(sorted(checkpoints.items()))
    )
