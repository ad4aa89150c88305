"""Where z, the stream and the absorber are in the code of each block, by the names of its submodules."""

from torch import Tensor

from tests.real_blocks.by_hand import Anatomy, Seen, Weights, bias, expert_biases, expert_matrices, into, matrix, out_of, scale, shared_expert
from tests.real_blocks.corpus import OTHER_KERNELS

GATED = Anatomy("layer.mlp", into("layer.post_attention_layernorm"), matrix("layer.mlp.down_proj"))
SHARED = Anatomy("layer.mlp", into("layer.post_attention_layernorm"), shared_expert)
SANDWICH = Anatomy("layer.mlp", into("layer.pre_feedforward_layernorm"), scale("layer.post_feedforward_layernorm", offset=1.0))
EXPERTS = Anatomy("layer.mlp", into("layer.post_attention_layernorm"), expert_matrices)
PRE, POST = Anatomy("linear1", into("norm2"), bias("linear2.bias")), Anatomy("linear1", into("linear1"), bias("linear2.bias"))


def scaled_residual(pass_: Seen, weights: Weights) -> Tensor:
    """r ⊙ v, v what goes into the feed-forward layer."""
    return weights["layers.1.2.residual_scale"] * pass_.into("layers.1.1")


ANATOMIES = {
    **dict.fromkeys(("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Phi-3"), GATED),
    **dict.fromkeys(("Gemma 2", "Gemma 3"), SANDWICH),
    "OLMo 2": Anatomy("layer.mlp", into("layer.mlp"), scale("layer.post_feedforward_layernorm")),
    "Mixtral": EXPERTS,
    "Qwen3-MoE": EXPERTS,
    "Qwen2-MoE": EXPERTS,
    "GPT-OSS": Anatomy("layer.mlp", into("layer.post_attention_layernorm"), expert_biases, frozenset({"layer.mlp.experts.gate_up_proj"})),
    "GPT-2": Anatomy("block.mlp", into("block.ln_2"), bias("block.mlp.c_proj.bias"), frozenset({"block.mlp.c_fc.weight"})),
    "GPT-NeoX": Anatomy("layer.mlp", out_of("layer.attention"), bias("layer.mlp.dense_4h_to_h.bias")),
    "GPT-J": Anatomy("layer.mlp", out_of("layer.attn"), bias("layer.mlp.fc_out.bias")),
    "Falcon": Anatomy("layer.mlp", out_of("layer.self_attention"), matrix("layer.mlp.dense_4h_to_h")),
    "RecurrentGemma": Anatomy("mlp_block", into("channel_pre_norm"), bias("mlp_block.down_proj.bias")),
    "Mamba": Anatomy("mixer.out_proj"),
    "BERT": Anatomy("intermediate", into("intermediate"), bias("output.dense.bias")),
    "encoder, norms first": PRE,
    "encoder, norms first, sequence first": PRE,
    "encoder, norms last": POST,
    "encoder, norms last, sequence first": POST,
    "decoder with a memory": POST,
    "x, rotary, RMSNorm, SwiGLU": Anatomy("layers.1.1.ff.0", into("layers.1.0.0"), matrix("layers.1.1.ff.2")),
    "x, sandwich norms, ALiBi, squared ReLU": Anatomy("layers.1.1.ff.0", into("layers.1.0.0"), scale("layers.1.0.1", "gamma", 1.0)),
    "x, macaron, LayerScale, QK-norm": Anatomy(
        "layers.2.1.fn.fn.ff.0",
        into("layers.2.0.0"),
        bias("layers.2.1.fn.fn.ff.2.bias", lambda weights: (1 + weights["layers.2.1.gamma"]) / 2),
    ),
    "x, norms last, scaled residual": Anatomy("layers.1.1.ff.0", scaled_residual, bias("layers.1.1.ff.2.bias")),
    "ViT, LayerScale, QK-norm": Anatomy("fc1", into("norm2"), bias("fc2.bias", lambda weights: weights["gamma2"])),
    "nanoGPT": Anatomy("c_fc", into("ln_2"), matrix("c_proj")),
    "PaLM, fused": Anatomy("fused", out_of("attn_out"), matrix("ff_out")),
    "replication": Anatomy("mlp"),
}
ALSO = {"Qwen2-MoE": SHARED}
"""Where the other branch takes up δ."""
ANATOMIES |= {block.name: ANATOMIES[block.name.split(",")[0]] for block in OTHER_KERNELS}
