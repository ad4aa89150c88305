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

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock, output_layers, output_parameters
from numeric.architecture.form import OutputLayers
from numeric.architecture.wiring import INPUT, Call, wiring
from numeric.arithmetics import Hazards, WithRadius, exact, hazards, outward
from numeric.arithmetics.value_and_radius import cast_up, dense_layer, from_module, in_arithmetic, stored
from numeric.cells.scenario import Attend, Batch
from numeric.formats import in_storage, torch_dtype
from numeric.machine import FP64, ErrorModel, ProbedMode
from numeric.machine.kernels import BARE, DENSE, PATCHED_BIAS, PATCHED_PASS, PATCHED_WEIGHT, kernels
from numeric.rules import RULES, rule_for
from numeric.sides.expected_difference import expected_difference
from numeric.sides.output_patch import output_patch, wrong_output_patch
from numeric.sides.passes import Factors, Pass, forward, patched_forward
from numeric.sides.range_limits import well_inside
from numeric.sides.variant import Variant, variants_named
from symbolic import formulas

KNOWN = 8.0
"""How many times its own radius what an output matrix multiplies has to be, for the case to be well inside: ‖h‖² then is four times its own."""

FORMED = variants_named(["formula"])[0]
"""How an output matrix takes its update, whatever the first layer's variant."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a claim, measured, with the radius in which the exact value lies."""

    first_layer: Tensor
    """(cases, m) float64."""
    first_layer_radius: Tensor
    output: Tensor
    """(cases, d_out) float64."""
    output_radius: Tensor


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
    left: Side
    right: Side
    wrong: Side
    """The right side with the planted wrong update; its radii are the right side's, as the wrong claim would have it."""
    effect: Tensor
    """|WΔA|: (cases, m) float64, what ΔW does to the pre-activation."""
    output_change: Tensor
    """|output with the context - output without it and without ΔW|: (cases, d_out) float64, what the update changes there, as measured."""
    output_effect: Tensor | None
    """|δ|: (cases, d) float64, what the stream beside the network lacks at the output, where there is one and the claim is of that."""
    expected: Tensor
    """Probabilistic: (cases, m) float64, what |left + moved - right| at the first dense layer is expected not to exceed. It judges nothing."""
    well_inside: Tensor
    """(cases,) bool: whether no range limit is met, by a factor of 4, so that to refuse the case would be timid."""
    hazards: Hazards
    at_output: bool = False
    """Whether the claim is of the output alone, since the first dense layer reads no context (a parallel block)."""


@dataclass(frozen=True, slots=True)
class Patched:
    """What the patched pass puts into the block, with its radii."""

    parameters: dict[str, WithRadius] = field(default_factory=dict)
    """By name in the block: (cases, *shape); a bias as a column."""
    factors: dict[str, tuple[WithRadius, WithRadius]] = field(default_factory=dict)
    """WΔA and a of a factored patch, by the first layer's name."""


