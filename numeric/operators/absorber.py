"""The absorber: the parameter of the network that takes δ, what the stream lacks without the context.

A parameter p takes any δ if the network's value F, where it meets the stream, moves by J Δp with J Jᵀ diagonal and without a zero: Δp = Jᵀ(δ ⊘ diag).

    bias      F = … + f ⊙ p           Δp = δ ⊘ f                  claim ``pre-ln``
    scale     F = f ⊙ (p ⊙ h)         Δp = δ ⊘ f ⊘ h              claim ``norm-scale``
    matrix    F = f ⊙ (P h)           ΔP = (δ ⊘ f) hᵀ/‖h‖²        claim ``bias-free-output``
    several   J Jᵀ = c 1              Δp = Jᵀδ/c                  claim ``mixture-of-experts``

The last is a parameter that several operators read, or one on rows that the network chose: the matrices of the chosen experts, or their biases.
f is made of what both sides share: 1, a sign, a scalar, a gate. The last bias is taken if there is one behind which only factors stand, otherwise the last
scale or matrix: a scale divides by h, whose entries may be small.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.operators.cut import Cut, MatrixProduct
from numeric.operators.derivatives import Sources, transposed_derivative
from numeric.operators.double_precision import parameter_of
from numeric.operators.evidence import Evidence, chooses, nudged
from numeric.operators.executions import ATEN, CallSite
from numeric.operators.labels import DATA, MATRIX_PRODUCTS, Made
from numeric.operators.layout import Layout
from numeric.operators.recording import OperandRead, Record, Recording
from numeric.operators.refusals import NO_ABSORBER, RefusedBlock
from numeric.operators.stream import SUMMANDS, Stream, diagonal

SCALES = (ATEN.mul.Tensor, ATEN.mul_.Tensor)
DIRECTIONS = 3
"""Random δ on which J Jᵀ = c 1 is tried."""


@dataclass(frozen=True, slots=True)
class Absorber:
    """The parameter that takes δ, and how."""

    name: str
    kind: str
    """bias, scale, matrix or several."""
    place: CallSite
    """The operator that reads it; of several the last one."""
    weight: int
    """The index of the leaf that it is."""
    operand: int | None = None
    """The index of the leaf that a scale or a matrix multiplies."""
    by_rows: bool = False
    """Whether a bias or a scale is read with an entry of its own for each row: those of the experts that the rows chose."""

    @property
    def product(self) -> MatrixProduct:
        """The product that a matrix is a factor of."""
        assert self.operand is not None
        return MatrixProduct(self.place, self.weight, self.operand)


def absorber_of(evidence: Evidence, cuts: list[Cut], stream: Stream, layout: Layout, given: str | None = None) -> Absorber:
    """The absorber; ``given``: the one that the user names.  Raises RefusedBlock if there is none."""
    trace = evidence.base
    refused: list[str] = []
    parameters = dict(evidence.block.module.named_parameters(remove_duplicate=False))  # a buffer is not patched
    candidates = [each for each in _candidates(trace, cuts, stream.meeting) if given in (None, each.name) and each.name in parameters]
    candidates.sort(key=lambda each: each.kind != "bias")  # the last first, which the sort keeps
    for candidate in candidates:
        alone = not candidate.by_rows and not _one_of_experts(evidence, candidate)
        found = diagonal(trace, stream.meeting, Sources(results=(candidate.place,)), layout) if alone else None
        if found is not None and bool((found[0] != 0).all()):
            if elsewhere := _read_elsewhere(evidence, candidate):
                refused.append(f"{candidate.name}, which would, is also read by {elsewhere}")
            else:
                return candidate
    for candidate in candidates:
        if _by_several(evidence, candidate, stream.meeting, layout):
            return Absorber(candidate.name, "several", candidate.place, candidate.weight)
    refused += [f"{given} was given"] if given else []
    tried = f" ({'; '.join(dict.fromkeys(refused))})" if refused else ""
    raise RefusedBlock(NO_ABSORBER, stream.meeting, [each.value for each in trace.at(stream.meeting).operands], tried=tried)


def _one_of_experts(evidence: Evidence, candidate: Absorber) -> bool:
    """Whether the network chooses, and chooses this parameter's neighbours in other cases: the few cases may all have chosen the same expert."""
    return bool(chooses(evidence.base)) and len(names_read(evidence.many()[0], candidate)) > 1


