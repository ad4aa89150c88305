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
from torch import Tensor, nn

from numeric.contextual_block import ContextualBlock, UnusableBlock
from numeric.envelope import widen
from numeric.expected_sides import expected_difference
from numeric.formats import format_named
from numeric.kernels import ALL, DENSE, PATCHED_BIAS, PATCHED_PASS, PATCHED_WEIGHT, kernels
from numeric.module_rules import RULES, rule_for
from numeric.numerics import Numerics
from numeric.passes import Pass, forward, last_bias_name, leaves, patched_forward, weight_name
from numeric.probe import Probed
from numeric.range_limits import well_inside
from numeric.rounding import Hazards, Rounded, computed, dense_layer, exact, hazards, stored, under, widened
from numeric.scenario import Attend, Cases
from numeric.tensors import in_storage, torch_dtype
from numeric.variants import Variant
from symbolic import formulas

FP64 = Numerics(
    format_named("fp64"), format_named("fp64"), format_named("fp64"), ALL,
    elementwise_flushes=False, bias_rounded_apart=False, patched_bias_rounded_apart=False, device="cpu",
)  # fmt: skip
"""A model of fp64 that asks nothing of the machine but what the probe demands of it: any order of sums, products that flush."""


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
    """ẑ = A(C,x): (cases, d), in the format."""
    a: Tensor
    """â = A(C∖Y,x), from which the update is made: (cases, d), in the format."""
    again: Tensor
    """What the patched pass computed for it: (cases, d); â bit for bit, but in the scenario ``recompute``."""
    moved: Tensor
    """What â + ε moves the first dense layer by: (cases, m) float64; its radius is in the right side's."""
    left: Side
    right: Side
    wrong: Side
    """The right side with (WΔA)zᵀ/‖z‖² in place of ΔW; its radii are the right side's, as the wrong claim would have it."""
    effect: Tensor
    """|WΔA|: (cases, m) float64, what ΔW does to the pre-activation."""
    output_change: Tensor
    """|output with the context - output without it and without ΔW|: (cases, d_out) float64, what the update changes there, as measured."""
    output_effect: Tensor | None
    """|ΔA|: (cases, d) float64, what Δb′ does to the output of a block with a skip connection, where the claim is of that."""
    expected: Tensor
    """Probabilistic: (cases, m) float64, what |left + moved - right| at the first dense layer is expected not to exceed. It judges nothing."""
    well_inside: Tensor
    """(cases,) bool: whether no range limit is met, by a factor of 4, so that to refuse the case would be timid."""
    hazards: Hazards


@dataclass(frozen=True, slots=True)
class Patched:
    """What the patched pass puts into the block, with its radii."""

    weight: Rounded
    """(cases, m, d), or W itself if the patch is factored."""
    factors: tuple[Rounded, Rounded] | None
    """WΔA and a, of a factored patch."""
    last_bias: Rounded | None
    """b′ + Δb′, with a skip connection."""

    @property
    def own_weight(self) -> bool:
        """Whether each case has a weight of its own."""
        return self.factors is None


