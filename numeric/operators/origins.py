"""Which entries of a parameter an operator reads: through views, transposes, casts and copies.

A view tells it by its strides. A copy is found out by making it again from a parameter whose entries are their own numbers. What an operator reads that
is not a parameter's entries, as 1 + w of a norm, is affine in each entry: the slope is the derivative.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.operators.derivatives import value_with
from numeric.operators.double_precision import parameter_of
from numeric.operators.executions import as_in, flat_storage, storage_key
from numeric.operators.recording import Recording


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where what an operator reads comes from."""

    name: str
    entries: Tensor
    """In the operand's shape, the entry of the parameter's storage that each one is."""
    slope: Tensor | None = None
    """By which each entry of the operand moves with that of the parameter; None for 1."""


def origin(trace: Recording, module: nn.Module, name: str, operand: Tensor) -> Provenance | None:
    """The origin of an operand that is made of one parameter; None if it is neither its entries nor affine in each of them."""
    parameter = parameter_of(module, name)
    flat = flat_storage(parameter)
    numbers = torch.arange(len(flat), dtype=torch.float64)
    if storage_key(operand) == storage_key(parameter):
        return Provenance(name, as_in(numbers, operand).long())
    with torch.no_grad():
        found = value_with(trace, operand, parameter, numbers)
        entries = found.round().long()
        if bool((entries == found).all()) and int(entries.min()) >= 0 and int(entries.max()) < len(flat) and torch.equal(flat[entries], operand):
            return Provenance(name, entries)
    if operand.numel() != parameter.numel():
        return None
    own = as_in(numbers, parameter).long().reshape(operand.shape)
    slopes = [_slope(trace, operand, parameter, shift) for shift in (0.0, 1.0)]
    return Provenance(name, own, slopes[0]) if slopes[0] is not None and slopes[1] is not None and torch.equal(slopes[0], slopes[1]) else None


def _slope(trace: Recording, operand: Tensor, parameter: Tensor, shift: float) -> Tensor | None:
    """The derivative of an operand by the entry of the same number; None if others enter."""
    flat = (flat_storage(parameter) + shift).requires_grad_()
    powers = torch.where(torch.arange(operand.numel()) % 2 == 0, 2.0, -0.5).double().reshape(operand.shape)
    with torch.enable_grad():
        made = value_with(trace, operand, parameter, flat)
        if not made.requires_grad:
            return None
        ones, scaled = (torch.autograd.grad(made, flat, t, retain_graph=True)[0] for t in (torch.ones_like(powers), powers))
    slope = as_in(ones, parameter).reshape(operand.shape)
    return slope if bool((slope != 0).all()) and torch.equal(as_in(scaled, parameter).reshape(operand.shape), slope * powers) else None
