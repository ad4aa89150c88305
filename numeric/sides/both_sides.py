"""Both sides of a claim on one batch of cases: measured by the module, bounded by the arithmetic.

Let ẑ = A(C,x) and â = A(C∖Y,x) be as computed. They are taken as exact inputs: a claim holds for any two vectors, so
rounding inside the contextual layer cancels out of it. With exact W and b both sides of Theorem 2.2 (of Theorem A.2)
equal one real vector, so

    |left - right| ≤ |left - exact| + |right - exact| ≤ radius_left + radius_right,

at the output of the first dense layer and, carried on through the network, at the block's output. The patched pass
computes â again; it starts from the same bits by the same kernels. Where it nevertheless comes out as â + ε, or is made to
(scenario ``recompute``), both sides differ at the first dense layer by (WΔA)(aᵀε)/‖a‖² + Wε, exactly (claim
``perturbed-query``): that number, computed in fp64 with a radius of its own, is taken away. Behind f_θ, |ε| is the radius
of the network's input.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock, output_layers
from numeric.architecture.form import OutputLayers
from numeric.architecture.wiring import wiring
from numeric.arithmetics import Hazards, WithRadius, exact, hazards, outward
from numeric.arithmetics.value_and_radius import cast_up, from_module
from numeric.machine import FP64, ProbedMode
from numeric.sides.batch import Attend, Batch
from numeric.sides.expected_difference import expected_difference
from numeric.sides.one_side import MeasuredSide, Site, carried_on, dense
from numeric.sides.output_patch import output_patch
from numeric.sides.passes import Pass, Patch, forward, patched_forward
from numeric.sides.patches import first_layer_patch, numbers, patch_of_tensors
from numeric.sides.range_limits import well_inside
from numeric.sides.setting import Setting
from numeric.sides.variant import OWN, Variant, variants_named
from numeric.sides.wrong_update import wrong_parallel_patch, wrong_patch
from symbolic import formulas

KNOWN = 8.0
"""How many times its own radius what an output matrix multiplies has to be, for the case to be well inside: ‖h‖² then is four times its own."""

FORMED = variants_named(["formula"])[0]
"""How an output matrix takes its update, whatever the first layer's variant."""


@dataclass(frozen=True, slots=True)
class Passes:
    """The forward passes of a batch, from which its sides are read."""

    variant: Variant
    left: Pass
    """With the context."""
    unpatched: Pass
    """Without Y, with the block's own weights."""
    reference: Tensor
    """â, of which the update is made: (cases, d)."""
    right: Pass
    """Without Y, patched."""
    wrong: Pass
    """The same with the planted wrong update."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A batch of cases, measured and bounded."""

    z: Tensor
    """ẑ = A(C,x), or N(A(C,x)) with a norm: (cases, d), in the format."""
    a: Tensor
    """â = A(C∖Y,x), or N of it, from which the update is made: (cases, d), in the format."""
    again: Tensor
    """What the patched pass computed for it: (cases, d); â bit for bit, but in the scenario ``recompute``."""
    moved: Tensor
    """What â + ε moves the first dense layer by: (cases, m) float64; its radius is in the right side's."""
    left: MeasuredSide
    right: MeasuredSide
    wrong: MeasuredSide
    """The right side with the planted wrong update; its radii are the right side's, as the wrong claim would have it."""
    effect: Tensor
    """|WΔA|: (cases, m) float64, what ΔW does to the pre-activation."""
    output_change: Tensor
    """|output with the context - output without it and without ΔW|: (cases, d_out) float64, what the update changes there, as measured."""
    output_effect: Tensor | None
    """|δ|: (cases, d) float64, what the stream beside the network lacks at the output, where there is one and the claim is of that."""
    expected: Tensor
    """Probabilistic: (cases, m) float64, what |left + moved - right| at the first dense layer is expected not to exceed; NaN if not asked. Judges nothing."""
    well_inside: Tensor
    """(cases,) bool: whether no range limit is met, by a factor of 4, so that to refuse the case would be timid."""
    hazards: Hazards
    at_output: bool = False
    """Whether the claim is of the output alone, since the first dense layer reads no context (a parallel block)."""
    passes: Passes | None = None
    """From which they were read; None if from none."""

    @property
    def bound(self) -> Tensor:
        """radius_left + radius_right at the first dense layer: (cases, m) float64."""
        return self.left.first_layer.radius + self.right.first_layer.radius

    @property
    def output_bound(self) -> Tensor:
        """The same at the block's output: (cases, d_out) float64."""
        return self.left.output.radius + self.right.output.radius


