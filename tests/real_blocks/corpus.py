"""All blocks of the corpus, and some of them once more by other kernels of their library."""

from tests.real_blocks import own_words, torch_layers, transformers_decoders, transformers_experts, transformers_others, x_transformers_layers

BLOCKS = (
    *transformers_decoders.BLOCKS,
    *transformers_experts.BLOCKS,
    *transformers_others.BLOCKS,
    *torch_layers.BLOCKS,
    *x_transformers_layers.BLOCKS,
    *own_words.BLOCKS,
)

OTHER_KERNELS = (*transformers_decoders.OTHER_KERNELS, *transformers_experts.OTHER_KERNELS)
"""The same weights and the same function; the block's name is that in front of the comma."""

ALL = (*BLOCKS, *OTHER_KERNELS)
