"""One side of a claim: what a forward pass computed, and the radius in which the exact value lies, carried from module to module."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.architecture import UnusableBlock
from numeric.architecture.wiring import INPUT
from numeric.arithmetics import WithRadius, exact
from numeric.arithmetics.value_and_radius import cast_up, dense_layer, in_arithmetic, stored
from numeric.machine.kernels import BARE, DENSE, PATCHED_BIAS, PATCHED_WEIGHT, kernels
from numeric.rules import rule_for, why_no_rule
from numeric.sides.passes import Pass, Patch
from numeric.sides.setting import Setting
from symbolic import formulas


@dataclass(frozen=True, slots=True)
class Site:
    """A place at which both sides are compared: (cases, entries) float64 each."""

    value: Tensor
    """As measured."""
    radius: Tensor
    """What the exact value can differ by from it."""


@dataclass(frozen=True, slots=True)
class MeasuredSide:
    """One side of a claim, at the first dense layer, (cases, m), and at the block's output, (cases, d_out)."""

    first_layer: Site
    output: Site


def carried_on(
    setting: Setting, measured: Pass, attended: WithRadius, patched: Patch[WithRadius] | None = None, drift: Tensor | None = None
) -> tuple[MeasuredSide, dict[str, WithRadius]]:
    """Carry the radius from the first dense layer to the block's output, by the rule of each module on the way; and what each module returned.

    patched: of a patched pass; drift: (cases, d), how far what it carries past the network is from what its patch was made of.
    """
    block = setting.block
    values = {INPUT: attended}
    for call in setting.calls:
        inputs, output = [values[name] for name in call.reads], measured.layers[call.name].unsqueeze(-1)
        module = block.network.get_submodule(call.name)
        rule = rule_for(module)
        if rule is not None:
            values[call.name] = rule(module, *inputs, output)
        elif isinstance(module, nn.Linear):
            values[call.name] = dense(setting, call.name, inputs[0], output, patched)
        else:
            raise UnusableBlock(why_no_rule(call.name, module))
    value = _with_the_stream(setting, measured, values, drift) if block.has_stream else values[setting.calls[-1].name]
    radii = torch.cat([values[name].entry_radius for name in block.first_layers], dim=-2)
    first_layer = Site(measured.first(block).double(), radii.squeeze(-1))
    return MeasuredSide(first_layer, Site(measured.output.double(), value.entry_radius.squeeze(-1))), values


def _with_the_stream(setting: Setting, measured: Pass, values: dict[str, WithRadius], drift: Tensor | None) -> WithRadius:
    """The block's output, from the network's."""
    attended, value = values[INPUT], values[setting.calls[-1].name]
    n, hazards = attended.numerics, attended.hazards
    # Of Definition A.1 the network's input and what is carried are one tensor; the query is exact on both sides.
    stream = exact(measured.carried.unsqueeze(-1), n, hazards, radius=None if drift is None else drift.unsqueeze(-1))
    if setting.block.skip:
        output = formulas.skip_connection(exact(setting.cases.query.unsqueeze(-1), n, hazards), stream, value)
    else:
        output = formulas.residual_connection(stream, value)
    assert torch.equal(torch.nan_to_num(output.value.squeeze(-1)), torch.nan_to_num(measured.output)), "the block adds in another order than the formula"
    return output


def dense(setting: Setting, name: str, x: WithRadius, output: Tensor, patched: Patch[WithRadius] | None) -> WithRadius:
    """A dense layer at x, with its patch if it has one.  output: what it computed, a column for each case; patched: of a patched pass."""
    n, probed = x.numerics, setting.probed
    module = setting.block.network.get_submodule(name)
    assert isinstance(module, nn.Linear)
    parameters, factors = ({}, {}) if patched is None else (patched.parameters, patched.factors)
    own_weight, own_bias = (parameters.get(f"network.{name}.{kind}") for kind in ("weight", "bias"))
    W = exact(module.weight.detach(), n, x.hazards) if own_weight is None else own_weight
    b = own_bias if own_bias is not None else None if module.bias is None else exact(module.bias.detach().unsqueeze(-1), n, x.hazards)
    kernel = PATCHED_WEIGHT if own_weight is not None else PATCHED_BIAS if own_bias is not None else DENSE
    if b is None:
        kernel = BARE[kernel]
    if name not in factors:
        return dense_layer(W, b, x, output, kernel)
    v, a = factors[name]
    added = formulas.factored_update(v, a, in_arithmetic(cast_up(x, probed.update), v.numerics))
    # What the layer computed before the patch was added to it was overwritten; it is computed again, by the same kernel.
    with torch.no_grad(), n.running():
        plain = kernels()[kernel].run(W.value.unsqueeze(0), x.value, None if b is None else b.value.squeeze(-1))
    value = dense_layer(W, b, x, plain, kernel)
    result = stored(cast_up(value, probed.update) + added, n.storage, n)
    assert torch.equal(torch.nan_to_num(result.value), torch.nan_to_num(output)), "the layer adds its patch in another way than the formula"
    return result
