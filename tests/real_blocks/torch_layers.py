"""PyTorch's own layers: TransformerEncoderLayer in both orders of its norms and both layouts, with and without its fast path, and TransformerDecoderLayer."""

from typing import Any

from torch import Tensor, nn

from tests.real_blocks.real_block import HEADS, D, M, RealBlock, closed, last_token, tokens, with_weights

POST = "N₂(v + W₂ act(W v + b) + b₂), v = N₁(x + A(C, x)): the norm is a function of the sum alone, in front of which b₂ is the last parameter: δ"
PRE = "v + W₂ act(W N₂(v) + b) + b₂, v = x + A(C, N₁(x)): b₂ is the last parameter: δ"
FAST = "aten._transformer_encoder_layer_fwd.default"


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last_token(module(tokens(context, query)))


def hide(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), src_mask=closed(hidden, len(positions), query.dtype)))


def call_sequence_first(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return module(tokens(context, query).transpose(0, 1))[-1]


def hide_sequence_first(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return module(tokens(context, query).transpose(0, 1), src_mask=closed(hidden, len(positions), query.dtype))[-1]


def encoder(name: str, *, norm_first: bool, batch_first: bool, activation: str) -> RealBlock:
    """An encoder layer; torch takes its fast path where the batch comes first."""

    def build() -> nn.Module:
        layer = nn.TransformerEncoderLayer(D, HEADS, M, dropout=0.0, activation=activation, batch_first=batch_first, norm_first=norm_first)
        return with_weights(layer, name)

    return RealBlock(
        name=name,
        library="torch",
        build=build,
        call=call if batch_first else call_sequence_first,
        first=("linear1.weight",),
        positioned=False,
        projection="self_attn.out_proj.weight",
        absorber="linear2.bias",
        why=PRE if norm_first else POST,
        fused=FAST if batch_first else None,
        hide=hide if batch_first else hide_sequence_first,
    )


def decoder() -> nn.Module:
    return with_weights(nn.TransformerDecoderLayer(D, HEADS, M, dropout=0.0, batch_first=True), "decoder")


def call_decoder(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The context is the memory that the query attends to; without it the memory has no token."""
    memory = query.new_zeros(len(query), 0, D) if context is None else context
    return module(query[:, None], memory)[:, 0]


def hide_decoder(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return module(query[:, None], context, memory_mask=closed(hidden, len(positions), query.dtype)[-1:, :-1])[:, 0]


BLOCKS: tuple[Any, ...] = (
    encoder("encoder, norms first", norm_first=True, batch_first=True, activation="relu"),
    encoder("encoder, norms last", norm_first=False, batch_first=True, activation="gelu"),
    encoder("encoder, norms first, sequence first", norm_first=True, batch_first=False, activation="gelu"),
    encoder("encoder, norms last, sequence first", norm_first=False, batch_first=False, activation="relu"),
    RealBlock(
        name="decoder with a memory",
        library="torch",
        build=decoder,
        call=call_decoder,
        first=("linear1.weight",),
        positioned=False,
        projection="multihead_attn.out_proj.weight",
        absorber="linear2.bias",
        why="N₃(v + W₂ act(W v + b) + b₂), v = N₂(u + A(C, u)), u = N₁(x + A(x)): b₂ is the last parameter in front of the norm: δ",
        fused="aten._native_multi_head_attention.default",
        hide=hide_decoder,
    ),
)
