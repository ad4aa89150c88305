"""Parameters that share a part of their memory with others: what is written through one is read through the other.

Parameters may be views of one buffer, one behind the other, and are apart then. Where two overlap, an update of one changes the other, and the claims are
of another module. The same view under another name is a tie, which is met where it is read.
"""

import torch
from torch import nn

from numeric.operators.double_precision import tensors_of
from numeric.operators.memory import Memory
from numeric.operators.recording import Recording
from numeric.operators.refusals import SHARES_MEMORY, RefusedBlock


def refuse_overlaps(trace: Recording, module: nn.Module, name: str) -> None:
    """Raise RefusedBlock if another tensor of the module shares a part of a parameter's memory; a buffer that holds all of it may, if nothing reads it."""
    tensors = tensors_of(module)
    mine, marks = tensors[name], Memory(torch.uint8)
    marks.put(mine, 1)
    read = [x for record in trace.records if not record.view for _, x in record.step.tensors if marks.knows(x) and x.dtype == mine.dtype]
    read_beyond = any(0 < int(marks.of(x).count_nonzero()) < x.numel() for x in read)
    others = []
    for other, x in tensors.items():
        same = (x.shape, x.stride(), x.storage_offset()) == (mine.shape, mine.stride(), mine.storage_offset())
        shared = int(marks.of(x).count_nonzero()) if other != name and not same and marks.knows(x) and x.dtype == mine.dtype else 0
        if shared and (read_beyond or not shared == mine.numel() < x.numel()):
            others.append(other)
    if others:
        raise RefusedBlock(SHARES_MEMORY, name=name, others=" and ".join(others))
