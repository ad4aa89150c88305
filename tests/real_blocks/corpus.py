"""All blocks of the corpus, in one tuple."""

from tests.real_blocks import own_words, torch_layers, transformers_decoders, transformers_experts, transformers_others, x_transformers_layers

BLOCKS = (
    *transformers_decoders.BLOCKS,
    *transformers_experts.BLOCKS,
    *transformers_others.BLOCKS,
    *torch_layers.BLOCKS,
    *x_transformers_layers.BLOCKS,
    *own_words.BLOCKS,
)