def in_format(block: ContextualBlock, cases: Batch, probed: ProbedMode) -> Batch:
    """The cases rounded to the mode's activations, on its device."""

    def cast(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.to(probed.device, torch_dtype(probed.mode.activations))

    context, query = cast(cases.context), cast(cases.query)
    assert context is not None
    assert query is not None
    return Batch(context, cast(cases.kept), query)


def measure_sides(block: ContextualBlock, cases: Batch, variant: Variant, probed: ProbedMode, attend: Attend | None = None) -> Sides:
    """Measure and bound one batch.  block and cases: already in the mode's formats; attend: how the update's â is computed, if otherwise."""
    found = hazards(len(cases.query), probed.device)
    update, layer = probed.update, probed.layer
    calls = wiring(block)
    outputs = output_layers(block, calls) if block.has_stream else OutputLayers(None)

    left = forward(block, cases.context, cases.query, probed)
    unpatched = patched_forward(block, cases.kept, cases.query, _as_they_are(block, outputs, variant, len(cases.query)), probed)
    if attend is None:
        reference, stream = unpatched.attended, unpatched.carried
    else:
        reference = stream = attend(block, cases, probed)
    z, a = (cast_up(exact(x.unsqueeze(-1), layer, found), update) for x in (left.attended, reference))
    delta = formulas.context_vector(z, a)
    left_side, values = _side(block, calls, left, _column(left.attended, layer, found), left.carried, Patched(), cases.query, probed, patched_pass=False)

    patched = Patched() if block.parallel else _patch(block, delta, a, variant, probed)
    change = delta
    if block.norm is not None:
        change = formulas.context_vector(*(cast_up(exact(x.unsqueeze(-1), layer, found), update) for x in (left.carried, stream)))
    if block.has_stream:
        patched.parameters.update(output_patch(block, outputs, change, values, probed))
    right = patched_forward(block, cases.kept, cases.query, _tensors(patched), probed, _adapters(patched))
    again = exact(right.attended.unsqueeze(-1), layer, found)
    epsilon = (right.attended.double() - reference.double()).unsqueeze(-1)
    drifting = exact(again.value, layer, found, radius=outward(epsilon.abs(), 2))
    drift = outward((right.carried.double() - stream.double()).abs(), 2)
    right_side, _ = _side(block, calls, right, drifting, right.carried, patched, cases.query, probed, patched_pass=True, drift=drift)
    moved = torch.zeros_like(left_side.first_layer)
    W = exact(block.first_weight.detach(), update, found)
    if bool((epsilon != 0).any()):
        at_again = torch.cat([_first_layer(block, name, again, right, patched, probed).entry_radius for name in block.first_layers], -2)
        predicted = _moved(W, z, a, epsilon)
        moved, of_moved = (x.squeeze(-1) for x in (predicted.value, predicted.entry_radius))
        right_side = replace(right_side, first_layer_radius=outward(of_moved + at_again.squeeze(-1), 1))

    wrong = _planted(block, calls, outputs, patched, change, delta.value, z.value, left, right, variant, cases, probed)
    wrong_side = Side(wrong.first(block).double(), right_side.first_layer_radius, wrong.output.double(), right_side.output_radius)
    effect = (W.value.double() @ (z.value.double() - a.value.double())).abs().squeeze(-1)
    lacks = (left.carried.double() - stream.double()).abs()
    output_change = torch.nan_to_num((left.output.double() - unpatched.output.double()).abs(), nan=0.0)
    expected = expected_difference(block, left, right, reference, variant, probed)
    inside = torch.ones(len(z.value), dtype=torch.bool, device=probed.device) if block.parallel else well_inside(effect, reference.double(), variant, probed)
    share = 1.0 if outputs.gates is None else left.layers[outputs.gates].double().sum(-1, keepdim=True)
    for call in outputs.matrices:
        read = values[call.reads[0]]
        h, spread = read.value.double(), read.entry_radius
        known = KNOWN * spread.norm(dim=(-2, -1)) <= h.norm(dim=(-2, -1))
        inside = inside & known & well_inside(lacks / share, h.squeeze(-1), FORMED, probed)
    inside = inside & ~found.undecided
    return Sides(
        left.attended, reference, right.attended, moved, left_side, right_side, wrong_side, effect, output_change,
        lacks if block.has_stream and attend is None else None, expected, inside, found, at_output=block.parallel,
    )  # fmt: skip


def _planted(
    block: ContextualBlock, calls: tuple[Call, ...], outputs: OutputLayers, patched: Patched, change: WithRadius, delta: Tensor, z: Tensor, left: Pass,
    right: Pass, variant: Variant, cases: Batch, probed: ProbedMode,
) -> Pass:  # fmt: skip
    """The patched pass with a wrong update, as well scaled as the right one: A(C,x) in it for A(C∖Y,x), a mistake seen in the wild."""
    parameters, adapters = _tensors(patched), None
    if block.parallel:  # whose first layer takes no update
        parameters |= wrong_output_patch(block, calls, outputs, change.value, left.layers, probed)
    else:
        mistaken, adapters = _mistaken(block, delta, z, variant, probed)
        parameters |= mistaken
    return patched_forward(block, cases.kept, cases.query, parameters, probed, adapters, carried=right.carried)


def _moved(W: WithRadius, z: WithRadius, a: WithRadius, epsilon: Tensor) -> WithRadius:
    """(WΔA)(aᵀε)/‖a‖² + Wε in fp64, with its radius; zero where ε is.  epsilon: (cases, d, 1) float64. Returns (cases, m, 1)."""
    found = hazards(len(epsilon), epsilon.device)
    ours, theirs, wide = (exact(x.value.double(), FP64, found) for x in (W, z, a))
    lost = outward(epsilon.abs() * 2.0**-53, 1)  # one subtraction of float64; a difference of subnormal numbers is exact
    moved = formulas.perturbation(ours, formulas.context_vector(theirs, wide), wide, exact(epsilon, FP64, found, radius=lost))
    none = (epsilon == 0).all(-2, keepdim=True)
    # What cannot be told (a denominator that underflowed, an overflow) bounds nothing.
    known = torch.isfinite(moved.value) & ~(found.underflow | found.not_finite).reshape(-1, 1, 1)
    value = torch.where(none | ~known, 0.0, moved.value)
    radius = torch.where(none, 0.0, torch.where(known, moved.radius.dense(*value.shape[-2:], on=value.device), torch.inf))
    return from_module(value, radius, moved)


def _patch(block: ContextualBlock, delta: WithRadius, a: WithRadius, variant: Variant, probed: ProbedMode) -> Patched:
    """The update, and how it is kept for the patched pass."""
    patched = Patched()
    for name, layer in zip(block.first_layers, block.first_linears, strict=True):
        W = exact(layer.weight.detach(), probed.update, delta.hazards)
        if variant.factored:
            patched.factors[name] = in_arithmetic(W @ delta, probed.adapter), in_arithmetic(a, probed.adapter)
        else:
            weight = formulas.patched_weight(W, variant.update(W, delta, a))
            patched.parameters[f"network.{name}.weight"] = stored(weight, probed.mode.weights, probed.layer)
    return patched


def _mistaken(block: ContextualBlock, delta: Tensor, z: Tensor, variant: Variant, probed: ProbedMode) -> tuple[dict[str, Tensor], dict[str, Factors]]:
    """(WΔA)zᵀ/‖z‖², as the patched pass takes it; of numbers alone, for its bound is the right one's.  delta, z: (cases, d, 1)."""
    weights: dict[str, Tensor] = {}
    factors: dict[str, Factors] = {}
    with torch.no_grad(), probed.update.running():
        for name, layer in zip(block.first_layers, block.first_linears, strict=True):
            W = layer.weight.detach()
            if variant.factored:
                factors[name] = W @ delta, z
            else:
                weight = formulas.patched_weight(W, variant.update(W, delta, z))
                weights[f"network.{name}.weight"] = in_storage(weight, probed.mode.weights)
    return weights, factors


def _as_they_are(block: ContextualBlock, outputs: OutputLayers, variant: Variant, cases: int) -> dict[str, Tensor]:
    """What the patched pass replaces, unchanged, so that the same kernels run."""
    found = output_parameters(block, outputs)
    if not (variant.factored or block.parallel):
        found |= {f"network.{name}.weight": layer.weight.detach() for name, layer in zip(block.first_layers, block.first_linears, strict=True)}
    return {name: x.expand(cases, *x.shape) for name, x in found.items()}


def _tensors(patched: Patched) -> dict[str, Tensor]:
    """The parameters of the patched pass, case by case."""
    found = {}
    for name, x in patched.parameters.items():
        value = x.value.expand(len(x.hazards.overflow), -1, -1)
        found[name] = value.squeeze(-1) if name.endswith(".bias") else value
    return found


def _adapters(patched: Patched) -> dict[str, Factors]:
    """A factored patch as the patched pass takes it."""
    return {name: (v.value, a.value) for name, (v, a) in patched.factors.items()}


def _column(x: Tensor, numerics: ErrorModel, found: Hazards) -> WithRadius:
    """Vectors that are exact inputs.  x: (cases, d)."""
    return exact(x.unsqueeze(-1), numerics, found)


def _side(
    block: ContextualBlock, calls: tuple[Call, ...], measured: Pass, attended: WithRadius, carried: Tensor, patched: Patched, query: Tensor, probed: ProbedMode,
    *, patched_pass: bool, drift: Tensor | None = None,
) -> tuple[Side, dict[str, WithRadius]]:  # fmt: skip
    """Carry the radius from the first dense layer to the block's output, by the rule of each module on the way; and what each module returned.

    carried: (cases, d), the contextual layer's output; drift: (cases, d), how far it is from what the patch was made of.
    """
    n, found = attended.numerics, attended.hazards
    values = {INPUT: attended}
    for call in calls:
        output = measured.layers[call.name].unsqueeze(-1)
        inputs = [values[name] for name in call.reads]
        module = block.network.get_submodule(call.name)
        rule = rule_for(module)
        if rule is not None:
            values[call.name] = rule(module, *inputs, output)
        elif isinstance(module, nn.Linear):
            values[call.name] = _dense(block, call.name, inputs[0], output, patched, probed, patched_pass=patched_pass)
        else:
            known = ", ".join(kind.__name__ for kind in RULES)
            raise UnusableBlock(
                f'no rounding rule for "{type(module).__name__}" ("{call.name}" of the network); there are rules for Linear and, along the last axis, {known}.'
            )
    value = values[calls[-1].name]
    if block.has_stream:
        # Of Definition A.1 the network's input and what is carried are one tensor; the query is exact on both sides.
        stream = exact(carried.unsqueeze(-1), n, found, radius=None if drift is None else drift.unsqueeze(-1))
        value = formulas.skip_connection(_column(query, n, found), stream, value) if block.skip else formulas.residual_connection(stream, value)
        assert torch.equal(torch.nan_to_num(value.value.squeeze(-1)), torch.nan_to_num(measured.output)), "the block adds in another order than the formula"
    side = Side(
        measured.first(block).double(),
        torch.cat([values[name].entry_radius for name in block.first_layers], dim=-2).squeeze(-1),
        measured.output.double(),
        value.entry_radius.squeeze(-1),
    )
    return side, values


def _first_layer(block: ContextualBlock, name: str, x: WithRadius, measured: Pass, patched: Patched, probed: ProbedMode) -> WithRadius:
    """A first dense layer of the patched pass at an x of one's own."""
    return _dense(block, name, x, measured.layers[name].unsqueeze(-1), patched, probed, patched_pass=True)


def _dense(block: ContextualBlock, name: str, x: WithRadius, output: Tensor, patched: Patched, probed: ProbedMode, *, patched_pass: bool) -> WithRadius:
    """A dense layer, with its patch if it has one."""
    n, found = x.numerics, x.hazards
    module = block.network.get_submodule(name)
    assert isinstance(module, nn.Linear)
    own_weight, own_bias = (patched.parameters.get(f"network.{name}.{kind}") for kind in ("weight", "bias"))
    W = exact(module.weight.detach(), n, found) if own_weight is None else own_weight
    b = own_bias if own_bias is not None else None if module.bias is None else exact(module.bias.detach().unsqueeze(-1), n, found)
    kernel = PATCHED_PASS if patched_pass else DENSE
    if own_weight is not None:
        kernel = PATCHED_WEIGHT
    elif own_bias is not None:
        kernel = PATCHED_BIAS
    if b is None:
        kernel = BARE[kernel]
    apart = n.patched_rounds_before_bias if patched_pass else n.rounds_before_bias
    if name not in patched.factors:
        return dense_layer(W, b, x, output, kernel, apart=apart)
    v, a = patched.factors[name]
    added = formulas.factored_update(v, a, in_arithmetic(cast_up(x, probed.update), v.numerics))
    # What the layer computed before the patch was added to it was overwritten; it is computed again, by the same kernel.
    with torch.no_grad(), n.running():
        plain = kernels()[kernel].run(W.value.unsqueeze(0), x.value, None if b is None else b.value.squeeze(-1))
    value = dense_layer(W, b, x, plain, kernel, apart=apart)
    result = stored(cast_up(value, probed.update) + added, n.storage, n)
    assert torch.equal(torch.nan_to_num(result.value), torch.nan_to_num(output)), "the layer adds its patch in another way than the formula"
    return result
