"""Which weights a model has, told by a digest."""

import hashlib

from torch import nn


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of every weight, bit for bit, by its name."""
    found = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        found.update(name.encode() + weight.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
