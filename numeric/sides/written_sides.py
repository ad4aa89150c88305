"""Both sides of a claim for a block as it is written: the module's own passes in a format, bounded operator by operator.

What is exact is what the block without its network computed: ẑ and â, which W reads with and without the removed part of the context, and the stream that
meets the network. With them both sides equal one real vector, at the first dense layer and at the output, as in ``both_sides.py``; the absorber takes
δ, made of the two streams (claims ``pre-ln``, ``bias-free-output``, ``parallel``), and what it is made of has a radius where it stands behind the cut.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import cast_up, stored
from numeric.formats import in_storage, torch_dtype
from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, NoOperatorRule
from numeric.operator_rules.doubts import as_hazards, doubts_over, join, joint_doubts, of_hazards
from numeric.operator_rules.models import models_of
from numeric.operators import WatchedBlock, storage_key
from numeric.operators.absorber import SCALES
from numeric.operators.double_check import CHECKED_CASES, CHECKED_TOKENS
from numeric.operators.double_precision import converted, parameter_of
from numeric.operators.executions import as_in, flat_storage
from numeric.operators.own_parameters import Own
from numeric.operators.recording import Cases, Recording
from numeric.operators.updates import Factor, entering_factors, factors_read
from numeric.sides.both_sides import Sides
from numeric.sides.expected_difference import ReadVectors, RunFirstLayer, expected_of
from numeric.sides.noted_rows import Noted
from numeric.sides.one_side import MeasuredSide, Site
from numeric.sides.variant import Variant
from numeric.sides.written_constants import refuse_another_constant
from numeric.sides.written_passes import BlockInFormat, FormatPass
from symbolic import formulas

_Update = Callable[[Any, Any, Any], Any]

ASKED_SHAPES = ((2, 3),)
"""At which a mode is asked about before a run; the calls of a block as it is written are asked about where they are met."""


@dataclass(frozen=True, slots=True)
class WrittenCases:
    """A batch of cases in a format, and which tokens of their contexts are removed."""

    context: Tensor
    """(cases, n, d)."""
    query: Tensor
    """(cases, d)."""
    removed: tuple[int, ...]

    @property
    def whole(self) -> Cases:
        """With the context."""
        return Cases(self.context, self.query, torch.arange(self.context.shape[1] + 1))


@dataclass(slots=True)
class _Patch:
    """Parameters with values of each case, and what is known of them."""

    own: list[Own] = field(default_factory=list)
    known: list[tuple[Tensor, Bounded | WithRadius]] = field(default_factory=list)

    def put(self, parameter: Tensor, value: Tensor, known: Bounded | WithRadius) -> None:
        """value: (cases, *shape of the parameter)."""
        self.own.append(Own(parameter, value))
        self.known.append((value, known))


def written_in_format(watched: WatchedBlock, probed: ProbedMode) -> BlockInFormat:
    """The block with its numbers in a mode's format.  Raises NoOperatorRule for what has no bound yet."""
    if not probed.mode.uniform or probed.mode.emulated_on:
        raise NoOperatorRule(f"blocks as they are written in {probed.mode.id}")
    trace = watched.double.record(_small(watched))
    _refuse_what_has_no_bound(watched, trace)
    module = converted(watched.described.module, torch_dtype(probed.mode.weights))
    return BlockInFormat(module, watched.described.call, watched.anatomy, probed, _factors(watched, trace))


def _refuse_what_has_no_bound(watched: WatchedBlock, trace: Recording) -> None:
    """Raise NoOperatorRule for W, or what takes δ, that is read or patched in a way for which there is no bound.  trace: a pass in float64."""
    anatomy, module = watched.anatomy, watched.double.module
    if not watched.runs_at_once:
        raise NoOperatorRule(f"patched passes that run {watched.check.way}")
    for cut in anatomy.cuts:
        read = dict(trace.at(cut.place).step.tensors)[cut.product.weight]
        if storage_key(read) != storage_key(parameter_of(module, cut.names[0])):
            raise NoOperatorRule(f"{cut.names[0]}, which is read through a copy or a cast,")
    for each in anatomy.weights if anatomy.reads_context else ():
        if _turned(parameter_of(module, each.name), each.entries) is None:
            raise NoOperatorRule(f"{each.name}, of which W is a part,")
    absorber, absorbed = anatomy.absorber, anatomy.absorbed
    if absorber is None:
        return
    if absorber.kind == "several" or absorbed is None:
        raise NoOperatorRule(f"{absorber.name}, which takes what the stream lacks by several operators,")
    if absorber.kind == "scale" and absorber.place.operator not in map(str, SCALES):
        raise NoOperatorRule(f"{absorber.name}, which takes what the stream lacks inside {absorber.place.operator},")
    parameter = parameter_of(module, absorbed.name)
    whole = absorbed.entries.numel() == parameter.numel() and (absorbed.slope is None or bool((absorbed.slope == 1).all()))
    if not whole or (absorber.kind == "matrix" and _turned(parameter, absorbed.entries.unsqueeze(0)) is None):
        raise NoOperatorRule(f"{absorbed.name}, which takes what the stream lacks in a part, or as a matrix of another shape,")


