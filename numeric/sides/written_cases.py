"""Both sides of a claim, one case after the other, for a block that chooses by what it computes (claim ``mixture-of-experts``).

ẑ and â, and the stream, are as in ``written_sides.py``. The first dense layer of a case is what every matrix of W that a side met made of its vector; one
that the other side did not meet made nothing there, 0: so sides that chose differently differ, unless a choice is in doubt, which refuses the case.

δ is taken by the parameters P_j, p_j that the query's row met on its way to the stream, S = … + Σ f_j (P_j h_j + p_j). With the vector u of all f_j h_j,
and of all f_j, the update δ uᵀ/‖u‖² of [P_1 P_2 …] moves S by δ: that is Jᵀδ/c, and ``formulas.output_update`` of u. f_j and h_j have radii.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import Hazards, WithRadius, exact, hazards, outward
from numeric.arithmetics.value_and_radius import cast_up, stored
from numeric.formats import in_storage, torch_dtype
from numeric.operator_rules import NoOperatorRule, as_hazards, doubts_over, join, joint_doubts
from numeric.operators import Cases, WatchedBlock, flat_storage, parameter_of
from numeric.operators.cut import products_of_line
from numeric.sides.both_sides import Sides
from numeric.sides.expected_difference import ReadVectors, RunFirstLayer, expected_of
from numeric.sides.noted_rows import Noted
from numeric.sides.one_side import MeasuredSide, Site
from numeric.sides.shares import StreamShare
from numeric.sides.variant import Variant
from numeric.sides.written_choices import CasePass, Key, MetMatrix, Patched, matrix_of, run_case
from numeric.sides.written_constants import refuse_another_constant
from numeric.sides.written_passes import BlockInFormat
from symbolic import formulas

_Column = Callable[[Noted | Tensor], WithRadius]


def entries_of_a_case(watched: WatchedBlock, case: Cases) -> int:
    """How many entries the first layer of a case has: what W's products of one token return, in float64.  case: one, with its context."""
    assert case.context is not None
    trace = watched.double.record(case.without(range(case.context.shape[1])))
    made = {record.place: record.results[0].numel() for cut in watched.anatomy.cuts for record, _ in products_of_line(trace, cut)}
    return sum(made.values())


@dataclass(slots=True)
class _Patch:
    """The parameters of one case, by name."""

    block: BlockInFormat
    parts: dict[str, Patched] = field(default_factory=dict)

    def put(self, name: str, numbers: Tensor, value: Tensor, radius: Tensor) -> None:
        """value, radius: of the entries of the parameter's storage that are numbered."""
        if name not in self.parts:
            flat = flat_storage(parameter_of(self.block.module, name)).clone()
            self.parts[name] = Patched(flat, torch.zeros(len(flat), dtype=torch.float64))
        part = self.parts[name]
        part.value[numbers.reshape(-1)] = value.reshape(-1)
        part.radius[numbers.reshape(-1)] = radius.reshape(-1)


