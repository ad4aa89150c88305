"""A post-norm's scale takes what the stream lacks: the claim ``norm-scale`` on trained weights, in fp64.

    T(C, x) = v + m ⊙ N̂(M(N(v))),    v′ + (m + Δm) ⊙ N̂(M_{W+ΔW}(N(v′))) = T(C, x),    Δm = (v - v′) ⊘ ĥ,    ĥ = N̂(M(N(v)))

N̂ is RMSNorm without its scale m, put behind the network of a trained Pre-LN block with an m drawn at random; ΔW by Eq. (1). An entry of ĥ
near zero is no obstacle over the reals, and in floating point takes an m as large as it is small.

Measured, and no bound: what counts as the same is that of ``patched_stack.py``.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.experiments.patched_stack import PROMPTS, patched_first_weight, relative_difference, run_patched
from numeric.training import TrainedBlock
from symbolic import formulas

SCALE = "network.post.weight"


@dataclass(frozen=True, slots=True)
class PostNorm:
    """The patched block without its prompt, beside the block with it."""

    apart: float
    """The largest ‖T′ - T‖∞ / ‖T‖∞ of the prompts."""
    smallest: float
    """The smallest |ĥ_j| of all."""
    planted: dict[str, float]
    """What was planted, and the least of that ratio."""


def post_norm(trained: TrainedBlock) -> PostNorm:
    """Patch ΔW and Δm.  trained: a Pre-LN block whose network is dense, GELU, dense."""
    block, context, query = _prepared(trained)
    with torch.no_grad():
        v, rest = block.contextual(context, query), block.contextual(None, query)
        goal, normalised = block(context, query), _normalised(block, v)
        delta = formulas.context_vector(v, rest)

        def last(scale: Tensor, *, first: bool = True) -> Tensor:
            weights = {"network.0.weight": patched_first_weight(block, v, rest)} if first else {}
            return relative_difference(run_patched(block, None, query, {**weights, SCALE: scale}), goal)

        m = block.get_parameter(SCALE)
        right = m + formulas.scale_update(delta, normalised)
        planted = {
            "Δm left out": m.expand_as(right),
            "ĥ with its scale": m + formulas.scale_update(delta, m * normalised),
            "ĥ of the block without its prompt": m + formulas.scale_update(delta, _normalised(block, rest)),
        }
        ratios = {words: float(last(scale).min()) for words, scale in planted.items()}
        ratios["ΔW left out"] = float(last(right, first=False).min())
        return PostNorm(float(last(right).max()), float(normalised.abs().min()), ratios)


def _normalised(block: ContextualBlock, v: Tensor) -> Tensor:
    """ĥ of a stream: what the last norm makes of the network's output before it scales it."""
    assert block.norm is not None
    *inner, post = block.network.children()
    assert isinstance(post, nn.RMSNorm)
    hidden = block.norm(v)
    for module in inner:
        hidden = module(hidden)
    return nn.functional.rms_norm(hidden, post.normalized_shape, None, post.eps)


def _prepared(trained: TrainedBlock) -> tuple[ContextualBlock, Tensor, Tensor]:
    """The block with its post-norm in fp64, and embedded prompts."""
    generator = trained.generator(8)  # a stream of its own: any number would do
    before, prompts = trained.in_fp64(PROMPTS, generator)
    post = nn.RMSNorm(before.input_width, dtype=torch.float64)
    with torch.no_grad():
        post.weight.copy_(0.5 + torch.rand(before.input_width, generator=generator, dtype=torch.float64))
        network = nn.Sequential(OrderedDict([*before.network.named_children(), ("post", post)]))
        block = ContextualBlock(before.contextual, network, before.first_layers, input_width=before.input_width, norm=before.norm)
        return block.requires_grad_(False), prompts.context, prompts.query
