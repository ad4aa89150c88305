"""A decoder layer of Llama as transformers wrote it: nothing is rebuilt. Needs `pip install transformers`; random weights, no download.

verify check docs/examples/llama_layer.py:make_block
"""

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaConfig, LlamaDecoderLayer, LlamaRotaryEmbedding

from numeric import ContextualBlock


class Layer(nn.Module):
    """The layer, and the rotary embedding that its model hands to it."""

    def __init__(self) -> None:
        super().__init__()
        config = LlamaConfig(hidden_size=32, intermediate_size=88, num_attention_heads=4, num_key_value_heads=2, attn_implementation="sdpa")
        self.layer, self.rotary = LlamaDecoderLayer(config, 0), LlamaRotaryEmbedding(config)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """tokens: (batch, n, d); positions: (n,)."""
        return self.layer(tokens, position_ids=positions[None], position_embeddings=self.rotary(tokens, positions[None]))


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query's output. The tokens that remain keep their positions, so that rotary embeddings stay as they were."""
    tokens = query[:, None] if context is None else torch.cat([context, query[:, None]], 1)
    return module(tokens, positions)[:, -1]


def make_block() -> object:
    """W is both matrices that read the normalised stream."""
    torch.manual_seed(0)
    return ContextualBlock.of(Layer().eval(), call, first=["layer.mlp.gate_proj.weight", "layer.mlp.up_proj.weight"])
