"""What a search knows, kept for the next one: a safetensors file beside the trained blocks.

One file for each block (by the fingerprint of its weights), format, variant and device. It holds the worst contexts of each stage and of the
random ones, and how many cases it took to find them. Ratios are not kept: the next search measures the contexts anew, by the rules of its day.
"""

import hashlib
import json
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from numeric.cells import Cell
from numeric.machine.kept_orders import cache_folder
from numeric.search.worst_context import Best, Found
from numeric.training import save_whole

STAGES = ("random", "ascent", "evolution")


class SearchNotKept(UserWarning):
    """What was found could not be written; the next search begins anew."""


class DamagedSearch(UserWarning):
    """What an earlier search kept could not be read; this one begins anew."""


def place_of(cell: Cell) -> Path:
    """The file of a search."""
    block, probed = cell.subject.block, cell.probed
    return cache_folder() / f"adversarial-{block.id}-{block.fingerprint}-{probed.mode.id}-{cell.variant.id}-{probed.device}.safetensors"


def save_search(found: Found, cell: Cell) -> None:
    """Write what is known, whole or not at all. A folder that cannot be written is a warning."""
    tensors = {stage: best.tokens.clone() for stage in STAGES if (best := getattr(found, stage)).tokens is not None}
    facts = json.dumps({"evaluations": found.evaluations, "contexts": _checksum(tensors, found.evaluations)})
    save_whole(place_of(cell), tensors, {"search": facts}, "what the search found", SearchNotKept)


def saved_search(cell: Cell) -> Found | None:
    """What the last search knew, but for the ratios; None if there is nothing, or with a warning if it is damaged."""
    path = place_of(cell)
    if not path.exists():
        return None
    width = cell.block.input_width
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["search"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        evaluations = int(facts["evaluations"])
        if _checksum(tensors, evaluations) != facts["contexts"]:
            raise ValueError("its contexts are not those that were written")
        if any(x.dim() != 2 or x.shape[1] != width or x.shape[0] < 2 or x.dtype != torch.float64 for x in tensors.values()):
            raise ValueError(f"its contexts are no tokens of width {width}")
        random, ascent, evolution = (Best(tokens=tensors.get(stage)) for stage in STAGES)
        return Found(evaluations, random, ascent, evolution)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        message = f"{path}, which an earlier search kept, is damaged ({type(error).__name__}: {' '.join(str(error).split())}); this one begins anew."
        warnings.warn(DamagedSearch(message), stacklevel=2)
        return None


def _checksum(tensors: dict[str, Tensor], evaluations: int) -> str:
    """SHA-256 of the contexts and of how many cases it took."""
    digest = hashlib.sha256(str(evaluations).encode())
    for name, tokens in sorted(tensors.items()):
        digest.update(name.encode() + str(tuple(tokens.shape)).encode() + tokens.contiguous().numpy().tobytes())
    return digest.hexdigest()
