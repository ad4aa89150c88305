"""The cache of trained blocks: a file each, named by the block and the fingerprint of all that determines its weights.

A file that cannot be read, or holds other weights than were written, is not believed: the block is trained again.
"""

import json
import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from numeric.architecture import Block
from numeric.machine.kept_orders import cache_folder
from numeric.training.train import Progress, train_block, untrained, validated
from numeric.training.trained_block import BlockNotTrained, TrainedBlock, UnusableWeights, weights_digest

CHECKPOINT = "@"
"""Stands between the step and the name of a weight in a cached file; no parameter's name holds one."""


class CacheNotWritten(UserWarning):
    """A trained block could not be kept; the next run trains it again."""


class DamagedCache(UserWarning):
    """A cached block could not be read and is trained again."""


def trained(block: Block, *, progress: Progress | None = None, retrain: bool = False) -> TrainedBlock:
    """The trained block, from the cache if it is there.

    retrain: train it all the same; where the cache holds other weights than that gives, the result says so. A checksum cannot: whoever changes a
    file can write another. Raises BlockNotTrained if it did not reach its recipe's loss, UnusableWeights if a weight is not finite.
    """
    path = _place(block)
    result = None if retrain or not path.exists() else _read(block, path)
    if result is None:
        result = train_block(block, progress)
        refuse_unusable(result)
        kept = _read(block, path) if retrain and path.exists() else None
        if kept is not None:
            digests = [weights_digest(_contents(each)[0]) for each in (kept, result)]
            result = replace(result, replaces_others=digests[0] != digests[1])
        save_whole(path, *_contents(result), "the trained block", CacheNotWritten)
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


def _contents(result: TrainedBlock) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Of a cached file: its tensors, and what is said of them."""
    tensors = dict(result.model.state_dict())
    tensors.update({f"{step}{CHECKPOINT}{name}": weight for step, weights in result.checkpoints.items() for name, weight in weights.items()})
    return tensors, {"facts": json.dumps({"weights": weights_digest(tensors), "losses": result.losses, "seconds": result.seconds})}


def save_whole(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], what: str, unsaved: type[UserWarning]) -> None:
    """Write to a temporary file first, so that a killed run leaves no half of one. A folder that cannot be written is a warning, of what is not kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(descriptor)
        save_file(tensors, name, metadata=metadata)
        os.replace(name, path)
    except OSError as error:
        message = f"{what} cannot be kept at {path} ({error.strerror}); set ICL_VERIFY_CACHE to a folder that can be written."
        warnings.warn(unsaved(message), stacklevel=3)


def _read(block: Block, path: Path) -> TrainedBlock | None:
    """The cached block, or None with a warning if its file is damaged. Its losses are measured again, not believed."""
    model = untrained(block)
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        checkpoints: dict[int, dict[str, Tensor]] = {}
        for step, name in (key.split(CHECKPOINT) for key in tensors if CHECKPOINT in key):
            checkpoints.setdefault(int(step), {})[name] = tensors[f"{step}{CHECKPOINT}{name}"]
        model.load_state_dict({name: weight for name, weight in tensors.items() if CHECKPOINT not in name})
        # What is not finite is refused by name, and not trained again behind anybody's back.
        if all(bool(torch.isfinite(weight).all()) for weight in model.parameters()) and weights_digest(tensors) != facts["weights"]:
            raise ValueError("its weights are not those that were written")
        losses, seconds = tuple((int(step), float(loss)) for step, loss in facts["losses"]), float(facts["seconds"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        message = f"the cached block {path} is damaged ({type(error).__name__}: {' '.join(str(error).split())}); it is trained again."
        warnings.warn(DamagedCache(message), stacklevel=3)
        return None
    again = validated(model.requires_grad_(False), block)
    return TrainedBlock(block, model, *again, losses, seconds, cached=True, checkpoints=dict(sorted(checkpoints.items())))
