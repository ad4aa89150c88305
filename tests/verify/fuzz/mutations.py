"""Random changes of JSON, of files, and of witnesses; each is determined by its seed."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from numeric.cells import Witness
from numeric.cells.witness import encoded

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 2**53 + 1, 10**400, 0.5, -0.5, 1e308, -1e-320, 1.0),
    *("", "x", "NaN", "Infinity", "-Infinity", "HOLDS", "VIOLATED", "../../x", "\x00", "\x1b[31m", "\n", "\u202e", "é" * 300, "2026-01-01T00:00:00Z"),
    *([], [None], [[]], {}, {"": 1}, {"x": {"x": []}}),
)

TEXTS = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 50_000, '{"a":' * 50_000, "\ufeff", "\\ud800", '"cells": [], ', "\x00", ",,", "}", "true")


def changed_json(text: str, chance: random.Random) -> str:
    """One to three changes of values, then now and then one of the text."""
    data = json.loads(text)
    for _ in range(chance.randint(1, 3)):
        _change_a_value(data, chance)
    found = json.dumps(data, ensure_ascii=chance.random() < 0.5)
    return found if chance.random() < 0.6 else changed_text(found, chance)


def changed_text(text: str, chance: random.Random) -> str:
    """The text with a piece put in, left out, repeated, or its end cut off."""
    at = chance.randrange(len(text) + 1)
    until = min(len(text), at + chance.choice((1, 3, 40, 4000)))
    return chance.choice((text[:at] + chance.choice(TEXTS) + text[at:], text[:at] + text[until:], text[:until] + text[at:], text[:at]))


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Some bytes others, a piece left out, or the end cut off."""
    found = bytearray(content)
    match chance.randrange(4):
        case 0:
            for _ in range(chance.choice((1, 1, 8))):
                found[chance.randrange(len(found))] = chance.randrange(256)
        case 1:
            del found[chance.randrange(len(found)) :]
        case 2:
            at = chance.randrange(len(found))
            del found[at : at + chance.choice((1, 8, 100))]
        case 3:
            found[:8] = chance.choice((0, 1, 7, 100, len(content), 2**31, 2**63 - 1)).to_bytes(8, "little")
    return bytes(found)


def _change_a_value(data: Any, chance: random.Random) -> None:
    """Another value, one that is there elsewhere, none, or one more, somewhere in it."""
    place, names = data, [*data]
    while names:
        name = chance.choice(names)
        below = place[name]
        if isinstance(below, dict | list) and below and chance.random() < 0.85:
            place, names = below, [*below] if isinstance(below, dict) else [*range(len(below))]
            continue
        match chance.randrange(5):
            case 0 | 1:
                place[name] = chance.choice(VALUES)
            case 2:
                place[name] = copy.deepcopy(place[chance.choice(names)])
            case 3:
                del place[name]
            case 4 if isinstance(place, list):
                place.insert(0, copy.deepcopy(below))
            case 4:
                place[chance.choice(("new", "", "a\nb", name * 2 if isinstance(name, str) else "x"))] = below
        return


REALS = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2)
DTYPES = (*REALS, torch.int64, torch.uint8, torch.bool, torch.complex64)


def changed_witness(witness: Witness, chance: random.Random) -> bytes:
    """Its file with other facts or tensors, and a checksum that fits them; or with other bytes."""
    if chance.random() < 0.35:
        return changed_bytes(witness.to_bytes(), chance)
    facts, tensors = copy.deepcopy(witness.facts.as_dict()), dict(witness.tensors)
    for _ in range(chance.randint(1, 2)):
        if chance.random() < 0.5:
            _change_a_value(facts, chance)
        else:
            name = chance.choice([*tensors])
            tensors[name] = chance.choice(OF_TENSORS)(tensors[name], chance)
    try:
        return encoded(tensors, facts)
    except (UnicodeEncodeError, ValueError):  # half a surrogate pair, or an integer that Python does not print: no file holds it
        return changed_bytes(witness.to_bytes(), chance)


def _filled(tensor: Tensor, chance: random.Random) -> Tensor:
    value = chance.choice((0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-45, 6e4, 1e38, -1.0))
    return torch.full_like(tensor, value) if tensor.is_floating_point() else tensor


OF_TENSORS: tuple[Callable[[Tensor, random.Random], Tensor], ...] = (
    lambda tensor, chance: tensor.to(chance.choice(DTYPES)),
    _filled,
    lambda tensor, chance: tensor[:0],
    lambda tensor, chance: torch.cat([tensor, tensor]),
    lambda tensor, chance: tensor.unsqueeze(chance.choice((0, -1))),
    lambda tensor, chance: tensor.flatten(),
    lambda tensor, chance: torch.zeros((), dtype=tensor.dtype),
    lambda tensor, chance: torch.zeros(chance.choice(((0, 3), (1, 1), (300, 2), (2, 300), (1, 100_000))), dtype=tensor.dtype),
)
