"""What a block that carries its stream v past the network needs beside ΔW, so that its output moves by δ = v - v′ too.

    a last layer with a bias      b′ takes Δb′ = δ                                    claims ``theorem-a.2``, ``pre-ln``
    a last layer without one      W_o takes δhᵀ/‖h‖², h what it multiplies             claims ``bias-free-output``, ``parallel``
    a weighted sum of experts     each W_o takes (δ/Σγ)hᵀ/‖h‖²                         claim ``mixture-of-experts``

h is taken from the pass with the context, where it was computed; over the reals the patched pass finds the same.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock, output_parameters
from numeric.architecture.form import OutputLayers, network_parameter
from numeric.architecture.wiring import INPUT, Call
from numeric.arithmetics import WithRadius, exact
from numeric.arithmetics.value_and_radius import cast_up, stored
from numeric.formats import in_storage
from numeric.machine import ProbedMode
from symbolic import formulas


def output_patch(
    block: ContextualBlock, layers: OutputLayers, change: WithRadius, values: Mapping[str, WithRadius], probed: ProbedMode
) -> dict[str, WithRadius]:
    """The parameters of the patched pass that take δ, by name in the block.

    change: δ (cases, d_out, 1); values: what each module returned in the pass with the context, by name.
    """
    update, layer, found = probed.update, probed.layer, change.hazards
    if layers.bias is not None:
        b_prime = exact(network_parameter(block, layers.bias, "bias").unsqueeze(-1), update, found)
        return {f"network.{layers.bias}.bias": stored(formulas.bias_update(b_prime, change), probed.mode.update, layer)}
    gates = None if layers.gates is None else cast_up(values[layers.gates], update)
    target = change if gates is None else formulas.expert_target(change, _total(gates))
    patch = {}
    for place, call in enumerate(layers.matrices):
        matrix = exact(network_parameter(block, call.name, "weight"), update, found)
        h = cast_up(values[call.reads[0]], update)
        moved = target
        if gates is not None:
            # An expert that is not chosen is not patched: its target is 0, and what its h is does not matter.
            chosen = gates.value[:, place : place + 1] != 0
            moved, h = _where(chosen, target, 0.0), _where(chosen, h, 1.0)
        patched = formulas.patched_weight(matrix, formulas.output_update(moved, h))
        patch[f"network.{call.name}.weight"] = stored(patched, probed.mode.weights, layer)
    return patch


def wrong_output_patch(
    block: ContextualBlock, calls: tuple[Call, ...], layers: OutputLayers, change: Tensor, values: Mapping[str, Tensor], probed: ProbedMode
) -> dict[str, Tensor]:
    """The planted wrong one, of a block whose first layer takes nothing: h as it came into its activation, and not as it left it; of numbers alone.

    change: (cases, d_out, 1); values: (cases, width), by module. Where a bias takes δ, or there is no activation, it is left out.
    """
    wrong = {name: x.expand(len(change), *x.shape) for name, x in output_parameters(block, layers).items()}
    made_from = {call.name: call.reads[0] for call in calls}
    with torch.no_grad(), probed.update.running():
        for call in layers.matrices:
            name = made_from[call.reads[0]]
            while name != INPUT and torch.equal(values[name], values[call.reads[0]]):  # behind what hands on what it was given
                name = made_from[name]
            if name == INPUT or values[name].shape != values[call.reads[0]].shape:
                continue
            h = values[name].to(change.dtype).unsqueeze(-1)
            matrix = network_parameter(block, call.name, "weight").to(change.dtype)
            patched = formulas.patched_weight(matrix, formulas.output_update(change, h))
            wrong[f"network.{call.name}.weight"] = in_storage(patched, probed.mode.weights)
    return wrong


def _where(chosen: Tensor, x: WithRadius, other: float) -> WithRadius:
    """x in the chosen cases, a number without an error in the others.  chosen: (cases, 1, 1); x: a column."""
    radius = torch.where(chosen, x.entry_radius, 0.0)
    return exact(torch.where(chosen, x.value, other), x.numerics, x.hazards, radius=radius)


def _total(gates: WithRadius) -> WithRadius:
    """Σγ.  gates: (cases, E, 1). Returns (cases, 1, 1)."""
    ones = exact(torch.ones_like(gates.value), gates.numerics, gates.hazards)
    return ones.mT @ gates