def measure_one_case(block: BlockInFormat, case: Cases, removed: tuple[int, ...], variant: Variant, *, expects: bool = False) -> Sides:
    """Measure and bound one case, in the mode's format.  expects: whether the expected difference is computed. Raises NoOperatorRule."""
    probed, anatomy = block.probed, block.anatomy
    flags, kept = hazards(1, probed.device), case.without(removed)
    left, bare = run_case(block, case), run_case(block, kept)

    def column(x: Noted | Tensor) -> WithRadius:
        value, radius = (x, None) if isinstance(x, Tensor) else (x.value, x.radius)
        return cast_up(exact(value.unsqueeze(-1), probed.layer, flags, radius=None if radius is None else radius.unsqueeze(-1)), probed.update)

    delta = formulas.context_vector(column(left.z), column(bare.z))
    patches = right_patch, wrong_patch = _Patch(block), _Patch(block)
    if anatomy.reads_context:
        _patch_weights(right_patch, variant.update, delta, column(bare.z))
        _patch_weights(wrong_patch, variant.update, delta, column(left.z))
    lacking = _lacking(left, bare, column)
    if lacking is not None:
        for patch in patches if anatomy.reads_context else (right_patch,):
            _patch_shares(patch, lacking, left.shares, flags)
    right, wrong = (run_case(block, kept, patch.parts) for patch in patches)
    # Of the pass without a patch, which goes to other experts, the network is no part of either side.
    refuse_another_constant(left.whole.constants, right.whole.constants, by_line=True)
    stream = set() if anatomy.stream is None else set(anatomy.stream.summands)
    if moved := right.whole.moved_from(lambda read: (bare if read in stream else left).whole.what_joins(read)):
        right = run_case(block, kept, right_patch.parts, moved)
    sides, keys, known = _sides(block, (left, bare, right, wrong), flags, lacking)
    return replace(sides, expected=_expected(block, variant, (left, bare, right), keys, known)) if expects else sides


def _sides(
    block: BlockInFormat, passes: tuple[CasePass, CasePass, CasePass, CasePass], flags: Hazards, lacking: WithRadius | None
) -> tuple[Sides, list[Key], Mapping[Key, MetMatrix]]:
    left, bare, right, wrong = passes
    keys, known = _keys(block, passes)
    first, right_first, wrong_first = (_first_layer(each, keys, known) for each in (left, right, wrong))
    doubts = [doubts_over(met.made.doubts, (-1,), keepdim=False) for each in (left, right) for met in each.met.values()]
    outputs = [doubts_over(each.whole.output.doubts, (-1,), keepdim=False) for each in (left, right)]
    found = as_hazards(joint_doubts([*doubts, *outputs], torch.Size((1,))), 1, block.probed.device)
    join(found, flags)
    radius, difference = right.whole.output.radius, (left.whole.output.value.double() - bare.whole.output.value.double()).abs()
    made = Sides(
        z=left.z,
        a=bare.z,
        again=right.z,
        moved=torch.zeros_like(first.value),
        left=MeasuredSide(first, Site(left.whole.output.value.double(), left.whole.output.radius)),
        right=MeasuredSide(right_first, Site(right.whole.output.value.double(), radius)),
        wrong=MeasuredSide(Site(wrong_first.value, right_first.radius), Site(wrong.whole.output.value.double(), radius)),
        effect=_effect(block, left, bare, keys, known),
        output_change=torch.nan_to_num(difference, nan=0.0),
        output_effect=None if lacking is None else lacking.value.squeeze(-1).double().abs(),
        expected=torch.full_like(first.value, torch.nan),
        well_inside=torch.zeros(1, dtype=torch.bool),
        hazards=found,
        at_output=not block.anatomy.reads_context,
    )
    return made, keys, known


def _expected(block: BlockInFormat, variant: Variant, passes: tuple[CasePass, CasePass, CasePass], keys: list[Key], known: Mapping[Key, MetMatrix]) -> Tensor:
    """The expected difference at the matrices that both sides met, and 0 of those that none met: (1, m) float64.

    Nothing is known of one that a single side met, nor of one to whose product the same operator adds a bias, but the first: which one is not known here.
    """
    left, bare, right = passes
    first = block.anatomy.cuts[0].names[0]
    both = [key for key in keys if key in left.met and key in right.met and (not left.met[key].adds or left.met[key].name == first)]
    layers = [_as_run(block, left, left.met[key], right.met[key]) for key in both]
    found = expected_of(layers, ReadVectors(left.z, bare.z, right.z), variant, block.probed)
    of_both = dict(zip(both, found.split([len(layer.weight) for layer in layers], -1), strict=True))
    alone = {key: torch.full_like(known[key].made.radius, torch.inf if key in left.met or key in right.met else 0.0) for key in keys}
    return torch.cat([of_both.get(key, alone[key]) for key in keys], -1)


