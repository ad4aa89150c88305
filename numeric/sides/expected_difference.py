"""The expected difference of both sides of a claim at the first dense layer, entry by entry.

The formulas of the update run in the value-and-variance arithmetic (``value_and_variance.py``), on the vectors that the machine
computed. What both sides have in common, such as one rounding of b to the operands' format, cancels before it is squared.
"""

import torch
from torch import Tensor, nn

from numeric.arithmetics.sensitivities import SourceTerm, deviation, gathered
from numeric.arithmetics.uniform_errors import deviations_allowed
from numeric.arithmetics.value_and_variance import Given, WithVariance, cast_up, dense_layer, exactly, in_arithmetic, stored
from numeric.machine import ProbedMode
from numeric.machine.kernels import BARE, DENSE, PATCHED_WEIGHT, kernels
from numeric.sides.passes import Pass
from numeric.sides.setting import Setting
from symbolic import formulas


def expected_difference(setting: Setting, left: Pass, right: Pass, a: Tensor) -> Tensor:
    """|κ| + λσ of left + moved - right: exceeded in one of a case's entries with at most ``FAILURE_PROBABILITY``, in the model.

    a: (cases, d), â as the update was made from; the patched pass may have computed another. Returns (cases, m) float64.
    """
    layers = [_at(name, setting, left, right, a) for name in setting.block.first_layers]
    sigma = torch.cat([deviation(terms).squeeze(-1) for terms, _ in layers], dim=-1)
    bound = sigma * deviations_allowed(sigma.shape[-1])
    known = [part for _, part in layers if part is not None]
    assert len(known) in (0, len(layers))
    if known:
        bound = bound + torch.cat(known, dim=-2).squeeze(-1).abs()
    return torch.nan_to_num(bound, nan=torch.inf, posinf=torch.inf)


def _at(name: str, setting: Setting, left: Pass, right: Pass, a: Tensor) -> tuple[tuple[SourceTerm, ...], Tensor | None]:
    """The errors of left - right at one first layer, source by source, and the part that is no matter of chance: (cases, m, 1)."""
    variant, probed, given = setting.variant, setting.probed, Given()
    first, layer = setting.block.network.get_submodule(name), probed.layer
    assert isinstance(first, nn.Linear)
    weight, bare = first.weight.detach(), first.bias is None
    W = exactly(weight, layer, given)
    b = None if first.bias is None else exactly(first.bias.detach().unsqueeze(-1), layer, given)
    z, kept = (exactly(x.unsqueeze(-1), layer, given) for x in (left.attended, a))
    ours = dense_layer(W, b, z, left.layers[name].unsqueeze(-1), BARE[DENSE] if bare else DENSE, apart=layer.rounds_before_bias)

    # What an â that came out otherwise moves is predicted, and taken away: it is no error of either side.
    again = kept if torch.equal(right.attended, a) else exactly(right.attended.unsqueeze(-1), layer, given)
    z, kept, wide = cast_up(z, probed.update), cast_up(kept, probed.update), in_arithmetic(W, probed.update)
    delta = formulas.context_vector(z, kept)
    if variant.factored:
        theirs = _with_factors(W, b, wide @ delta, kept, again, probed)
    else:
        patched = stored(formulas.patched_weight(wide, variant.update(wide, delta, kept)), probed.mode.weights, layer)
        kernel = BARE[PATCHED_WEIGHT] if bare else PATCHED_WEIGHT
        theirs = dense_layer(patched, b, again, right.layers[name].unsqueeze(-1), kernel, apart=layer.patched_rounds_before_bias)
    minus = torch.full((1, 1, 1), -1.0, dtype=torch.float64, device=weight.device)
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
