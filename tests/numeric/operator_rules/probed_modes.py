"""Modes that a CPU has, asked about once: the sweeps ask about each call that they meet."""

from functools import cache

import torch

from numeric.formats import modes_named
from numeric.machine import ProbedMode, probe

DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp32-ftz": torch.float32}
"""By the name of the mode."""


@cache
def probed(name: str) -> ProbedMode:
    """A mode."""
    (mode,) = modes_named([name])
    return probe(mode, shapes=((2, 3),))
