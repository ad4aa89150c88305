"""Modes that a CPU has, asked about once: the sweeps ask about each call that they meet."""

from functools import cache

import torch

from numeric.formats import modes_named
from numeric.machine import ProbedMode, probe

DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp32-ftz": torch.float32}
"""By the name of the mode."""


EMULATED = {"tf32": torch.float32, "bf16-reduced": torch.bfloat16, "fp16-reduced": torch.float16}
"""Those whose products alone are not the machine's own."""


@cache
def probed(name: str) -> ProbedMode:
    """A mode."""
    (mode,) = modes_named([name])
    return probe(mode, shapes=((2, 3),))
