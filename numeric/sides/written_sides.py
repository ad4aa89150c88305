"""Both sides of a claim for a block as it is written: the module's own passes in a format, bounded operator by operator.

What is exact is what the block without its network computed: ẑ and â, which W reads with and without the removed part of the context, and the stream that
meets the network. With them both sides equal one real vector, at the first dense layer and at the output, as in ``both_sides.py``; the absorber takes
δ, made of the two streams (claims ``pre-ln``, ``bias-free-output``, ``parallel``), and what it is made of has a radius where it stands behind the cut.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.arithmetics.value_and_radius import cast_up, stored
from numeric.formats import in_storage, torch_dtype
from numeric.machine import ProbedMode
from numeric.operator_rules import Bounded, NoOperatorRule, as_hazards, doubts_over, join, joint_doubts
from numeric.operators import Cases, Own, WatchedBlock, flat_storage, parameter_of, storage_key
from numeric.operators.absorber import SCALES
from numeric.operators.double_check import CHECKED_CASES, CHECKED_TOKENS
from numeric.operators.double_precision import converted
from numeric.operators.executions import as_in
from numeric.operators.recording import Recording
from numeric.operators.stream import factors
from numeric.operators.updates import Factor, entering_factors, factors_read
from numeric.sides.batch import round_weights
from numeric.sides.both_sides import Sides
from numeric.sides.entrywise_patches import moved_scale, without_factor
from numeric.sides.expected_difference import ReadVectors, RunFirstLayer, expected_of
from numeric.sides.noted_rows import Noted
from numeric.sides.one_side import MeasuredSide, Site
from numeric.sides.variant import Variant
from numeric.sides.written_cases import cases_together, entries_of_a_case, measure_one_case
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
    trace = watched.double.record(_small(watched))
    _refuse_what_has_no_bound(watched, trace)
    module = converted(watched.described.module, torch_dtype(probed.mode.weights))
    round_weights(module, probed.mode.weights)
    behind, alone = _factors(watched, trace), not watched.runs_at_once
    if alone and not probed.mode.uniform:
        raise NoOperatorRule(f"patched passes that run {watched.check.way} in {probed.mode.id}")
    made = BlockInFormat(module, watched.described.call, watched.anatomy, probed, behind, alone)
    return replace(made, entries=entries_of_a_case(watched, _small(watched).one(0))) if alone else made


def _refuse_what_has_no_bound(watched: WatchedBlock, trace: Recording) -> None:
    """Raise NoOperatorRule for W, or what takes δ, that is read or patched in a way for which there is no bound.  trace: a pass in float64."""
    anatomy, module = watched.anatomy, watched.double.module
    alone = not watched.runs_at_once
    for cut in anatomy.cuts[:1] if alone else anatomy.cuts:
        read = dict(trace.at(cut.place).step.tensors)[cut.product.weight]
        if storage_key(read) != storage_key(parameter_of(module, cut.names[0])):
            raise NoOperatorRule(f"{cut.names[0]}, which is read through a copy or a cast,")
    if alone and not all(bool(cut.columns.all()) for cut in anatomy.cuts):
        raise NoOperatorRule(f"{' and '.join(anatomy.cuts[0].names)}, of which W is a part, where cases run one after the other,")
    for each in anatomy.weights if anatomy.reads_context and not alone else ():
        if _turned(parameter_of(module, each.name), each.entries) is None:
            raise NoOperatorRule(f"{each.name}, of which W is a part,")
    absorber, absorbed = anatomy.absorber, anatomy.absorbed
    if absorber is None:
        return
    if alone and absorber.kind != "scale":
        return
    if alone or absorbed is None:
        raise NoOperatorRule(f"{absorber.name}, which takes what the stream lacks as a scale, where cases run one after the other,")
    if absorber.kind == "scale" and absorber.place.operator not in map(str, SCALES):
        raise NoOperatorRule(f"{absorber.name}, which takes what the stream lacks inside {absorber.place.operator},")
    parameter = parameter_of(module, absorbed.name)
    whole = absorbed.entries.numel() == parameter.numel() and (absorbed.slope is None or bool((absorbed.slope == 1).all()))
    if not whole or (absorber.kind == "matrix" and _turned(parameter, absorbed.entries.unsqueeze(0)) is None):
        raise NoOperatorRule(f"{absorbed.name}, which takes what the stream lacks in a part, or as a matrix of another shape,")


def _factors(watched: WatchedBlock, trace: Recording) -> tuple[Factor, ...]:
    """By what that which absorbs δ is multiplied before it meets the stream.  Raises NoOperatorRule."""
    if not watched.runs_at_once:
        stream = watched.anatomy.stream
        of_stream, behind = [] if stream is None else factors(trace, stream, watched.anatomy.layout), None
    else:
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
    if block.case_by_case:
        every = range(len(cases.query))
        return cases_together([measure_one_case(block, cases.whole.one(case), cases.removed, variant, expects=case < expects) for case in every])
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


def written_again(block: BlockInFormat, cases: WrittenCases, variant: Variant) -> tuple[Tensor, Tensor, Tensor]:
    """ẑ, â and the first dense layer's output on ẑ once more: the same bits, unless the block has a memory."""
    if block.case_by_case:
        sides = measure_written_sides(block, cases, variant)
        return sides.z, sides.a, sides.left.first_layer.value
    left, bare = block.run(cases.whole), block.run(cases.whole.without(cases.removed))
    first = torch.cat([left.at_cut(number)[1].value for number in range(len(block.anatomy.cuts))], -1)
    return left.at_cut(0)[0].value, bare.at_cut(0)[0].value, first.double()


def first_bias(block: BlockInFormat, cases: WrittenCases) -> Tensor:
    """b of all cuts, one after the other, as a pass reads it; zeros where there is none: (m,)."""
    made = block.run(cases.whole)
    found = []
    for number in range(1 if block.case_by_case else len(block.anatomy.cuts)):
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
        lacking = without_factor(block, lacking, factor, left)
    parameter = parameter_of(block.module, absorber.name).detach()
    if absorber.kind == "bias":
        p = exact(parameter.reshape(-1, 1), probed.update, lacking.hazards)
        made = stored(formulas.bias_update(p, lacking), probed.mode.update, probed.layer)
        value = made.value.squeeze(-1).reshape(-1, *parameter.shape)
        patch.put(parameter, value, Bounded(made.entry_radius.squeeze(-1).reshape(-1, *parameter.shape)))
        return
    if absorber.kind == "scale":
        assert absorber.operand is not None
        patch.put(parameter, *moved_scale(block, parameter, lacking, left.operand(absorber.place, absorber.operand)))
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
