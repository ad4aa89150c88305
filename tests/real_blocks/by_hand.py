"""What is patched in each block, by hand: z, the stream and the absorber, read off the layer's code, and the patch that follows.

Nothing is analysed here. Two plain passes, with C and with C∖Y, are watched through forward hooks; the patched pass is the module's own code on
other weights, by ``functional_call``. So this is an independent way to what an analysis of the module has to find by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.utils._pytree import tree_map_only

from tests.real_blocks.real_block import RealBlock


@dataclass(frozen=True, slots=True)
class Seen:
    """One pass of a single case: what went into each submodule and what came out."""

    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def into(self, name: str) -> Tensor:
        """The submodule's first argument, at the query."""
        return at_query(self.inputs[name][0])

    def out_of(self, name: str) -> Tensor:
        made = self.outputs[name]
        return at_query(made[0] if isinstance(made, tuple) else made)


def at_query(values: Tensor) -> Tensor:
    """The last row: a single case's tokens are rows in both layouts."""
    return values.reshape(-1, values.shape[-1])[-1]


def seen(block: RealBlock, module: nn.Module, *case: Any) -> Seen:
    """A pass, watched; values are copied, since some layers add to them in place."""
    kept = Seen()

    def keep(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, named: Any, made: Any) -> None:
            kept.inputs[name] = tree_map_only(Tensor, Tensor.clone, (*args, *named.values()))
            kept.outputs[name] = tree_map_only(Tensor, Tensor.clone, made)

        return hook

    handles = [each.register_forward_hook(keep(name), with_kwargs=True) for name, each in module.named_modules()]
    try:
        block.call(module, *case)
    finally:
        for handle in handles:
            handle.remove()
    return kept


Weights = dict[str, Tensor]
Value = Callable[[Seen, Weights], Tensor]
Absorb = Callable[[Tensor, Seen, Weights], Weights]
"""δ, the pass with the context and the weights: the absorber with its change."""


def into(name: str) -> Value:
    return lambda pass_, _: pass_.into(name)


def out_of(name: str) -> Value:
    return lambda pass_, _: pass_.out_of(name)


def bias(name: str, scale: Callable[[Weights], Tensor | float] = lambda _: 1.0) -> Absorb:
    """scale ⊙ (W₂ h + b): Δb = δ ⊘ scale."""
    return lambda delta, _, weights: {name: weights[name] + delta / scale(weights)}


def matrix(layer: str) -> Absorb:
    """W₂ h: ΔW₂ = δ hᵀ / ‖h‖²; with W + ΔW in place the patched pass has the same h as the pass with the context."""

    def absorb(delta: Tensor, with_context: Seen, weights: Weights) -> Weights:
        h = with_context.into(layer)
        return {f"{layer}.weight": weights[f"{layer}.weight"] + torch.outer(delta, h) / (h @ h)}

    return absorb


def scale(norm: str, parameter: str = "weight", offset: float = 0.0) -> Absorb:
    """(offset + w) ⊙ n: Δw = δ ⊘ n, n what the norm makes without its scale."""

    def absorb(delta: Tensor, with_context: Seen, weights: Weights) -> Weights:
        w = weights[f"{norm}.{parameter}"]
        return {f"{norm}.{parameter}": w + delta / (with_context.out_of(norm) / (offset + w))}

    return absorb


def chosen(pass_: Seen) -> tuple[list[int], Tensor]:
    """The experts that the query goes to, and their gates."""
    _, experts, gates = pass_.inputs["layer.mlp.experts"]
    return experts[-1].tolist(), gates[-1]


def expert_matrices(delta: Tensor, with_context: Seen, weights: Weights) -> Weights:
    """Σ g_e W_e h_e: ΔW_e = g_e δ h_eᵀ / Σ g_e²‖h_e‖²."""
    z, (experts, gates) = with_context.into("layer.mlp"), chosen(with_context)
    halves = [(weights["layer.mlp.experts.gate_up_proj"][e] @ z).chunk(2) for e in experts]
    hidden = [F.silu(gate) * up for gate, up in halves]
    total = sum(g * g * (h @ h) for g, h in zip(gates, hidden, strict=True))
    down = weights["layer.mlp.experts.down_proj"].clone()
    for e, g, h in zip(experts, gates, hidden, strict=True):
        down[e] += g * torch.outer(delta, h) / total
    return {"layer.mlp.experts.down_proj": down}


