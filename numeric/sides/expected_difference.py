"""The expected difference of both sides of a claim at the first dense layer, entry by entry.

The formulas of the update run in the value-and-variance arithmetic (``value_and_variance.py``), on the vectors that the machine
computed. What both sides have in common, such as one rounding of b to the operands' format, cancels before it is squared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.arithmetics.sensitivities import SourceTerm, deviation, gathered
from numeric.arithmetics.uniform_errors import deviations_allowed
from numeric.arithmetics.value_and_variance import Given, WithVariance, cast_up, dense_layer, exactly, in_arithmetic, stored
from numeric.machine import ProbedMode
from numeric.machine.kernels import BARE, DENSE, PATCHED_WEIGHT, kernels
from numeric.sides.passes import Pass
from numeric.sides.setting import Setting
from numeric.sides.variant import Variant
from symbolic import formulas


@dataclass(frozen=True, slots=True)
class RunFirstLayer:
    """A first dense layer, as it is and as both passes ran it."""

    weight: Tensor
    """(m, d)."""
    bias: Tensor | None
    """(m,), if there is one."""
    left: Tensor
    """(cases, m), what it made of ẑ."""
    right: Tensor
    """(cases, m), what it made of â with the patched weight."""


@dataclass(frozen=True, slots=True)
class ReadVectors:
    """What first layers read: (cases, d) each, as the machine computed them."""

    z: Tensor
    a: Tensor
    """From which the update was made."""
    again: Tensor
    """What the patched pass computed for it."""


def expected_difference(setting: Setting, left: Pass, right: Pass, a: Tensor) -> Tensor:
    """|κ| + λσ of left + moved - right: exceeded in one of a case's entries with at most ``FAILURE_PROBABILITY``, in the model.

    a: (cases, d), â as the update was made from; the patched pass may have computed another. Returns (cases, m) float64.
    """
    layers = []
    for name in setting.block.first_layers:
        first = setting.block.network.get_submodule(name)
        assert isinstance(first, nn.Linear)
        layers.append(RunFirstLayer(first.weight.detach(), None if first.bias is None else first.bias.detach(), left.layers[name], right.layers[name]))
    return expected_of(layers, ReadVectors(left.attended, a, right.attended), setting.variant, setting.probed)


def expected_of(layers: Sequence[RunFirstLayer], read: ReadVectors, variant: Variant, probed: ProbedMode) -> Tensor:
    """The same of first layers side by side: (cases, m) float64, m of all of them."""
    found = [_at(layer, read, variant, probed) for layer in layers]
    sigma = torch.cat([deviation(terms).squeeze(-1) for terms, _ in found], dim=-1)
    bound = sigma * deviations_allowed(sigma.shape[-1])
    known = [part for _, part in found if part is not None]
    assert len(known) in (0, len(found))
    if known:
        bound = bound + torch.cat(known, dim=-2).squeeze(-1).abs()
    return torch.nan_to_num(bound, nan=torch.inf, posinf=torch.inf)


def _at(layer: RunFirstLayer, read: ReadVectors, variant: Variant, probed: ProbedMode) -> tuple[tuple[SourceTerm, ...], Tensor | None]:
    """The errors of left - right at one first layer, source by source, and the part that is no matter of chance: (cases, m, 1)."""
    n, given, bare = probed.layer, Given(), layer.bias is None
    W = exactly(layer.weight, n, given)
    b = None if layer.bias is None else exactly(layer.bias.unsqueeze(-1), n, given)
    z, kept = (exactly(x.unsqueeze(-1), n, given) for x in (read.z, read.a))
    ours = dense_layer(W, b, z, layer.left.unsqueeze(-1), BARE[DENSE] if bare else DENSE, apart=n.rounds_before_bias)

    # What an â that came out otherwise moves is predicted, and taken away: it is no error of either side.
    again = kept if torch.equal(read.again, read.a) else exactly(read.again.unsqueeze(-1), n, given)
    z, kept, wide = cast_up(z, probed.update), cast_up(kept, probed.update), in_arithmetic(W, probed.update)
    delta = formulas.context_vector(z, kept)
    if variant.factored:
        theirs = _with_factors(W, b, wide @ delta, kept, again, probed)
    else:
        patched = stored(formulas.patched_weight(wide, variant.update(wide, delta, kept)), probed.mode.weights, n)
        kernel = BARE[PATCHED_WEIGHT] if bare else PATCHED_WEIGHT
        theirs = dense_layer(patched, b, again, layer.right.unsqueeze(-1), kernel, apart=n.patched_rounds_before_bias)
    minus = torch.full((1, 1, 1), -1.0, dtype=torch.float64, device=layer.weight.device)
    terms = gathered((*ours.terms, *(SourceTerm(term.source, term.follows.scaled(minus)) for term in theirs.terms)))
    return terms, (None if theirs.known is None else -theirs.known)


def _with_factors(W: WithVariance, b: WithVariance | None, v: WithVariance, a: WithVariance, x: WithVariance, probed: ProbedMode) -> WithVariance:
    """The first dense layer with a factored patch."""
    n = probed.layer
    added = formulas.factored_update(*(in_arithmetic(each, probed.adapter) for each in (v, a, cast_up(x, probed.update))))
    kernel = BARE[DENSE] if b is None else DENSE
    with torch.no_grad(), n.running():
        plain = kernels()[kernel].run(W.held.unsqueeze(0), x.held, None if b is None else b.held.squeeze(-1))
    value = dense_layer(W, b, x, plain, kernel, apart=n.rounds_before_bias)
    return stored(cast_up(value, probed.update) + added, n.storage, n)
