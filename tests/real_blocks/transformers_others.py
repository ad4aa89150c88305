"""The other layers of transformers: GPT-2, GPT-NeoX, GPT-J, Falcon, RecurrentGemma, Mamba and BERT."""

from typing import Any

from torch import Tensor, nn

from tests.real_blocks.libraries import library
from tests.real_blocks.real_block import HEADS, D, M, RealBlock, closed, last_token, tokens, with_weights
from tests.real_blocks.transformers_decoders import SMALL, WORDS, WithRotary, call, hide

GPT = {**WORDS, "n_embd": D, "n_inner": M, "n_layer": 1, "n_head": HEADS, "n_positions": 64}


def code_and_config(family: str, prefix: str, config: dict[str, Any]) -> tuple[Any, Any]:
    """The module that holds the family's code, and its configuration."""
    code = library(f"transformers.models.{family}.modeling_{family}")
    return code, getattr(code, f"{prefix}Config")(**config, attn_implementation="sdpa")


class WithPositions(nn.Module):
    """GPT-2's learned positions and its first block: the positions belong to the model, and are added to the tokens."""

    def __init__(self, positions: nn.Module, block: nn.Module) -> None:
        super().__init__()
        self.wpe, self.block = positions, block

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None) -> Any:
        return self.block(x + self.wpe(positions), attention_mask=mask)


def gpt2() -> nn.Module:
    code, config = code_and_config("gpt2", "GPT2", GPT)
    return with_weights(WithPositions(nn.Embedding(64, D), code.GPT2Block(config, 0)), "gpt2")


def gpt_neox() -> nn.Module:
    code, config = code_and_config("gpt_neox", "GPTNeoX", SMALL)
    return with_weights(WithRotary(code.GPTNeoXLayer(config, 0), code.GPTNeoXRotaryEmbedding(config)), "gpt_neox")


def gptj() -> nn.Module:
    code, config = code_and_config("gptj", "GPTJ", {**GPT, "rotary_dim": 4})
    return with_weights(WithRotary(code.GPTJBlock(config, 0), code.GPTJRotaryEmbedding(config)), "gptj")


class FalconWithRotary(WithRotary):
    """Falcon's layer asks for ALiBi's bias, too, which this configuration has not."""

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None) -> Any:
        return self.layer(x, None, mask, positions[None], position_embeddings=self.rotary(x, positions[None]))


def falcon() -> nn.Module:
    code, config = code_and_config("falcon", "Falcon", {**SMALL, "ffn_hidden_size": M})
    return with_weights(FalconWithRotary(code.FalconDecoderLayer(config, 0), code.FalconRotaryEmbedding(config)), "falcon")


def recurrent_gemma() -> nn.Module:
    code, config = code_and_config("recurrent_gemma", "RecurrentGemma", {**SMALL, "intermediate_size": 2 * M, "lru_width": D, "num_key_value_heads": 1})
    return with_weights(code.RecurrentGemmaDecoderLayer(config, 0), "recurrent_gemma")


def call_recurrent_gemma(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    x = tokens(context, query)
    return last_token(module(x, positions.expand(x.shape[:2]), None, use_cache=False))


def mamba() -> nn.Module:
    code, config = code_and_config("mamba", "Mamba", {**WORDS, "hidden_size": D, "num_hidden_layers": 1, "state_size": 8})
    return with_weights(code.MambaBlock(config, 0), "mamba")


def call_without_positions(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last_token(module(tokens(context, query)))


def bert() -> nn.Module:
    code, config = code_and_config("bert", "Bert", SMALL)
    return with_weights(code.BertLayer(config), "bert")


def hide_without_positions(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), closed(hidden, len(positions), query.dtype)[None, None]))


BLOCKS = (
    RealBlock(
        name="GPT-2",
        library="transformers",
        build=gpt2,
        call=call,
        first=("block.mlp.c_fc.weight",),
        projection="block.attn.c_proj.weight",
        absorber="block.mlp.c_proj.bias",
        why="v + W₂ act(W N(v) + b) + b₂, each matrix stored as its transpose: b₂ is the last parameter: δ",
        hide=hide,
    ),
    RealBlock(
        name="GPT-NeoX",
        library="transformers",
        build=gpt_neox,
        call=call,
        first=("layer.mlp.dense_h_to_4h.weight",),
        projection="layer.attention.dense.weight",
        absorber="layer.mlp.dense_4h_to_h.bias",
        why="x + A(C, N(x)) + W₂ act(W N′(x) + b) + b₂: b₂ is the network's last parameter, and W reads no context: δ = A(C, N(x)) − A(C∖Y, N(x))",
        reads_context=False,
        casts=frozenset({"rotary"}),
        hide=hide,
    ),
    RealBlock(
        name="GPT-J",
        library="transformers",
        build=gptj,
        call=call,
        first=("layer.mlp.fc_in.weight",),
        projection="layer.attn.out_proj.weight",
        absorber="layer.mlp.fc_out.bias",
        why="x + A(C, N(x)) + W₂ act(W N(x) + b) + b₂: b₂ is the network's last parameter, and W reads no context",
        reads_context=False,
        hide=hide,
    ),
    RealBlock(
        name="Falcon",
        library="transformers",
        build=falcon,
        call=call,
        first=("layer.mlp.dense_h_to_4h.weight",),
        projection="layer.self_attention.dense.weight",
        absorber="layer.mlp.dense_4h_to_h.weight",
        why="x + A(C, N(x)) + W₂ act(W N(x)), without biases: W₂ is the network's last parameter, and W reads no context: δhᵀ/‖h‖²",
        reads_context=False,
        casts=frozenset({"rotary"}),
        hide=hide,
    ),
    RealBlock(
        name="RecurrentGemma",
        library="transformers",
        build=recurrent_gemma,
        call=call_recurrent_gemma,
        first=("mlp_block.gate_proj.weight", "mlp_block.up_proj.weight"),
        projection="temporal_block.linear_out.weight",
        absorber="mlp_block.down_proj.bias",
        why="v + W_d h + b_d, v = s + a gated linear recurrence: b_d is the last parameter: δ",
        casts=frozenset({"temporal_pre_norm", "channel_pre_norm", "temporal_block.rg_lru"}),
    ),
    RealBlock(
        name="Mamba",
        library="transformers",
        build=mamba,
        call=call_without_positions,
        positioned=False,
        first=("mixer.out_proj.weight",),
        projection="mixer.out_proj.weight",
        absorber=None,
        why="x + W y(C, x), y the gated state-space layer: the stream x reads no context, so nothing has to be absorbed",
        casts=frozenset({"", "norm", "mixer"}),
    ),
    RealBlock(
        name="BERT",
        library="transformers",
        build=bert,
        call=call_without_positions,
        positioned=False,
        first=("intermediate.dense.weight",),
        projection="attention.output.dense.weight",
        absorber="output.dense.bias",
        why="N′(v + W₂ act(W v + b) + b₂), v = N(x + A(C, x)): the norm is a function of the sum alone, in front of which b₂ is the last parameter: δ",
        hide=hide_without_positions,
    ),
)
