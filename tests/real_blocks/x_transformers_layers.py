"""Four configurations of x-transformers: one block each of its attention and feed-forward layers, by options that change what stands around them."""

from typing import Any

from torch import Tensor, nn

from tests.real_blocks.libraries import library
from tests.real_blocks.real_block import HEADS, D, RealBlock, closed, last_token, tokens, with_weights

SIZES = {"dim": D, "depth": 1, "heads": HEADS, "attn_dim_head": D // HEADS, "ff_mult": 1.5, "verbose": False}


def layers(kind: str, name: str, **options: Any) -> nn.Module:
    """An Encoder or Decoder of depth 1, which is a block and, where the norms come first, a last norm."""
    return with_weights(getattr(library("x_transformers"), kind)(**SIZES, **options), name)


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), pos=positions))


def hide(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), pos=positions, attn_mask=closed(hidden, len(positions), query.dtype) == 0))


SOFTMAX = frozenset({"layers.0.1.attend"})
"""Attention's softmax is taken in float32, unless queries and keys are normalised."""


def block(name: str, kind: str, options: dict[str, Any], first: str, absorber: str, why: str) -> RealBlock:
    """A configuration."""
    return RealBlock(
        name=name,
        library="x-transformers",
        build=lambda: layers(kind, name, **options),
        call=call,
        first=(first,),
        projection="layers.1.1.fn.to_out.weight" if "macaron" in options else "layers.0.1.to_out.weight",
        absorber=absorber,
        why=why,
        casts=frozenset() if "attn_qk_norm" in options else SOFTMAX,
        hide=hide,
    )


BLOCKS = (
    block(
        "x, rotary, RMSNorm, SwiGLU",
        "Decoder",
        {"rotary_pos_emb": True, "use_rmsnorm": True, "ff_glu": True, "ff_swish": True, "ff_no_bias": True, "attn_kv_heads": 2},
        "layers.1.1.ff.0.proj.weight",
        "layers.1.1.ff.2.weight",
        "N′(v + W₂ h), N′ a last norm of the sum: W₂ is the last parameter in front of the sum, and has no bias: δhᵀ/‖h‖²",
    ),
    block(
        "x, sandwich norms, ALiBi, squared ReLU",
        "Encoder",
        {"sandwich_norm": True, "alibi_pos_bias": True, "ff_relu_squared": True},
        "layers.1.1.ff.0.0.weight",
        "layers.1.0.1.gamma",
        "N′(v + (1 + γ) ⊙ N(W₂ h + b₂)): γ is the last parameter, and no bias stands behind the norm N: δ ⊘ N(W₂ h + b₂)",
    ),
    block(
        "x, macaron, LayerScale, QK-norm",
        "Encoder",
        {"macaron": True, "use_layerscale": True, "attn_qk_norm": True, "rotary_pos_emb": True},
        "layers.2.1.fn.fn.ff.0.0.weight",
        "layers.2.1.fn.fn.ff.2.bias",
        "N′(v + (1 + γ) ⊙ ½ (W₂ h + b₂)): b₂ stands before a scale that is known: 2 δ ⊘ (1 + γ)",
    ),
    block(
        "x, norms last, scaled residual",
        "Encoder",
        {"pre_norm": False, "scale_residual": True, "rotary_pos_emb": True},
        "layers.1.1.ff.0.0.weight",
        "layers.1.1.ff.2.bias",
        "N′(r ⊙ v + W₂ h + b₂), r a learned scale of the stream: b₂ is the last parameter: δ = r ⊙ (v(C, x) − v(C∖Y, x))",
    ),
)
