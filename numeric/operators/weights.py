"""Every matrix that is W: the entries of the parameters that the update is made of.

An operator of the cut shows how it reads a parameter: which of its entries is row i, column j of the matrix (d, m). Experts that these few cases did
not choose are read in the same way as those that they did.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.cut import Cut
from numeric.operators.double_precision import parameter_of
from numeric.operators.evidence import Evidence, chooses
from numeric.operators.executions import as_in, flat_storage, storage_key
from numeric.operators.origins import origin
from numeric.operators.refusals import NOT_ITS_ENTRIES, UNREAD, RefusedBlock


@dataclass(frozen=True, slots=True)
class Weights:
    """Matrices of one parameter."""

    name: str
    entries: Tensor
    """(groups, d, m): the entry of the parameter's storage."""


def weights_of(evidence: Evidence, cuts: list[Cut]) -> tuple[Weights, ...]:
    """The matrices that the operators of the cut read.  Raises RefusedBlock for one that is not a parameter's entries."""
    found: list[Weights] = []
    for cut in cuts:
        (name,) = cut.names
        x = dict(evidence.base.at(cut.place).step.tensors)[cut.product.weight]
        come_from = None if name == "W" else origin(evidence.base, evidence.block.module, name, x)
        if come_from is None or come_from.slope is not None:
            raise RefusedBlock(NOT_ITS_ENTRIES, cut.place, [x], names=" and ".join(_made_of(evidence, x)))
        every = _of_all_experts(evidence, name, cut.product.matrix(come_from.entries))[..., cut.columns]
        if not any(torch.equal(every, each.entries) for each in found if each.name == name):
            found.append(Weights(name, every))
    return (*found, *_unread(evidence, found))


def _made_of(evidence: Evidence, x: Tensor) -> list[str]:
    """The parameters that a value is made of, found backwards from it."""
    keys = {storage_key(x)}
    for record in reversed(evidence.base.records):
        if any(storage_key(each) in keys for each in (*record.results, *record.step.written)):
            keys |= {storage_key(each) for _, each in record.step.tensors}
    return sorted(name for name, parameter in evidence.block.module.named_parameters() if storage_key(parameter) in keys)


def _numbers(evidence: Evidence, name: str) -> Tensor:
    parameter = parameter_of(evidence.block.module, name)
    return as_in(torch.arange(len(flat_storage(parameter))), parameter)


def _of_all_experts(evidence: Evidence, name: str, entries: Tensor) -> Tensor:
    """(experts, d, m), of a parameter of three dimensions of which an operator reads one expert's matrix."""
    numbers = _numbers(evidence, name)
    if numbers.dim() != 3 or len(entries) == len(numbers):
        return entries
    for every in (numbers, numbers.mT):
        if any(torch.equal(each, entries[0]) for each in every):
            return every
    return entries


def _unread(evidence: Evidence, found: list[Weights]) -> list[Weights]:
    """The matrices of experts that no case chose, each a parameter of its own."""
    base = {name.split("[")[0] for name in evidence.block.first}
    missing = sorted(base - {each.name for each in found})
    made = []
    for name in missing:
        numbers = _numbers(evidence, name)
        like = [each for each in found if _numbers(evidence, each.name).shape == numbers.shape] if chooses(evidence.base) else []
        if not like:
            raise RefusedBlock(UNREAD, names=name)
        at = torch.searchsorted(_numbers(evidence, like[0].name).flatten(), like[0].entries.contiguous())
        made.append(Weights(name, numbers.flatten()[at]))
    return made