def _factors(watched: WatchedBlock, trace: Recording) -> tuple[Factor, ...]:
    """By what that which absorbs δ is multiplied before it meets the stream.  Raises NoOperatorRule."""
    of_stream, behind = entering_factors(watched.anatomy, trace)
    if not all(bool((factor == 1).all()) for factor in of_stream):
        raise NoOperatorRule("a stream that is multiplied before it meets the network")
    if behind is None or bool((behind == 1).all()):
        return ()
    found = factors_read(watched.anatomy, trace, behind)
    if found is None:
        assert watched.anatomy.absorber is not None
        name = watched.anatomy.absorber.name
        raise NoOperatorRule(f"{name}, which takes what the stream lacks, and meets it multiplied by more than numbers and parameters")
    return tuple(found)


def _small(watched: WatchedBlock) -> Cases:
    drawn = torch.randn((CHECKED_CASES, CHECKED_TOKENS + 1, watched.width), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Cases(drawn[:, :-1].clone(), drawn[:, -1].clone(), torch.arange(CHECKED_TOKENS + 1))


def _turned(parameter: Tensor, entries: Tensor) -> bool | None:
    """Whether the matrix (d, m) that an operator reads is the parameter's transpose; None if it is not the whole parameter.  entries: (groups, d, m)."""
    numbers = as_in(torch.arange(len(flat_storage(parameter))), parameter)
    if numbers.dim() != 2 or not torch.equal(entries, entries[:1].expand_as(entries)):
        return None
    if torch.equal(entries[0], numbers.mT):
        return True
    return False if torch.equal(entries[0], numbers) else None


def measure_written_sides(block: BlockInFormat, cases: WrittenCases, variant: Variant, *, expects: int = 0) -> Sides:
    """Measure and bound one batch.  cases: in the mode's format; expects: of how many the expected difference is computed. Raises NoOperatorRule."""
    probed, anatomy, whole = block.probed, block.anatomy, cases.whole
    n, update = probed.layer, probed.update
    flags = hazards(len(cases.query), probed.device)
    left, bare = block.run(whole), block.run(whole.without(cases.removed))
    z, a = (each.at_cut(0)[0].value for each in (left, bare))

    def column(x: Noted | Tensor, *, cast: bool = True) -> WithRadius:
        value, radius = (x, None) if isinstance(x, Tensor) else (x.value, x.radius)
        made = exact(value.unsqueeze(-1), n, flags, radius=None if radius is None else radius.unsqueeze(-1))
        return cast_up(made, update) if cast else made

    delta = formulas.context_vector(column(z), column(a))
    right_patch, wrong_patch = _Patch(), _Patch()
    if anatomy.reads_context:
        _patch_weights(block, right_patch, variant.update, delta, column(a))
        _patch_weights(block, wrong_patch, variant.update, delta, column(z))
    lacking = _lacking(block, left, bare, column)
    if lacking is not None:
        for patch in (right_patch, wrong_patch) if anatomy.reads_context else (right_patch,):
            _patch_absorber(block, patch, lacking, left, column)
    right, wrong = (block.run(whole.without(cases.removed), each.own, each.known) for each in (right_patch, wrong_patch))
    for shorter in (bare, right):
        refuse_another_constant(left.constants, shorter.constants)
    stream = set() if anatomy.stream is None else set(anatomy.stream.summands)
    if moved := right.moved_from(lambda read: (bare if read in stream else left).what_joins(read)):
        # What the query alone makes may be computed by another kernel where other tokens stand beside it; and a patched pass may find its stream otherwise.
        right = block.run(whole.without(cases.removed), right_patch.own, right_patch.known, moved)
    if left.adds_at_cut != right.adds_at_cut:
        raise NoOperatorRule("a bias that is added with W's product in one pass, and by itself in the other,")
    first, right_first, wrong_first = ([each.at_cut(number)[1] for number in range(len(anatomy.cuts))] for each in (left, right, wrong))
    sides = {"left": _side(first, left.output), "right": _side(right_first, right.output)}
    doubts = joint_doubts(
        [doubts_over(each.doubts, (-1,), keepdim=False) for each in (*first, *right_first, left.output, right.output)], torch.Size((len(cases.query),))
    )
    found = as_hazards(doubts, len(cases.query), probed.device)
    join(found, flags)
    radii = sides["right"]
    return Sides(
        z=z,
        a=a,
        again=right.at_cut(0)[0].value,
        moved=torch.zeros_like(sides["left"].first_layer.value),
        left=sides["left"],
        right=radii,
        wrong=MeasuredSide(
            Site(torch.cat([each.value for each in wrong_first], -1).double(), radii.first_layer.radius), Site(wrong.output.value.double(), radii.output.radius)
        ),
        effect=_effect(block, z, a),
        output_change=torch.nan_to_num((left.output.value.double() - bare.output.value.double()).abs(), nan=0.0),
        output_effect=None if lacking is None else lacking.value.squeeze(-1).double().abs(),
        expected=_expected(block, variant, (left, right), a, expects),
        well_inside=torch.zeros(len(cases.query), dtype=torch.bool),
        hazards=found,
        at_output=not anatomy.reads_context,
    )


def _expected(block: BlockInFormat, variant: Variant, passes: tuple[FormatPass, FormatPass], a: Tensor, asked: int) -> Tensor:
    """The expected difference of the first cases at the first dense layer, NaN of the others: (cases, m) float64."""
    left, right = passes
    layers = []
    for number in range(len(block.anatomy.cuts)):
        made = [each.at_cut(number)[1].value for each in passes]
        added = left.added_at_cut(number)
        m = made[0].shape[-1]
        layers.append(RunFirstLayer(block.matrix(number).mT, None if added is None else added.reshape(-1).expand(m), *(x[:asked] for x in made)))
    expected = torch.full((left.cases, sum(len(layer.weight) for layer in layers)), torch.nan, dtype=torch.float64)
    if asked:
        read = ReadVectors(*(x[:asked] for x in (left.at_cut(0)[0].value, a, right.at_cut(0)[0].value)))
        expected[:asked] = expected_of(layers, read, variant, block.probed)
    return expected


def written_again(block: BlockInFormat, cases: WrittenCases) -> tuple[Tensor, Tensor, Tensor]:
    """ẑ, â and the first dense layer's output on ẑ once more: the same bits, unless the block has a memory."""
    left, bare = block.run(cases.whole), block.run(cases.whole.without(cases.removed))
    first = torch.cat([left.at_cut(number)[1].value for number in range(len(block.anatomy.cuts))], -1)
    return left.at_cut(0)[0].value, bare.at_cut(0)[0].value, first.double()


def first_bias(block: BlockInFormat, cases: WrittenCases) -> Tensor:
    """b of all cuts, one after the other, as a pass reads it; zeros where there is none: (m,)."""
    made = block.run(cases.whole)
    found = []
    for number in range(len(block.anatomy.cuts)):
        added, m = made.added_at_cut(number), block.matrix(number).shape[-1]
        found.append(torch.zeros(m, dtype=cases.query.dtype) if added is None else added.reshape(-1).expand(m))
    return torch.cat(found)


def _side(first: list[Noted], output: Noted) -> MeasuredSide:
    together = Site(torch.cat([each.value for each in first], -1).double(), torch.cat([each.radius for each in first], -1))
    return MeasuredSide(together, Site(output.value.double(), output.radius))


def _effect(block: BlockInFormat, z: Tensor, a: Tensor) -> Tensor:
    """|WΔA| of the cuts, one after the other: (cases, m) float64."""
    delta = z.double() - a.double()
    return torch.cat([(delta @ block.matrix(number).double()).abs() for number in range(len(block.anatomy.cuts))], -1)


def _patch_weights(block: BlockInFormat, patch: _Patch, update: _Update, delta: WithRadius, a: WithRadius) -> None:
    """ΔW of every matrix that is W; values are what the update gives over tensors, which is what is deployed."""
    probed = block.probed
    for each in block.anatomy.weights:
        parameter = parameter_of(block.module, each.name).detach()
        turned = _turned(parameter, each.entries)
        W = parameter if turned else parameter.mT
        known = formulas.patched_weight(exact(W, probed.update, delta.hazards), update(exact(W, probed.update, delta.hazards), delta, a))
        known = stored(known, probed.mode.weights, probed.layer)
        with probed.update.running():
            value = in_storage(formulas.patched_weight(W, update(W, delta.value, a.value)), probed.mode.weights)
        value = value.expand(len(a.value), *W.shape)
        if not turned:
            value, known = value.mT.contiguous(), known.mT
        patch.put(parameter, value, WithRadius(value, known.radius, known.magnitude, known.numerics, known.hazards, known.form))


_Column = Callable[..., WithRadius]


def _lacking(block: BlockInFormat, left: FormatPass, bare: FormatPass, column: _Column) -> WithRadius | None:
    """δ, the sum of what the summands of the stream lack: (cases, d, 1)."""
    if block.anatomy.stream is None:
        return None
    total: WithRadius | None = None
    for place, index in block.anatomy.stream.summands:
        lacks = formulas.context_vector(*(column(each.operand(place, index).value) for each in (left, bare)))
        total = lacks if total is None else total + lacks
    return total


def _patch_absorber(block: BlockInFormat, patch: _Patch, lacking: WithRadius, left: FormatPass, column: _Column) -> None:
    probed, absorber = block.probed, block.anatomy.absorber
    assert absorber is not None
    for factor in block.factors:
        lacking = _without_factor(block, lacking, factor, left)
    parameter = parameter_of(block.module, absorber.name).detach()
    if absorber.kind == "bias":
        p = exact(parameter.reshape(-1, 1), probed.update, lacking.hazards)
        made = stored(formulas.bias_update(p, lacking), probed.mode.update, probed.layer)
        value = made.value.squeeze(-1).reshape(-1, *parameter.shape)
        patch.put(parameter, value, Bounded(made.entry_radius.squeeze(-1).reshape(-1, *parameter.shape)))
        return
    if absorber.kind == "scale":
        assert absorber.operand is not None
        patch.put(parameter, *_moved_scale(block, parameter, lacking, left.operand(absorber.place, absorber.operand)))
        return
    h = column(left.operand(absorber.place, absorber.product.rows))
    assert block.anatomy.absorbed is not None
    turned = _turned(parameter, block.anatomy.absorbed.entries.unsqueeze(0))
    P = exact(parameter if turned else parameter.mT, probed.update, lacking.hazards)
    made = stored(formulas.patched_weight(P, formulas.output_update(lacking, h)), probed.mode.weights, probed.layer)
    value = made.value
    if not turned:
        value, made = value.mT.contiguous(), made.mT
    patch.put(parameter, value, WithRadius(value, made.radius, made.magnitude, made.numerics, made.hazards, made.form))


def _moved_scale(block: BlockInFormat, scale: Tensor, lacking: WithRadius, h: Noted) -> tuple[Tensor, Bounded]:
    """m + δ ⊘ h of each case: (cases, *shape of m)."""

    def moved(delta: Tensor, normalised: Tensor) -> Tensor:
        return formulas.patched_weight(scale.reshape(1, -1), formulas.scale_update(delta, normalised))

    value, known = _by_rows(block, moved, (lacking.value.squeeze(-1), _known(lacking)), (h.value, Bounded(h.radius, h.doubts)))
    shape = (-1, *scale.shape)
    doubts = None if known.doubts is None else known.doubts.expand(value.shape).reshape(shape)
    return value.reshape(shape), Bounded(known.radius.expand(value.shape).reshape(shape), doubts)


def _without_factor(block: BlockInFormat, lacking: WithRadius, factor: Factor, left: FormatPass) -> WithRadius:
    """δ ⊘ f, f exact, or δ c where the network is divided by c: (cases, d, 1)."""
    by = factor.by if isinstance(factor.by, float) else left.whole_operand(*factor.by).reshape(-1)

    def without(delta: Tensor) -> Any:
        return delta * by if factor.divides else formulas.scale_update(delta, by)

    value, known = _by_rows(block, without, (lacking.value.squeeze(-1), _known(lacking)))
    join(lacking.hazards, as_hazards(doubts_over(known.doubts, (-1,), keepdim=False), len(value), value.device))
    return exact(value.unsqueeze(-1), lacking.numerics, lacking.hazards, radius=known.radius.unsqueeze(-1).contiguous())


def _known(x: WithRadius) -> Bounded:
    """What is known of a column, as of (cases, d)."""
    doubts = of_hazards(x.hazards)
    return Bounded(x.entry_radius.squeeze(-1), None if doubts is None else doubts.reshape(-1, 1))


def _by_rows(block: BlockInFormat, formula: Callable[..., Tensor], *operands: tuple[Tensor, Bounded]) -> tuple[Tensor, Bounded]:
    """A formula that works entry by entry, over tensors in the update's format, by the rows of the operators that compute it."""
    knowledge, tensors = KnownTensors(), []
    for x, known in operands:
        tensors.append(x.to(torch_dtype(block.probed.update.storage), copy=True))
        knowledge.put(tensors[-1], known)
    with torch.no_grad(), BoundedWalk(models_of(block.probed), knowledge, block.probed.update.running):
        value = formula(*tensors)
    found = knowledge.of(value)
    assert isinstance(found, Bounded)
    return value, found