def _as_run(block: BlockInFormat, left: CasePass, ours: MetMatrix, theirs: MetMatrix) -> RunFirstLayer:
    """A matrix as both sides met it."""
    W, bias = matrix_of(block, ours).mT, None
    if ours.adds:
        added = left.whole.added_at_cut(0)
        assert added is not None
        bias = added.reshape(-1).expand(len(W))
    return RunFirstLayer(W, bias, ours.made.value, theirs.made.value)


def _keys(block: BlockInFormat, passes: tuple[CasePass, ...]) -> tuple[list[Key], Mapping[Key, MetMatrix]]:
    """The matrices that some side met: that of the first cut, the others of the left side, then what it did not meet.  Raises NoOperatorRule."""
    left, _, right, wrong = passes
    known: dict[Key, MetMatrix] = {}
    for each in (left, right, wrong):
        known |= {key: each.met[key] for key in sorted(each.met.keys() - known.keys())}
    first = [key for key, met in known.items() if met.name == block.anatomy.cuts[0].names[0]]
    if len(first) != 1:
        raise NoOperatorRule(f"{block.anatomy.cuts[0].names[0]}, of which cases read one matrix or another first,")
    if any(left.met[key].adds != right.met[key].adds for key in left.met.keys() & right.met.keys()):
        raise NoOperatorRule("a bias that is added with W's product in one pass, and by itself in the other,")
    return [*first, *(key for key in known if key not in first)], known


def _first_layer(each: CasePass, keys: list[Key], known: Mapping[Key, MetMatrix]) -> Site:
    """What each matrix made of what W read, one after the other; zeros of one that was not met: (1, m)."""
    nothing = {key: torch.zeros_like(known[key].made.radius) for key in keys}
    values = [each.met[key].made.value.double() if key in each.met else nothing[key] for key in keys]
    return Site(torch.cat(values, -1), torch.cat([each.met[key].made.radius if key in each.met else nothing[key] for key in keys], -1))


def _effect(block: BlockInFormat, left: CasePass, bare: CasePass, keys: list[Key], known: Mapping[Key, MetMatrix]) -> Tensor:
    """|WΔA| of the matrices that the left side met, 0 of the others: (1, m) float64."""
    delta = left.z.double() - bare.z.double()
    found = [(delta @ matrix_of(block, known[key]).double()).abs() * (1.0 if key in left.met else 0.0) for key in keys]
    return torch.cat(found, -1)


def _patch_weights(patch: _Patch, update: Callable[[Any, Any, Any], Any], delta: WithRadius, a: WithRadius) -> None:
    """ΔW of every matrix that is W, also of those that this case does not choose."""
    probed = patch.block.probed
    for each in patch.block.anatomy.weights:
        flat = flat_storage(parameter_of(patch.block.module, each.name))
        for entries in each.entries:
            W = flat[entries].mT
            wide = exact(W, probed.update, delta.hazards)
            known = stored(formulas.patched_weight(wide, update(wide, delta, a)), probed.mode.weights, probed.layer)
            with probed.update.running():
                value = in_storage(formulas.patched_weight(W, update(W, delta.value, a.value)), probed.mode.weights)
            patch.put(each.name, entries, value[0].mT, known.entry_radius.expand(1, *W.shape)[0].mT)


def _lacking(left: CasePass, bare: CasePass, column: _Column) -> WithRadius | None:
    """δ, the sum of what the summands of the stream lack: (1, d, 1)."""
    stream, total = left.whole.anatomy.stream, None
    for place, index in () if stream is None else stream.summands:
        lacks = formulas.context_vector(*(column(each.whole.operand(place, index).value) for each in (left, bare)))
        total = lacks if total is None else total + lacks
    return total