def in_format(block: ContextualBlock, cases: Cases, probed: Probed) -> Cases:
    """The cases rounded to the mode's activations, on its device."""

    def cast(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.to(probed.device, torch_dtype(probed.mode.activations))

    context, query = cast(cases.context), cast(cases.query)
    assert context is not None
    assert query is not None
    return Cases(context, cast(cases.kept), query)


def measure_sides(block: ContextualBlock, cases: Cases, variant: Variant, probed: Probed, attend: Attend | None = None) -> Sides:
    """Measure and bound one batch.  block and cases: already in the mode's formats; attend: how the update's â is computed, if otherwise."""
    found = hazards(len(cases.query), probed.device)
    W, b, b_prime = _parameters(block, probed.update, found)

    left = forward(block, cases.context, cases.query, probed)
    unpatched = patched_forward(block, cases.kept, cases.query, _parameters_of(block, Patched(W, None, b_prime)), probed)
    reference = unpatched.attended if attend is None else attend(block, cases, probed)
    z, a = (widened(exact(x.unsqueeze(-1), probed.layer, found), probed.update) for x in (left.attended, reference))

    delta = formulas.context_vector(z, a)
    patched = _patch(W, b_prime, delta, a, variant, probed)
    right = patched_forward(block, cases.kept, cases.query, _parameters_of(block, patched), probed, _adapter(patched))
    again = exact(right.attended.unsqueeze(-1), probed.layer, found)
    epsilon = (right.attended.double() - reference.double()).unsqueeze(-1)
    drifting = exact(again.value, probed.layer, found, radius=widen(epsilon.abs(), 2))

    plain = Patched(exact(W.value, probed.layer, found), None, None if b_prime is None else exact(b_prime.value, probed.layer, found))
    b = exact(b.value, probed.layer, found)
    left_side = _side(block, left, exact(left.attended.unsqueeze(-1), probed.layer, found), plain, b, cases.query, probed, patched_pass=False)
    right_side = _side(block, right, drifting, patched, b, cases.query, probed, patched_pass=True)
    moved = torch.zeros_like(left_side.first_layer)
    if bool((epsilon != 0).any()):
        at_again = _first_layer(patched, b, again, right.layers[block.first_layer].unsqueeze(-1), probed, patched_pass=True)
        predicted = _moved(W, z, a, epsilon)
        moved, of_moved, of_right = predicted.value.squeeze(-1), *(x.radius.dense(*predicted.value.shape[-2:]).squeeze(-1) for x in (predicted, at_again))
        right_side = replace(right_side, first_layer_radius=widen(of_moved + of_right, 1))

    # The planted wrong update reads A(C,x) for A(C∖Y,x), a mistake seen in the wild; it is as well scaled as the right one.
    mistaken, adapter = _mistaken(block, W.value, delta.value, z.value, variant, probed)
    if patched.last_bias is not None:
        mistaken[last_bias_name(block)] = _parameters_of(block, patched)[last_bias_name(block)]
    wrong = patched_forward(block, cases.kept, cases.query, mistaken, probed, adapter)
    wrong_side = Side(wrong.layers[block.first_layer].double(), right_side.first_layer_radius, wrong.output.double(), right_side.output_radius)
    change = z.value.double() - a.value.double()
    effect = (W.value.double() @ change).abs().squeeze(-1)
    output_effect = change.abs().squeeze(-1) if block.skip and attend is None else None
    output_change = torch.nan_to_num((left.output.double() - unpatched.output.double()).abs(), nan=0.0)
    expected = expected_difference(block, left, right, reference, variant, probed)
    inside = well_inside(effect, reference.double(), variant, probed)
    return Sides(
        left.attended, reference, right.attended, moved, left_side, right_side, wrong_side, effect, output_change, output_effect, expected, inside, found
    )  # fmt: skip


def _moved(W: Rounded, z: Rounded, a: Rounded, epsilon: Tensor) -> Rounded:
    """(WΔA)(aᵀε)/‖a‖² + Wε in fp64, with its radius; zero where ε is.  epsilon: (cases, d, 1) float64. Returns (cases, m, 1)."""
    found = hazards(len(epsilon), epsilon.device)
    ours, theirs, wide = (exact(x.value.double(), FP64, found) for x in (W, z, a))
    lost = widen(epsilon.abs() * 2.0**-53, 1)  # one subtraction of float64; a difference of subnormal numbers is exact
    moved = formulas.perturbation(ours, formulas.context_vector(theirs, wide), wide, exact(epsilon, FP64, found, radius=lost))
    none = (epsilon == 0).all(-2, keepdim=True)
    # What cannot be told (a denominator that underflowed, an overflow) bounds nothing.
    known = torch.isfinite(moved.value) & ~(found.underflow | found.not_finite).reshape(-1, 1, 1)
    value = torch.where(none | ~known, 0.0, moved.value)
    radius = torch.where(none, 0.0, torch.where(known, moved.radius.dense(*value.shape[-2:]), torch.inf))
    return computed(value, radius, moved)


def _patch(W: Rounded, b_prime: Rounded | None, delta: Rounded, a: Rounded, variant: Variant, probed: Probed) -> Patched:
    """The update, and how it is kept for the patched pass."""
    mode, layer = probed.mode, probed.layer
    last_bias = None
    if b_prime is not None:
        last_bias = stored(formulas.bias_update(b_prime, delta), mode.update, layer)
    if variant.factored:
        return Patched(under(W, layer), (under(W @ delta, probed.adapter), under(a, probed.adapter)), last_bias)
    weight = formulas.patched_weight(W, variant.update(W, delta, a))
    return Patched(stored(weight, mode.weights, layer), None, last_bias)


def _mistaken(
    block: ContextualBlock, W: Tensor, delta: Tensor, z: Tensor, variant: Variant, probed: Probed
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor] | None]:
    """The planted wrong update, as the patched pass takes it; of numbers alone, for its bound is the right one's.  delta, z: (cases, d, 1)."""
    with torch.no_grad(), probed.update.running():
        if variant.factored:
            return {}, (W @ delta, z)
        weight = formulas.patched_weight(W, variant.update(W, delta, z))
    return {weight_name(block): in_storage(weight, probed.mode.weights)}, None


def _adapter(patched: Patched) -> tuple[Tensor, Tensor] | None:
    """A factored patch as the patched pass takes it."""
    return None if patched.factors is None else (patched.factors[0].value, patched.factors[1].value)


