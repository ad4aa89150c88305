"""Attention over balls, by its definition."""

import math
from typing import Any

import numpy as np
from flint import arb

from numeric.rules import reference
from tests.numeric.operator_rules.references_functions import log_sum

Array = np.ndarray


def attention(  # ATen's arguments
    query: Array,
    key: Array,
    value: Array,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Array | None = None,
    scale: float | None = None,
) -> tuple[Array, Array]:
    """Σ softmax(c q·k + m) v, and ln Σe^(c q·k + m).  Keys that a mask closes are left out."""
    c = 1 / arb(query.shape[-1]).sqrt() if scale is None else arb(scale)
    made = np.empty((*query.shape[:3], value.shape[-1]), dtype=object)
    logs = np.empty(query.shape[:3], dtype=object)
    mask: Any = None if attn_mask is None else np.broadcast_to(attn_mask, (*query.shape[:3], key.shape[2]))
    for place in np.ndindex(query.shape[:3]):
        case, head, row = place
        kept, scores = [], []
        for j in range(key.shape[2]):
            added = arb(0) if mask is None else mask[(*place, j)]
            if not (is_causal and j > row) and added != arb("-inf"):
                kept.append(j)
                scores.append(c * sum((a * b for a, b in zip(query[place], key[case, head, j], strict=True)), arb(0)) + added)
        weights = reference.softmax(scores)
        for column in range(value.shape[-1]):
            made[(*place, column)] = sum((p * value[case, head, j, column] for p, j in zip(weights, kept, strict=True)), arb(0))
        logs[place] = log_sum(scores)
    assert math.prod(made.shape) > 0
    return made, logs