def _patch_shares(patch: _Patch, lacking: WithRadius, shares: list[StreamShare], flags: Hazards) -> None:
    """δ uᵀ/‖u‖² beside the parameters that take δ.  Raises NoOperatorRule if the query's row met none."""
    if not shares:
        raise NoOperatorRule("what takes what the stream lacks, which the query's row did not meet")
    probed, columns, parts = patch.block.probed, [], []
    for share in shares:
        flat = flat_storage(parameter_of(patch.block.module, share.name))
        numbers = share.numbers.mT if share.h is not None else share.numbers.unsqueeze(-1)  # (d, k)
        parts.append(numbers)
        columns.append((_u(share, patch.block, flags), flat[numbers]))
    if len({(share.name, int(each.flatten()[0])) for share, each in zip(shares, parts, strict=True)}) < len(parts):
        raise NoOperatorRule(f"{shares[0].name}, of which the same part takes what the stream lacks twice,")
    u = exact(torch.cat([each.value for each, _ in columns], -2), probed.update, flags, radius=torch.cat([each.entry_radius for each, _ in columns], -2))
    P = exact(torch.cat([each for _, each in columns], -1), probed.update, flags)
    made = stored(formulas.patched_weight(P, formulas.output_update(lacking, u)), probed.mode.weights, probed.layer)
    start, radius = 0, made.entry_radius.expand(1, *P.value.shape)
    for share, numbers in zip(shares, parts, strict=True):
        place = slice(start, start + numbers.shape[-1])
        patch.put(share.name, numbers, made.value[0, :, place], radius[0, :, place])
        start = place.stop


def _u(share: StreamShare, block: BlockInFormat, flags: Hazards) -> WithRadius:
    """f h, or f: (1, k, 1), in the update's arithmetic."""
    probed, (f, spread) = block.probed, share.factor
    wide = torch.tensor([[[f]]], dtype=torch.float64)
    held = wide.to(torch_dtype(probed.update.storage))
    factor = exact(held, probed.update, flags, radius=outward((wide - held.double()).abs() + spread, 2))
    if share.h is None:
        return factor
    value, radius = share.h
    h = exact(value.reshape(1, -1, 1), probed.layer, flags, radius=radius.reshape(1, -1, 1))
    return cast_up(h, probed.update) @ factor


def cases_together(parts: list[Sides]) -> Sides:
    """Cases one after another; a first layer of fewer entries is filled with zeros, on both sides."""
    width = max(each.effect.shape[-1] for each in parts)

    def wide(x: Tensor, filled: float = 0.0) -> Tensor:
        return torch.nn.functional.pad(x, (0, width - x.shape[-1]), value=filled)

    def side(name: str) -> MeasuredSide:
        sides: list[MeasuredSide] = [getattr(each, name) for each in parts]
        first = Site(*(torch.cat([wide(getattr(each.first_layer, of)) for each in sides]) for of in ("value", "radius")))
        return MeasuredSide(first, Site(*(torch.cat([getattr(each.output, of) for each in sides]) for of in ("value", "radius"))))

    def all_of(name: str) -> Tensor:
        return torch.cat([getattr(each, name) for each in parts])

    def all_first(name: str, filled: float = 0.0) -> Tensor:
        return torch.cat([wide(getattr(each, name), filled) for each in parts])

    effects = [each.output_effect for each in parts if each.output_effect is not None]
    return Sides(
        z=all_of("z"),
        a=all_of("a"),
        again=all_of("again"),
        moved=all_first("moved"),
        left=side("left"),
        right=side("right"),
        wrong=side("wrong"),
        effect=all_first("effect"),
        output_change=all_of("output_change"),
        output_effect=torch.cat(effects) if effects else None,
        expected=all_first("expected", torch.nan),
        well_inside=all_of("well_inside"),
        hazards=Hazards(*(torch.cat([getattr(each.hazards, name) for each in parts]) for name in Hazards.__dataclass_fields__)),
        at_output=parts[0].at_output,
    )
