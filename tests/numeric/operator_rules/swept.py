"""Sweeps of overloads over PyTorch's samples and ours, every format and every size of radius."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from numeric.formats import modes_named
from numeric.machine import ProbedMode, probe
from numeric.operator_rules import NoOperatorRule
from numeric.operators.executions import tensors_in
from tests.numeric.operator_rules.against_exact import Tally, compare
from tests.numeric.operator_rules.drawn import Draw
from tests.numeric.operator_rules.opinfo import LARGEST, samples

FORMATS = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp32-ftz": torch.float32}
SPREADS = (0.0, 1e-6, 1e-2)
Samples = Iterable[tuple[Any, Sequence[Any], Mapping[str, Any]]]


@cache
def probed(name: str) -> ProbedMode:
    """A mode of this machine."""
    (mode,) = modes_named([name])
    return probe(mode, shapes=((2, 3),))


def swept(some: Samples, references: Mapping[str, Callable[..., Any]], format_name: str, *, spreads: Sequence[float], seed: int = 0) -> dict[str, Tally]:
    """Each sample of an overload that has a reference, with each spread; by overload."""
    found: dict[str, Tally] = defaultdict(Tally)
    for place, (operator, args, kwargs) in enumerate(some):
        reference = references.get(plain(operator))
        if reference is not None and all(x.numel() <= LARGEST and not x.is_complex() for x in tensors_in([*args, *kwargs.values()])):
            for spread in spreads:
                tally = found[str(operator)]
                try:
                    compare(operator, args, kwargs, reference, probed(format_name), tally, spread=spread, seed=seed + place)
                except NoOperatorRule as error:
                    tally.refused.append(str(error))
    return found


def plain(operator: Any) -> str:
    """The overload of which an in-place form is one."""
    name, form = str(operator).rsplit(".", 1)
    return f"{name.removesuffix('_') if operator._schema.is_mutable else name}.{form}"


def of_opinfo(entries: Sequence[str], format_name: str) -> Iterator[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    """PyTorch's own samples."""
    for entry in entries:
        yield from samples(entry, FORMATS[format_name])


def of_ours(own: Callable[[str, Draw], Iterator[Any]], name: str, format_name: str, kinds: Sequence[str], seeds: Iterable[int]) -> Iterator[Any]:
    """Samples that are drawn."""
    for kind in kinds:
        for seed in seeds:
            for operator, (args, kwargs) in own(name, Draw.of(FORMATS[format_name], kind, seed)):
                yield operator, args, kwargs


def merged(into: dict[str, Tally], found: Mapping[str, Tally]) -> None:
    """Add up what was found."""
    for name, each in found.items():
        total = into.setdefault(name, Tally())
        total.samples, total.entries, total.doubtful = total.samples + each.samples, total.entries + each.entries, total.doubtful + each.doubtful
        total.infinite, total.reasons, total.worst = total.infinite + each.infinite, total.reasons | each.reasons, max(total.worst, each.worst)
        total.outside, total.refused = total.outside + each.outside, total.refused + each.refused
