"""A block of GPT-2 as transformers wrote it, with its `Conv1D`. Needs `pip install transformers`; random weights, no download.

verify check docs/examples/gpt2_block.py:make_block
"""

import torch
from torch import Tensor, nn
from transformers.models.gpt2.modeling_gpt2 import GPT2Block, GPT2Config

from numeric import ContextualBlock


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    """The query's output: GPT-2 adds its positions to the tokens before the first block, so here they are part of the tokens."""
    output = module(query[:, None] if context is None else torch.cat([context, query[:, None]], 1))
    return (output[0] if isinstance(output, tuple) else output)[:, -1]


def make_block() -> object:
    """W is what `Conv1D` holds transposed; the suite sees how it is read."""
    torch.manual_seed(0)
    block = GPT2Block(GPT2Config(n_embd=32, n_head=4, attn_implementation="sdpa"), layer_idx=0).eval()
    return ContextualBlock.of(block, call, first="mlp.c_fc.weight")
