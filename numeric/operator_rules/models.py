"""How the machine computes with tensors of each dtype, while a mode is on: the mode's own arithmetic for its storage format, plain ones beside it."""

from dataclasses import replace
from functools import cache

import torch

from numeric.formats import modes_named
from numeric.machine import ErrorModel, ProbedMode, probe
from numeric.operator_rules.call import Models, format_of

SMALL = ((2, 3),)
"""A shape to ask a plain mode about: calls are asked about where they are met."""


def models_of(probed: ProbedMode) -> Models:
    """The models of a mode: a norm or a router that is cast up computes in plain fp32, and a mode that flushes does so in every format.

    Where a mode casts operands before an operator is called, each operator is a plain one of what it is handed.
    """

    def of(dtype: torch.dtype) -> ErrorModel:
        layer = probed.layer
        if format_of(dtype) == layer.storage and not probed.mode.casts:
            return layer
        plain = _plain(format_of(dtype).name, probed.device)
        return replace(plain, elementwise_flushes=True) if layer.elementwise_flushes else plain

    return of


@cache
def _plain(name: str, device: str) -> ErrorModel:
    (mode,) = modes_named([name])
    return probe(mode, shapes=SMALL, device=device).layer