def measure_sides(  # what is measured, and how much of it
    block: ContextualBlock,
    cases: Batch,
    variant: Variant,
    probed: ProbedMode,
    attend: Attend | None = None,
    *,
    known: Sides | None = None,
    expects: int | None = None,
) -> Sides:
    """Measure and bound one batch.  block and cases: already in the mode's formats; attend: how the update's â is computed, if otherwise.

    known: the same batch, measured in the same mode. By the same variant under other refinements: what was measured and expected then is taken, and
    bounded anew. By another variant: what the variant has no part in is taken, the passes with the context and without Y, unpatched.
    expects: of how many cases the expected difference is computed, the first ones; of all, if not given.
    """
    flags, update, before = hazards(len(cases.query), probed.device), probed.update, None if known is None else known.passes
    passes = before if before is not None and before.variant == variant else None
    setting = _setting(block, cases, variant, probed)

    def column(x: Tensor, radius: Tensor | None = None) -> WithRadius:
        return exact(x.unsqueeze(-1), probed.layer, flags, radius=None if radius is None else radius.unsqueeze(-1))

    left = forward(block, cases.context, cases.query, probed) if before is None else before.left
    unpatched = _patched_pass(setting, Patch()) if before is None else before.unpatched
    # What the update is made of, â and what a block with a norm carries past its network without Y; else that is â.
    reference = unpatched.attended
    if attend is not None:
        reference = attend(block, cases, probed) if before is None else before.reference
    stream = unpatched.carried if attend is None else reference
    z, a = (cast_up(column(x), update) for x in (left.attended, reference))
    delta = formulas.context_vector(z, a)
    left_side, values = carried_on(setting, left, column(left.attended))

    patched = first_layer_patch(setting, delta, a)
    change = delta
    if block.norm is not None:
        change = formulas.context_vector(*(cast_up(column(x), update) for x in (left.carried, stream)))
    if block.has_stream:
        patched.parameters.update(output_patch(block, setting.outputs, change, values, probed))
    patch = numbers(patched)
    if passes is None and variant.id == OWN and not block.parallel:
        patch = patch_of_tensors(setting, patch, delta.value, a.value)  # a user's function may do something else with tensors, and that is what is deployed
    right = _patched_pass(setting, patch) if passes is None else passes.right
    flags.unforeseen |= torch.isfinite(reference).all(-1) & ~torch.isfinite(right.attended).all(-1)
    epsilon = right.attended.double() - reference.double()
    drift = outward((right.carried.double() - stream.double()).abs(), 2)
    right_side, _ = carried_on(setting, right, column(right.attended, outward(epsilon.abs(), 2)), patched, drift)
    W, moved = exact(block.first_weight.detach(), update, flags), torch.zeros_like(left_side.first_layer.value)
    if bool((epsilon != 0).any()):
        predicted = _moved(W, z, a, epsilon.unsqueeze(-1))
        radius = predicted.entry_radius + _radius_at(setting, column(right.attended), right, patched)
        moved, right_side = predicted.value.squeeze(-1), replace(right_side, first_layer=replace(right_side.first_layer, radius=outward(radius.squeeze(-1), 1)))

    expected = known.expected if known is not None and passes is not None else None
    if passes is None:
        planted = wrong_parallel_patch(setting, patch, change.value, left.layers) if block.parallel else wrong_patch(setting, patch, delta.value, z.value)
        passes = Passes(variant, left, unpatched, reference, right, _patched_pass(setting, planted, carried=right.carried))
    effect = (W.value.double() @ (z.value.double() - a.value.double())).abs().squeeze(-1)
    lacks = (left.carried.double() - stream.double()).abs()
    share = 1.0 if setting.outputs.gates is None else left.layers[setting.outputs.gates].double().sum(-1, keepdim=True)
    return Sides(
        z=left.attended,
        a=reference,
        again=right.attended,
        moved=moved,
        left=left_side,
        right=right_side,
        wrong=_inside_radii_of(right_side, passes.wrong, block),
        effect=effect,
        output_change=torch.nan_to_num((left.output.double() - unpatched.output.double()).abs(), nan=0.0),
        output_effect=lacks if block.has_stream and attend is None else None,
        expected=_expected(setting, passes, len(cases.query) if expects is None else expects) if expected is None else expected,
        well_inside=_well_inside(setting, effect, reference, lacks / share, values) & ~(flags.undecided | flags.hidden),
        hazards=flags,
        at_output=block.parallel,
        passes=passes,
    )


