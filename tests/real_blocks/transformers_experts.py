"""Mixtures of experts of transformers: Mixtral, Qwen3-MoE, Qwen2-MoE with a shared expert, and GPT-OSS.

With e the experts that the router chooses and g_e their gates, the output is v + Σ g_e (W_e h_e + b_e). Router and experts read the same z, so
all their first matrices are W; with W z in place of W a the same experts are chosen, with the same gates. The experts run one after the other
("eager"), as their classes are written; the grouped products that a whole model takes by default refuse float64.
"""

from dataclasses import replace
from typing import Any

from torch import nn

from tests.real_blocks.real_block import RealBlock
from tests.real_blocks.transformers_decoders import GROUPED, NORMS, PROJECTION, QK_NORMS, ROTARY, call, hide, with_rotary

EXPERTS = {**GROUPED, "num_experts_per_tok": 2}
FOUR, LONG = {"num_local_experts": 4}, {"num_local_experts": 4, "max_position_embeddings": 131072}
MATRICES = "v + Σ g_e W_e h_e: the chosen W_e are the last parameters, without biases: together they take δ, ΔW_e = g_e δ h_eᵀ / Σ g_e²‖h_e‖²"
BIASES = "v + Σ g_e (W_e h_e + b_e): the chosen b_e are the last parameters: together they take δ, Δb_e = g_e δ / Σ g_e²"


def layer(family: str, prefix: str, config: dict[str, Any], experts: str = "eager") -> nn.Module:
    """Attention with sinks is written out alone."""
    return with_rotary(family, prefix, {**EXPERTS, **config}, attention="eager" if prefix == "GptOss" else "sdpa", experts=experts)


def mixture(name: str, family: str, prefix: str, config: dict[str, Any], first: tuple[str, ...], why: str, **more: Any) -> RealBlock:
    """A family whose network is a mixture of experts."""
    return RealBlock(
        name=name,
        library="transformers",
        build=lambda: layer(family, prefix, config),
        call=call,
        first=first,
        projection=PROJECTION,
        absorber="layer.mlp.experts.down_proj_bias" if why == BIASES else "layer.mlp.experts.down_proj",
        why=why,
        hide=hide,
        **more,
    )


CHOSEN = ("layer.mlp.gate.weight", "layer.mlp.experts.gate_up_proj")
BLOCKS = (
    mixture("Mixtral", "mixtral", "Mixtral", FOUR, CHOSEN, MATRICES, casts=NORMS | ROTARY | {"layer.mlp.gate"}),
    mixture(
        "Qwen3-MoE",
        "qwen3_moe",
        "Qwen3Moe",
        {"num_experts": 4, "moe_intermediate_size": 24},
        CHOSEN,
        f"{MATRICES}; the gates do not add up to one",
        casts=NORMS | QK_NORMS | ROTARY | {"layer.mlp.gate"},
    ),
    mixture(
        "Qwen2-MoE",
        "qwen2_moe",
        "Qwen2Moe",
        {"num_experts": 4, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40},
        (*CHOSEN, "layer.mlp.shared_expert.gate_proj.weight", "layer.mlp.shared_expert.up_proj.weight", "layer.mlp.shared_expert_gate.weight"),
        f"{MATRICES}; σ(w·z) W_s h_s of a shared expert is added, and W_s may take δ as well: δ h_sᵀ / (σ(w·z) ‖h_s‖²)",
        also="layer.mlp.shared_expert.down_proj.weight",
        casts=NORMS | ROTARY | {"layer.mlp.gate"},
    ),
    mixture(
        "GPT-OSS",
        "gpt_oss",
        "GptOss",
        LONG,
        ("layer.mlp.router.weight", "layer.mlp.experts.gate_up_proj"),
        BIASES,
        casts=NORMS | ROTARY,
    ),
)

OTHER_KERNELS = (
    replace(BLOCKS[0], name="Mixtral, experts at once", build=lambda: layer("mixtral", "Mixtral", FOUR, "batched_mm")),
    replace(BLOCKS[3], name="GPT-OSS, experts at once", build=lambda: layer("gpt_oss", "GptOss", LONG, "batched_mm")),
)
"""Each token gets copies of the matrices of its experts, and all products are one: no decision depends on data, and W is read through an index."""