def _parameters(block: ContextualBlock, numerics: Numerics, found: Hazards) -> tuple[Rounded, Rounded, Rounded | None]:
    """W, b and, with a skip connection, b′."""
    first = block.first
    bias = torch.zeros_like(first.weight[:, 0]) if first.bias is None else first.bias
    b_prime = block.get_parameter(last_bias_name(block)) if block.skip else None
    return (
        exact(first.weight.detach(), numerics, found),
        exact(bias.detach().unsqueeze(-1), numerics, found),
        None if b_prime is None else exact(b_prime.detach().unsqueeze(-1), numerics, found),
    )


def _parameters_of(block: ContextualBlock, patched: Patched) -> dict[str, Tensor]:
    """The parameters of the patched pass, case by case."""
    cases = len(patched.weight.hazards.overflow)
    weight = patched.weight.value
    # A factored patch leaves the weight alone: one for all cases, as vmap sees it, needs no entry here.
    parameters = {} if weight.dim() == 2 and patched.factors is not None else {weight_name(block): weight.expand(cases, -1, -1)}
    if patched.last_bias is not None:
        parameters[last_bias_name(block)] = patched.last_bias.value.squeeze(-1).expand(cases, -1)
    return parameters


def _side(
    block: ContextualBlock, measured: Pass, attended: Rounded, patched: Patched, b: Rounded, query: Tensor, probed: Probed, *, patched_pass: bool
) -> Side:
    """Carry the radius from the first dense layer to the block's output, by the rule of each module on the way."""
    n = attended.numerics
    output = measured.layers[block.first_layer].unsqueeze(-1)
    value = first = _first_layer(patched, b, attended, output, probed, patched_pass=patched_pass)
    apart = n.patched_bias_rounded_apart if patched_pass else n.bias_rounded_apart
    rest = [(name, module) for name, module in leaves(block.network) if name != block.first_layer]
    for name, module in rest:
        output = measured.layers[name].unsqueeze(-1)
        rule = rule_for(module)
        if rule is not None:
            value = rule(module, value, output)
        elif isinstance(module, nn.Linear):
            own_bias = patched_pass and patched.last_bias is not None and name == rest[-1][0]
            bias = patched.last_bias if own_bias else exact(_bias(module).unsqueeze(-1), n, value.hazards)
            kernel = PATCHED_BIAS if own_bias else PATCHED_PASS if patched_pass else DENSE
            assert bias is not None
            value = dense_layer(exact(module.weight.detach(), n, value.hazards), bias, value, output, kernel, apart=apart)
        else:
            known = ", ".join(kind.__name__ for kind in RULES)
            raise UnusableBlock(
                f'no rounding rule for "{type(module).__name__}" ("{name}" of the network); there are rules for Linear and, along the last axis, {known}.'
            )
    if block.skip:
        x = exact(query.unsqueeze(-1), n, value.hazards)
        value = formulas.skip_connection(x, attended, value)
        assert torch.equal(torch.nan_to_num(value.value.squeeze(-1)), torch.nan_to_num(measured.output)), "the block adds in another order than the formula"
    return Side(
        first.value.squeeze(-1).double(),
        first.radius.dense(first.value.shape[-2], 1).squeeze(-1),
        measured.output.double(),
        value.radius.dense(measured.output.shape[-1], 1).squeeze(-1),
    )


def _first_layer(patched: Patched, b: Rounded, x: Rounded, output: Tensor, probed: Probed, *, patched_pass: bool) -> Rounded:
    """The first dense layer, with its patch."""
    n = x.numerics
    if not patched_pass:
        return dense_layer(patched.weight, b, x, output, DENSE, apart=n.bias_rounded_apart)
    if patched.factors is None:
        return dense_layer(patched.weight, b, x, output, PATCHED_WEIGHT, apart=n.patched_bias_rounded_apart)
    v, a = patched.factors
    added = formulas.factored_update(v, a, under(widened(x, probed.update), v.numerics))
    # What the layer computed before the patch was added to it was overwritten; it is computed again, by the same kernel.
    kernel = kernels()[PATCHED_PASS]
    with torch.no_grad(), n.running():
        plain = kernel.run(patched.weight.value.unsqueeze(0), x.value, b.value.squeeze(-1))
    value = dense_layer(patched.weight, b, x, plain, PATCHED_PASS, apart=n.patched_bias_rounded_apart)
    result = stored(widened(value, probed.update) + added, n.storage, n)
    assert torch.equal(torch.nan_to_num(result.value), torch.nan_to_num(output)), "the layer adds its patch in another way than the formula"
    return result


def _bias(module: nn.Linear) -> Tensor:
    return torch.zeros_like(module.weight[:, 0]) if module.bias is None else module.bias.detach()