def expert_biases(delta: Tensor, with_context: Seen, weights: Weights) -> Weights:
    """Σ g_e (W_e h_e + b_e): Δb_e = g_e δ / Σ g_e²."""
    experts, gates = chosen(with_context)
    biases = weights["layer.mlp.experts.down_proj_bias"].clone()
    for e, g in zip(experts, gates, strict=True):
        biases[e] += g * delta / (gates @ gates)
    return {"layer.mlp.experts.down_proj_bias": biases}


def shared_expert(delta: Tensor, with_context: Seen, weights: Weights) -> Weights:
    """σ(w·z) W_s h_s: ΔW_s = δ h_sᵀ / (σ(w·z) ‖h_s‖²)."""
    down, gate = "layer.mlp.shared_expert.down_proj", with_context.out_of("layer.mlp.shared_expert_gate").sigmoid()
    return matrix(down)(delta / gate, with_context, weights)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """z is what goes into ``reads``; the output is a function of stream + network alone."""

    reads: str
    stream: Value | None = None
    absorb: Absorb | None = None
    transposed: frozenset[str] = frozenset()
    """Parameters that are stored as (…, d, m), for a product from the left."""


def heads_of_torch(block: RealBlock, module: nn.Module, *case: Any) -> Tensor:
    """What PyTorch's attention hands to its output matrix inside one function: z in u + W z + b, with 1 for W and 0 for b, which goes into a norm."""
    attention, sum_goes_into, stream = {
        "encoder, norms first": ("self_attn", "norm2", None),
        "encoder, norms last": ("self_attn", "norm1", None),
        "decoder with a memory": ("multihead_attn", "norm2", "norm1"),
    }[block.name.removesuffix(", sequence first")]
    query = case[1][0]
    plain = {f"{attention}.out_proj.weight": torch.eye(len(query), dtype=query.dtype), f"{attention}.out_proj.bias": torch.zeros_like(query)}
    pass_ = seen(replace(block, call=lambda _, *given: with_parameters(block, module, plain, *given)), module, *case)
    return pass_.into(sum_goes_into) - (query if stream is None else pass_.out_of(stream))


def rank_one(w: Tensor, z: Tensor, a: Tensor, divisor: Tensor) -> Tensor:
    """W + (W (z − a)) divisorᵀ / ‖divisor‖²; Eq. (1) where the divisor is a. For a stack of matrices, each."""
    return w + (w @ (z - a))[..., None] * divisor / (divisor @ divisor)


def first_matrices(block: RealBlock, anatomy: Anatomy, weights: Weights, operands: tuple[Tensor, Tensor], *, wrong: bool = False) -> Weights:
    """W + ΔW for every parameter that is W, from z and a, with a = A(C∖Y, x) in the divisor, or wrongly z = A(C, x)."""
    (z, a), made = operands, {}
    for name in block.first:
        stored = weights[name]
        w = stored.mT if name in anatomy.transposed else stored
        rows = block.rows if block.rows is not None else range(w.shape[-2])
        w = w.clone()
        w[..., rows.start : rows.stop, :] = rank_one(w[..., rows.start : rows.stop, :], z, a, z if wrong else a)
        made[name] = w.mT if name in anatomy.transposed else w
    return made


def absorbed(anatomy: Anatomy, weights: Weights, passes: tuple[Seen, Seen]) -> Weights:
    """The absorber, changed by what the stream lacks without Y; empty where the stream does not read the context."""
    if anatomy.stream is None or anatomy.absorb is None:
        return {}
    with_context, without = passes
    return anatomy.absorb(anatomy.stream(with_context, weights) - anatomy.stream(without, weights), with_context, weights)


class Called(nn.Module):
    """The block's call as a module, so that torch can put other parameters in for one call."""

    def __init__(self, block: RealBlock, module: nn.Module) -> None:
        super().__init__()
        self.block, self.module = block, module

    def forward(self, *case: Any) -> Tensor:
        return self.block.call(self.module, *case)


def with_parameters(block: RealBlock, module: nn.Module, changed: Weights, *case: Any) -> Tensor:
    """The block's output with those parameters in place of its own, and no hook."""
    return functional_call(Called(block, module), {f"module.{name}": value for name, value in changed.items()}, case)
