"""Decoder layers of transformers with a gated network: Llama and its relatives, Gemma's and OLMo 2's norms behind the branches.

With Llama's names, v = s + A(C, s), a = N(v), h = act(W_g a) ⊙ W_u a, the output is v + W_d h.
"""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from tests.real_blocks.libraries import library
from tests.real_blocks.real_block import HEADS, D, M, RealBlock, closed, last_token, tokens, with_weights

WORDS = {"vocab_size": 97, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SMALL = {**WORDS, "hidden_size": D, "intermediate_size": M, "num_hidden_layers": 1, "num_attention_heads": HEADS, "max_position_embeddings": 64}
GROUPED = {**SMALL, "num_key_value_heads": HEADS // 2, "head_dim": D // HEADS}


class WithRotary(nn.Module):
    """A decoder layer and its model's rotary embedding, which is an argument of the layer."""

    def __init__(self, layer: nn.Module, rotary: nn.Module, *kind: str) -> None:
        super().__init__()
        self.layer, self.rotary, self.kind = layer, rotary, kind

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None) -> Any:
        turned = self.rotary(x, positions[None], *self.kind)
        return self.layer(x, attention_mask=mask, position_ids=positions[None], position_embeddings=turned)


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), positions))


def hide(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), positions, closed(hidden, len(positions), query.dtype)[None, None]))


def with_rotary(family: str, prefix: str, config: dict[str, Any], *kind: str, attention: str = "sdpa", experts: str = "eager") -> nn.Module:
    """The first layer of a model of that family, as its configuration makes it, with one of the library's ways to compute attention and experts."""
    code = library(f"transformers.models.{family}.modeling_{family}")
    made = getattr(code, f"{prefix}{'TextConfig' if prefix == 'Gemma3' else 'Config'}")(**config, attn_implementation=attention, experts_implementation=experts)
    layer, rotary = getattr(code, f"{prefix}DecoderLayer")(made, 0), getattr(code, f"{prefix}RotaryEmbedding")(made)
    return with_weights(WithRotary(layer, rotary, *kind), family)


GATED = ("layer.mlp.gate_proj.weight", "layer.mlp.up_proj.weight")
PROJECTION = "layer.self_attn.o_proj.weight"
NORMS = frozenset({"layer.input_layernorm", "layer.post_attention_layernorm"})
QK_NORMS = frozenset({"layer.self_attn.q_norm", "layer.self_attn.k_norm"})
ROTARY = frozenset({"rotary"})
AROUND = frozenset({"layer.pre_feedforward_layernorm", "layer.post_feedforward_layernorm"})
SOFTMAX = frozenset({"layer.self_attn"})

PLAIN = "v + W_d h: W_d is the last parameter, and no bias stands before it: δhᵀ/‖h‖²"
SANDWICH = "v + (1 + w) ⊙ N(W_d h): w is the last parameter, and no bias stands behind the norm: δ ⊘ N(W_d h)"


def plain(name: str, family: str, prefix: str, casts: frozenset[str], **extra: Any) -> RealBlock:
    """A family whose output is v + W_d h."""
    return RealBlock(
        name=name,
        library="transformers",
        build=lambda: with_rotary(family, prefix, {**GROUPED, **extra}),
        call=call,
        first=GATED,
        projection=PROJECTION,
        absorber="layer.mlp.down_proj.weight",
        why=PLAIN,
        casts=casts,
        hide=hide,
    )


def scaled(name: str, family: str, prefix: str, casts: frozenset[str], why: str, *kind: str, **extra: Any) -> RealBlock:
    """A family whose network ends in a norm."""
    return RealBlock(
        name=name,
        library="transformers",
        build=lambda: with_rotary(family, prefix, {**GROUPED, **extra}, *kind, attention="eager"),
        call=call,
        first=GATED,
        projection=PROJECTION,
        absorber="layer.post_feedforward_layernorm.weight",
        why=why,
        casts=casts,
        hide=hide,
    )


BLOCKS = (
    plain("Llama", "llama", "Llama", NORMS | ROTARY),
    plain("Mistral", "mistral", "Mistral", NORMS | ROTARY),
    plain("Qwen2", "qwen2", "Qwen2", NORMS | ROTARY),
    plain("Qwen3", "qwen3", "Qwen3", NORMS | QK_NORMS | ROTARY),
    plain("Gemma", "gemma", "Gemma", NORMS | ROTARY),
    scaled("Gemma 2", "gemma2", "Gemma2", NORMS | AROUND | ROTARY | SOFTMAX, SANDWICH, query_pre_attn_scalar=D // HEADS),
    scaled("Gemma 3", "gemma3", "Gemma3", NORMS | AROUND | QK_NORMS | ROTARY | SOFTMAX, SANDWICH, "sliding_attention"),
    scaled(
        "OLMo 2",
        "olmo2",
        "Olmo2",
        frozenset({"layer.post_attention_layernorm", "layer.post_feedforward_layernorm"}) | QK_NORMS | ROTARY | SOFTMAX,
        "v = s + N(A(C, s)), output v + w ⊙ N(W_d h), W reads v itself: w is the last parameter: δ ⊘ N(W_d h)",
    ),
    RealBlock(
        name="Phi-3",
        library="transformers",
        build=lambda: with_rotary("phi3", "Phi3", GROUPED),
        call=call,
        first=("layer.mlp.gate_up_proj.weight",),
        projection=PROJECTION,
        absorber="layer.mlp.down_proj.weight",
        why=f"{PLAIN}; W_g and W_u are one matrix, whose product is cut in two",
        casts=NORMS | ROTARY,
        hide=hide,
    ),
)

OTHER_KERNELS = (
    replace(
        BLOCKS[0],
        name="Llama, attention written out",
        build=lambda: with_rotary("llama", "Llama", GROUPED, attention="eager"),
        casts=BLOCKS[0].casts | SOFTMAX,
    ),
)