def _candidates(trace: Recording, cuts: list[Cut], meeting: CallSite) -> Iterator[Absorber]:
    """Parameters that the network reads, the last first."""
    places = trace.places
    at_cut = {cut.place for cut in cuts}
    between = trace.records[min(places.index(place) for place in at_cut) : places.index(meeting) + 1]
    for record in reversed(between):
        if record.view or not (record.any(Made.NETWORK) or record.place in at_cut):
            continue
        for operand in reversed(record.operands):
            if operand.made & Made.PARAMETER and not operand.made & (DATA | Made.FIRST) and operand.source:
                kind, multiplied = _kind(record, operand)
                if kind == "bias" or (kind and record.place not in at_cut):
                    by_rows = kind != "matrix" and operand.value.numel() != record.results[0].shape[-1]
                    yield Absorber(operand.source, kind, record.place, operand.index, multiplied, by_rows)


def _kind(record: Record, operand: OperandRead) -> tuple[str, int | None]:
    """Bias, scale or matrix, or nothing, and the leaf that it multiplies."""
    step = record.step
    argument = next((each.name for each, given in step.arguments() if given is dict(step.tensors)[operand.index]), "")
    others = [each.index for each in record.operands if each.made & DATA]
    left = MATRIX_PRODUCTS.get(step.operator)
    if operand.index in SUMMANDS.get(step.operator, ()) or argument == "bias":
        return "bias", None
    if left is not None and operand.index in (left, left + 1):
        return "matrix", 2 * left + 1 - operand.index
    if step.operator in SCALES or (argument == "weight" and "norm" in step.operator.name()):
        return "scale", others[0]
    return "", None


def _read_elsewhere(evidence: Evidence, absorber: Absorber) -> CallSite | None:
    """Another operator that reads the absorber with data, and whose reading matters."""
    for record in evidence.base.records:
        if not record.view and record.any(DATA):
            for operand in record.operands:
                here = (record.place, operand.index) == (absorber.place, absorber.weight)
                if (
                    operand.source == absorber.name
                    and not operand.made & DATA
                    and not here
                    and evidence.matters({(record.place, operand.index): nudged(operand.value)})
                ):
                    return record.place
    return None


def _by_several(evidence: Evidence, candidate: Absorber, meeting: CallSite, layout: Layout) -> bool:
    """Whether J Jᵀ = c 1 for the derivative J of S by the parameters that the operator reads, in one case."""
    trace = evidence.block.record(evidence.base.cases.one(0))
    place = trace.at(evidence.base.from_the_end(meeting)).place
    names = names_read(trace, candidate)
    parameters = tuple(parameter_of(evidence.block.module, name) for name in names)
    result = trace.at(place).results[0]
    drawn = [torch.randn(layout.query(result, 1).shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in range(DIRECTIONS)]
    targets = [layout.only_query(each, result) for each in drawn]
    try:
        here = transposed_derivative(trace, place, targets, Sources(parameters=parameters))
        elsewhere = transposed_derivative(trace, place, targets, Sources(parameters=parameters), moved=True)
    except RuntimeError:  # no derivative of an operator between them
        return False
    constants = torch.stack([squared_factor(gradients, t) for gradients, t in zip(here, drawn, strict=True)])
    # Sums of numel squares, of entries that a handful of products made: their relative error is below that many roundoffs.
    roundings = (sum(each.numel() for each in parameters) + len(trace.records)) * torch.finfo(torch.float64).eps
    same = bool(constants.min() > 0) and float(constants.max() - constants.min()) <= roundings * float(constants.max())
    return same and all(torch.equal(a, b) for one, other in zip(here, elsewhere, strict=True) for a, b in zip(one, other, strict=True))


def names_read(trace: Recording, absorber: Absorber) -> list[str]:
    """The parameters of the absorber's shape that its line reads in a pass: those of the chosen experts, where each has its own."""
    found = {
        operand.source
        for record in trace.records
        if (record.place.operator, record.place.line) == (absorber.place.operator, absorber.place.line) and record.any(Made.NETWORK)
        for operand in record.operands
        if operand.index == absorber.weight and operand.source and not operand.made & DATA
    }
    shapes = trace.labels.shapes
    return sorted(name for name in found if name and shapes[name] == shapes[absorber.name])


def _square(x: Tensor) -> Tensor:
    return (x * x).sum()


def squared_factor(gradients: list[Tensor], delta: Tensor) -> Tensor:
    """c of J Jᵀ = c 1, from Jᵀδ and δ."""
    return torch.stack([_square(each) for each in gradients]).sum() / _square(delta)