def _expected(setting: Setting, passes: Passes, asked: int) -> Tensor:
    """The expected difference of the first cases, NaN of the others: (cases, m) float64."""
    expected = torch.full_like(passes.left.first(setting.block), torch.nan, dtype=torch.float64)
    if asked:
        expected[:asked] = expected_difference(setting, passes.left.part(asked), passes.right.part(asked), passes.reference[:asked])
    return expected


def computed_again(block: ContextualBlock, cases: Batch, variant: Variant, probed: ProbedMode, attend: Attend | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """ẑ, â and the first dense layer's output on ẑ, by the passes that ``measure_sides`` takes them from: the same bits, unless the block has a memory."""
    left = forward(block, cases.context, cases.query, probed)
    setting = _setting(block, cases, variant, probed)
    a = _patched_pass(setting, Patch()).attended if attend is None else attend(block, cases, probed)
    return left.attended, a, left.first(block).double()


def _setting(block: ContextualBlock, cases: Batch, variant: Variant, probed: ProbedMode) -> Setting:
    calls = wiring(block)
    return Setting(block, cases, variant, probed, calls, output_layers(block, calls) if block.has_stream else OutputLayers(None))


def _inside_radii_of(side: MeasuredSide, measured: Pass, block: ContextualBlock) -> MeasuredSide:
    """Another pass's numbers with a side's radii."""
    return MeasuredSide(Site(measured.first(block).double(), side.first_layer.radius), Site(measured.output.double(), side.output.radius))


def _patched_pass(setting: Setting, patch: Patch[Tensor], carried: Tensor | None = None) -> Pass:
    return patched_forward(setting.block, setting.cases.kept, setting.cases.query, patch, setting.probed, carried=carried)


def _radius_at(setting: Setting, x: WithRadius, measured: Pass, patched: Patch[WithRadius]) -> Tensor:
    """The radius of the patched first layers at an exact x: (cases, m, 1)."""
    return torch.cat([dense(setting, name, x, measured.layers[name].unsqueeze(-1), patched).entry_radius for name in setting.block.first_layers], -2)


def _well_inside(setting: Setting, effect: Tensor, a: Tensor, target: Tensor, values: dict[str, WithRadius]) -> Tensor:
    """Whether no range limit is met, by a factor of 4, at the first layers or the output's.

    target: |δ|, over Σγ for experts; values: what each module returned in the pass with the context. Returns (cases,) bool.
    """
    probed, nothing = setting.probed, torch.ones(len(a), dtype=torch.bool, device=setting.probed.device)
    inside = nothing if setting.block.parallel else well_inside(effect, a.double(), setting.variant, probed)
    for call in setting.outputs.matrices:
        read = values[call.reads[0]]
        h, spread = read.value.double(), read.entry_radius
        known = KNOWN * spread.norm(dim=(-2, -1)) <= h.norm(dim=(-2, -1))
        inside = inside & known & well_inside(target, h.squeeze(-1), FORMED, probed)
    return inside


def _moved(W: WithRadius, z: WithRadius, a: WithRadius, epsilon: Tensor) -> WithRadius:
    """(WΔA)(aᵀε)/‖a‖² + Wε in fp64, with its radius; zero where ε is.  epsilon: (cases, d, 1) float64. Returns (cases, m, 1)."""
    flags = hazards(len(epsilon), epsilon.device)
    ours, theirs, wide = (exact(x.value.double(), FP64, flags) for x in (W, z, a))
    lost = outward(epsilon.abs() * 2.0**-53, 1)  # one subtraction of float64; a difference of subnormal numbers is exact
    moved = formulas.perturbation(ours, formulas.context_vector(theirs, wide), wide, exact(epsilon, FP64, flags, radius=lost))
    none = (epsilon == 0).all(-2, keepdim=True)
    # What cannot be told (a denominator that underflowed, an overflow) bounds nothing.
    known = torch.isfinite(moved.value) & ~(flags.underflow | flags.not_finite).reshape(-1, 1, 1)
    value = torch.where(none | ~known, 0.0, moved.value)
    radius = torch.where(none, 0.0, torch.where(known, moved.radius.dense(*value.shape[-2:], on=value.device), torch.inf))
    return from_module(value, radius, moved)
