"""Both sides of a claim on one batch of cases: measured by the module, bounded by the arithmetic.

Let ẑ = A(C,x) and â = A(C∖Y,x) be as computed. They are taken as exact inputs: a claim holds for any two vectors, so
rounding inside the contextual layer cancels out of it. With exact W and b both sides of Theorem 2.2 (of Theorem A.2)
equal one real vector, so

    |left - right| ≤ |left - exact| + |right - exact| ≤ radius_left + radius_right,

at the output of the first dense layer and, carried on through the network, at the block's output. The patched pass
computes â again; it starts from the same bits by the same kernels, and where it nevertheless comes out different the
difference is the radius of its input (claim ``perturbed-query``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from numeric.contextual_block import ContextualBlock, UnusableBlock
from numeric.envelope import widen
from numeric.numerics import Numerics
from numeric.passes import Pass, forward, last_bias_name, leaves, patched_forward, weight_name
from numeric.probe import torch_dtype
from numeric.rounding import Hazards, Rounded, computed, dense_layer, exact, hazards
from numeric.scenario import Cases
from symbolic import formulas

Update = Callable[[Any, Any, Any], Any]


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
    """â = A(C∖Y,x): (cases, d), in the format."""
    left: Side
    right: Side
    wrong: Side
    """The right side with (WΔA)zᵀ/‖z‖² in place of ΔW; its radii are the right side's, as the wrong claim would have it."""
    effect: Tensor
    """|WΔA|: (cases, m) float64, what ΔW does to the pre-activation."""
    output_change: Tensor
    """|output with the context - output without it and without ΔW|: (cases, d_out) float64, what the update changes there, as measured."""
    output_effect: Tensor | None
    """|ΔA|: (cases, d) float64, what Δb′ does to the output of a block with a skip connection."""
    hazards: Hazards


def in_format(block: ContextualBlock, cases: Cases, numerics: Numerics) -> Cases:
    """The cases rounded to the format, on its device."""

    def cast(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.to(numerics.device, torch_dtype(numerics.storage))

    context, query = cast(cases.context), cast(cases.query)
    assert context is not None
    assert query is not None
    return Cases(context, cast(cases.kept), query)


def measure_sides(block: ContextualBlock, cases: Cases, update: Update, numerics: Numerics) -> Sides:
    """Measure and bound one batch.  block and cases: already in the format."""
    found = hazards(len(cases.query), numerics.device)
    W, b, b_prime = _parameters(block, numerics, found)

    left = forward(block, cases.context, cases.query)
    unpatched = patched_forward(block, cases.kept, cases.query, _patch(block, W.value.expand(len(cases.query), -1, -1), b_prime))
    z = exact(left.attended.unsqueeze(-1), numerics, found)
    a = exact(unpatched.attended.unsqueeze(-1), numerics, found)

    delta = formulas.context_vector(z, a)
    weight = formulas.patched_weight(W, update(W, delta, a))
    last_bias = None if b_prime is None else formulas.bias_update(b_prime, delta)
    right = patched_forward(block, cases.kept, cases.query, _patch(block, weight.value, last_bias))
    drift = widen((right.attended.double() - unpatched.attended.double()).abs(), 2).unsqueeze(-1)
    again = exact(right.attended.unsqueeze(-1), numerics, found, radius=drift)

    left_side = _side(block, left, z, W, b, b_prime, cases.query, apart=numerics.bias_rounded_apart)
    right_side = _side(block, right, again, weight, b, last_bias, cases.query, apart=numerics.patched_bias_rounded_apart)

    # The planted wrong update reads A(C,x) for A(C∖Y,x), a mistake seen in the wild; it is as well scaled as the right one.
    mistaken = formulas.patched_weight(W.value, update(W.value, delta.value, z.value))
    wrong = patched_forward(block, cases.kept, cases.query, _patch(block, mistaken, last_bias))
    wrong_side = Side(wrong.layers[block.first_layer].double(), right_side.first_layer_radius, wrong.output.double(), right_side.output_radius)
    moved = z.value.double() - a.value.double()
    effect = (W.value.double() @ moved).abs().squeeze(-1)
    output_effect = moved.abs().squeeze(-1) if block.skip else None
    output_change = torch.nan_to_num((left.output.double() - unpatched.output.double()).abs(), nan=0.0)
    return Sides(left.attended, unpatched.attended, left_side, right_side, wrong_side, effect, output_change, output_effect, found)


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


def _patch(block: ContextualBlock, weight: Tensor, last_bias: Rounded | None) -> dict[str, Tensor]:
    """The parameters of the patched pass, case by case."""
    patch = {weight_name(block): weight}
    if last_bias is not None:
        patch[last_bias_name(block)] = last_bias.value.squeeze(-1).expand(len(weight), -1)
    return patch


def _side(
    block: ContextualBlock, measured: Pass, attended: Rounded, weight: Rounded, b: Rounded, last_bias: Rounded | None, query: Tensor, *, apart: bool
) -> Side:
    """Carry the radius from the first dense layer to the block's output, by the rule of each module on the way."""
    first = dense_layer(weight, b, attended, measured.layers[block.first_layer].unsqueeze(-1), apart=apart)
    value = first
    rest = [(name, module) for name, module in leaves(block.network) if name != block.first_layer]
    for name, module in rest:
        output = measured.layers[name].unsqueeze(-1)
        if isinstance(module, nn.ReLU):
            # max(0, ·) rounds nothing and is 1-Lipschitz in each entry.
            value = computed(output, value.radius.dense(output.shape[-2], 1), value)
        elif isinstance(module, nn.Linear):
            bias = last_bias if last_bias is not None and name == rest[-1][0] else exact(_bias(module).unsqueeze(-1), value.numerics, value.hazards)
            value = dense_layer(exact(module.weight.detach(), value.numerics, value.hazards), bias, value, output, apart=apart)
        else:
            raise UnusableBlock(f'no rounding rule for "{type(module).__name__}" ("{name}" of the network); there are rules for Linear and ReLU.')
    if block.skip:
        x = exact(query.unsqueeze(-1), value.numerics, value.hazards)
        value = formulas.skip_connection(x, attended, value)
        assert torch.equal(torch.nan_to_num(value.value.squeeze(-1)), torch.nan_to_num(measured.output)), "the block adds in another order than the formula"
    return Side(
        first.value.squeeze(-1).double(),
        first.radius.dense(first.value.shape[-2], 1).squeeze(-1),
        measured.output.double(),
        value.radius.dense(measured.output.shape[-1], 1).squeeze(-1),
    )


def _bias(module: nn.Linear) -> Tensor:
    return torch.zeros_like(module.weight[:, 0]) if module.bias is None else module.bias.detach()
