"""The patch of a block: for each case the parameters with which T(C∖Y, x) is T_W(C, x).

ΔW by Eq. (1) in every matrix that is W, and Δp of the absorber (``absorber.py``), from two passes: with the context, and without the part that is removed.
The formulas are those that are proved.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from numeric.operators.absorber import SCALES, Absorber, names_read, squared_factor
from numeric.operators.anatomy import Anatomy
from numeric.operators.cut import read_by_w
from numeric.operators.derivatives import Sources, transposed_derivative
from numeric.operators.double_precision import parameter_of
from numeric.operators.executions import ATEN, flat_storage
from numeric.operators.labels import DATA, Made
from numeric.operators.origins import Provenance
from numeric.operators.recording import DoubleBlock, Read, Record, Recording
from numeric.operators.refusals import BRANCH, RefusedBlock
from numeric.operators.stream import Stream, diagonal, factors
from symbolic import formulas


class Mistake(Enum):
    """Wrong patches, which a check must notice."""

    NOTHING = "no patch at all"
    Z_FOR_A = "ΔW with ‖z‖² in place of ‖a‖²"
    WITHOUT_ABSORBER = "ΔW without the absorber's part"
    ABSORBER_ALONE = "the absorber's part without ΔW"


@dataclass(frozen=True, slots=True)
class Lifted:
    """Parameters with values for each case, by name: (cases, entries of the parameter's storage)."""

    values: Mapping[str, Tensor]

    def one(self, case: int) -> "Lifted":
        """That of one case."""
        return Lifted({name: each[case : case + 1] for name, each in self.values.items()})


Changes = dict[str, Tensor]
"""What is added to parameters, by name: (cases, entries of the parameter's storage)."""


def _unchanged(block: DoubleBlock, name: str, cases: int) -> Tensor:
    return flat_storage(parameter_of(block.module, name)).new_zeros(cases, len(flat_storage(parameter_of(block.module, name))))


def weight_changes(  # what the update is made of, and how
    block: DoubleBlock,
    anatomy: Anatomy,
    left: Recording,
    bare: Recording,
    mistake: Mistake | None = None,
    *,
    update: Callable[[Tensor, Tensor, Tensor], Tensor] = formulas.rank_one_update,
) -> Changes:
    """ΔW of every matrix that is W.  left, bare: the passes with the context and without its removed part; update: Eq. (1), or what stands in its place."""
    cases = left.cases.number
    changes: Changes = {}
    z, a = (read_by_w(each, anatomy.cuts[0], anatomy.layout) for each in (left, bare))
    delta, divided = formulas.context_vector(z, a)[:, None, :, None], (z if mistake is Mistake.Z_FOR_A else a)[:, None, :, None]
    for weights in anatomy.weights if anatomy.reads_context else ():
        W = flat_storage(parameter_of(block.module, weights.name))[weights.entries].mT
        moved = update(W, delta, divided).mT
        changes.setdefault(weights.name, _unchanged(block, weights.name, cases))[:, weights.entries.reshape(-1)] += moved.reshape(cases, -1)
    return changes


def absorber_changes(block: DoubleBlock, anatomy: Anatomy, left: Recording, bare: Recording) -> Changes:
    """Δp of the absorber; none without a stream."""
    cases = left.cases.number
    if anatomy.absorber is None or anatomy.stream is None:
        return {}
    lacking = missing_from_stream(anatomy, anatomy.stream, left, bare)
    if anatomy.absorber.kind == "several":
        return _absorbed_by_several(block, anatomy, left, lacking)
    assert anatomy.absorbed is not None
    changes = {anatomy.absorbed.name: _unchanged(block, anatomy.absorbed.name, cases)}
    changes[anatomy.absorbed.name][:, anatomy.absorbed.entries.reshape(-1)] += _absorbed(anatomy, anatomy.absorber, anatomy.absorbed, left, lacking).reshape(
        cases, -1
    )
    return changes


def patched_with(block: DoubleBlock, cases: int, *changes: Changes) -> Lifted:
    """The parameters with what is added to them."""
    values: dict[str, Tensor] = {}
    for each in changes:
        for name, change in each.items():
            values[name] = formulas.patched_weight(values.get(name, flat_storage(parameter_of(block.module, name)).expand(cases, -1)), change)
    return Lifted(values)


def as_they_are(block: DoubleBlock, cases: int, names: Iterable[str]) -> Lifted:
    """Parameters as they are, once for each case: with them an unpatched pass runs the kernels of a patched one."""
    return Lifted({name: flat_storage(parameter_of(block.module, name)).expand(cases, -1).clone() for name in names})


def missing_from_stream(anatomy: Anatomy, stream: Stream, left: Recording, bare: Recording) -> Tensor:
    """δ = Σ f_i ⊙ (s_i(C, x) - s_i(C∖Y, x)): (cases, d)."""
    found = []
    for (place, index), factor in zip(stream.summands, factors(left, stream, anatomy.layout), strict=True):
        if bare.find(place) is None:
            raise RefusedBlock(BRANCH, place)
        with_context, without = (anatomy.layout.query(each.at(place).operand(index).value, each.cases.number) for each in (left, bare))
        found.append(factor * formulas.context_vector(with_context, without))
    return torch.stack(found).sum(0)


def _absorbed(anatomy: Anatomy, absorber: Absorber, absorbed: Provenance, left: Recording, lacking: Tensor) -> Tensor:
    """Δp of a bias or a scale in the operand's shape, of a matrix as (d, m), for each case."""
    if absorber.kind == "matrix":
        moved = lacking / (_factor_behind(anatomy, absorber, left) * left.at(absorber.place).step.kwargs.get("alpha", 1))
        return formulas.output_update(moved[..., None], _hidden(anatomy, absorber, left)[..., None]).mT
    slopes = _slopes(anatomy, absorber, left)
    step = formulas.scale_update(lacking.reshape(slopes.shape), slopes)
    return step if absorbed.slope is None else step / absorbed.slope


def _slopes(anatomy: Anatomy, absorber: Absorber, left: Recording) -> Tensor:
    """By how much S moves with each entry of a bias or a scale: (cases, *shape of the operand)."""
    assert anatomy.stream is not None
    meeting, layout, cases = left.at(anatomy.stream.meeting), anatomy.layout, left.cases.number
    rows = layout.query(meeting.results[0], cases)
    targets = []
    for case in range(cases):
        row = torch.zeros_like(rows)
        row[case] = 1
        targets.append(layout.only_query(row, meeting.results[0]))
    place = left.at(absorber.place).place
    return torch.stack([each[0] for each in transposed_derivative(left, meeting.place, targets, Sources(operands=((place, absorber.weight),)))])


def absorber_divides(block: DoubleBlock, anatomy: Anatomy, left: Recording, bare: Recording) -> Tensor:
    """Whether what Δp of the absorber is divided by can be told from zero: (cases,) bool.

    That is ‖h‖² of a matrix and the factor behind it, each entry of what a scale multiplies, c of several operators.
    """
    cases = left.cases.number
    absorber = anatomy.absorber
    if absorber is None or anatomy.stream is None:
        return torch.ones(cases, dtype=torch.bool)
    if absorber.kind == "several":
        lacking = missing_from_stream(anatomy, anatomy.stream, left, bare)
        return torch.tensor([_shares(block, anatomy, left, lacking, case) is not None for case in range(cases)])
    if absorber.kind == "matrix":
        return can_divide(_hidden(anatomy, absorber, left)) & (_factor_behind(anatomy, absorber, left) != 0).all(-1)
    return (_slopes(anatomy, absorber, left) != 0).flatten(1).all(-1)


def can_divide(x: Tensor) -> Tensor:
    """Whether ‖x‖² is a divisor: finite, and so large that underflow of its summands takes less of it than one roundoff.  x: (cases, n); (cases,) bool.

    Each of the n squares loses at most half of the smallest subnormal number, 2⁻¹⁰⁷⁵, of a sum of at least 2⁻⁹⁷⁰.
    """
    limits, size = torch.finfo(x.dtype), x.square().sum(-1)
    return (size >= limits.tiny / limits.eps) & torch.isfinite(size)


def _hidden(anatomy: Anatomy, absorber: Absorber, left: Recording) -> Tensor:
    """h, which a matrix that absorbs is multiplied by: (cases, m)."""
    product = absorber.product
    return anatomy.layout.query(product.operand(left.at(absorber.place).operand(product.rows).value), left.cases.number)


def _factor_behind(anatomy: Anatomy, absorber: Absorber, left: Recording) -> Tensor:
    """By how much S moves with each entry of the matrix's product: (cases, d)."""
    assert anatomy.stream is not None
    meeting, here = left.at(anatomy.stream.meeting), left.at(absorber.place)
    rows = anatomy.layout.query(meeting.results[0], left.cases.number)
    (factor,) = diagonal(left, meeting.place, Sources(results=(here.place,)), anatomy.layout) or [torch.ones_like(rows)]
    return factor


def _absorbed_by_several(block: DoubleBlock, anatomy: Anatomy, left: Recording, lacking: Tensor) -> Changes:
    """Δp = Jᵀδ/c, of the chosen experts for one, case by case."""
    changes: Changes = {}
    for case in range(left.cases.number):
        for name, share in (_shares(block, anatomy, left, lacking, case) or {}).items():
            changes.setdefault(name, _unchanged(block, name, left.cases.number))[case] += share
    return changes


def _shares(block: DoubleBlock, anatomy: Anatomy, left: Recording, lacking: Tensor, case: int) -> Changes | None:
    """What each of several parameters takes in one case, nothing of a δ that is zero; None if Jᵀδ is zero and δ is not, so that they cannot take it."""
    assert anatomy.absorber is not None
    assert anatomy.stream is not None
    if not bool(lacking[case].any()):
        return {}
    trace = block.record(left.cases.one(case))
    meeting = trace.at(anatomy.stream.meeting)
    names = names_read(trace, anatomy.absorber)
    parameters = tuple(parameter_of(block.module, name) for name in names)
    target = anatomy.layout.only_query(lacking[case : case + 1], meeting.results[0])
    (gradients,) = transposed_derivative(trace, meeting.place, [target], Sources(parameters=parameters))
    if not bool(can_divide(torch.cat([each.flatten() for each in gradients])[None])):
        return None
    c = squared_factor(gradients, lacking[case])
    return {name: gradient / c for name, gradient in zip(names, gradients, strict=True)}


def entering_factors(anatomy: Anatomy, left: Recording) -> tuple[list[Tensor], Tensor | None]:
    """By what the stream's summands are multiplied before they meet the network, each (cases, d); and by what that which absorbs δ is. Of a scale without h."""
    if anatomy.stream is None or anatomy.absorber is None:
        return [], None
    absorber = anatomy.absorber
    if absorber.kind == "bias":
        behind = _slopes(anatomy, absorber, left)
    else:
        behind = _factor_behind(anatomy, absorber, left) * (float(left.at(absorber.place).step.kwargs.get("alpha", 1)) if absorber.kind == "matrix" else 1.0)
    return factors(left, anatomy.stream, anatomy.layout), behind


@dataclass(frozen=True, slots=True)
class Factor:
    """By what the network is multiplied, or divided, on its way to the stream."""

    by: "float | Read"
    """A number, or where a parameter's entries are read, or its one."""
    divides: bool = False


def factors_read(anatomy: Anatomy, left: Recording, factor: Tensor) -> list[Factor] | None:
    """The numbers, and the reads of parameters' entries, by which what absorbs δ is multiplied one after the other; None if that is not all of it.

    factor: (cases, d), all of it.
    """
    assert anatomy.absorber is not None
    assert anatomy.stream is not None
    places, found, made = left.places, list[Factor](), torch.ones_like(factor)
    between = left.records[places.index(left.at(anatomy.absorber.place).place) + 1 : places.index(left.at(anatomy.stream.meeting).place) + 1]
    for record in reversed(between):
        for each in _factors_of(left, record, factor.shape[-1]) if record.any(Made.NETWORK) else ():
            found.append(each)
            by = torch.tensor(each.by, dtype=factor.dtype) if isinstance(each.by, float) else dict(record.step.tensors)[each.by[1]].reshape(-1)
            made = made / by if each.divides else made * by
    return found if torch.equal(made, factor) else None


def _factors_of(left: Recording, record: Record, d: int) -> Iterator[Factor]:
    """What one operator multiplies the network by."""
    step, name = record.step, str(record.step.operator)
    network = [each.index for each in record.operands if each.made & Made.NETWORK]
    if step.operator in SCALES or step.operator in DIVISIONS:
        divides = step.operator in DIVISIONS
        yield from (Factor(float(number), divides) for number in step.numbers)
        for operand in record.operands:
            x = operand.value
            if not operand.made & DATA and (x.numel() == 1 or x.numel() == d == x.shape[-1]):
                yield Factor((left.from_the_end(record.place), operand.index), divides)
    elif name == "aten.neg.default":
        yield Factor(-1.0)
    elif name in ("aten.add.Tensor", "aten.add_.Tensor", "aten.sub.Tensor", "aten.sub_.Tensor") and network == [1]:
        alpha = float(step.kwargs.get("alpha", 1)) * (-1.0 if "sub" in name else 1.0)
        if alpha != 1.0:
            yield Factor(alpha)


DIVISIONS = (ATEN.div.Tensor, ATEN.div_.Tensor)
