"""Blocks that are published as code and not as a library, in our own words.

A vision transformer's block with LayerScale (arXiv 2103.17239) and normalised queries and keys (arXiv 2302.05442), nanoGPT's block, PaLM's
parallel block with one matrix for everything that reads the tokens (arXiv 2204.02311), and the block of a public replication of the paper
(arXiv 2512.11255).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.real_blocks.real_block import HEADS, D, M, RealBlock, closed, last_token, tokens, with_weights


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


class VisionBlock(nn.Module):
    """x + γ₁ ⊙ attention, then v + γ₂ ⊙ network; every token sees every other."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(D, eps=1e-6), nn.LayerNorm(D, eps=1e-6)
        self.qkv, self.proj = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.q_norm, self.k_norm = nn.LayerNorm(D // HEADS), nn.LayerNorm(D // HEADS)
        self.fc1, self.fc2 = nn.Linear(D, M), nn.Linear(M, D)
        self.gamma1, self.gamma2 = nn.Parameter(torch.full((D,), 1e-5)), nn.Parameter(torch.full((D,), 1e-5))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = map(heads, self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.gamma1 * self.proj(joined(F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, mask)))
        return x + self.gamma2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


class NanoNorm(nn.Module):
    """nanoGPT's LayerNorm, which can do without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class NanoBlock(nn.Module):
    """x + causal attention, then v + W₂ gelu(W N(v)), without biases as nanoGPT trains it."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = NanoNorm(), NanoNorm()
        self.c_attn, self.attn_proj = nn.Linear(D, 3 * D, bias=False), nn.Linear(D, D, bias=False)
        self.c_fc, self.gelu, self.c_proj = nn.Linear(D, M, bias=False), nn.GELU(), nn.Linear(M, D, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = map(heads, self.c_attn(self.ln_1(x)).split(D, dim=2))
        x = x + self.attn_proj(joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)))
        return x + self.c_proj(self.gelu(self.c_fc(self.ln_2(x))))


class FusedPaLM(nn.Module):
    """x + attention + network, side by side: one matrix makes queries, one key and one value for all heads, and both halves of a SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(D))
        self.sizes = (D, D // HEADS, D // HEADS, 2 * M)
        self.fused = nn.Linear(D, sum(self.sizes), bias=False)
        self.attn_out, self.ff_out = nn.Linear(D, D, bias=False), nn.Linear(M, D, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v, ff = self.fused(F.layer_norm(x, (D,), self.gamma)).split(self.sizes, dim=-1)
        scores = heads(q) @ k[:, None].mT / k.shape[-1] ** 0.5
        attended = (scores if mask is None else scores + mask).softmax(-1) @ v[:, None]
        value, gate = ff.chunk(2, -1)
        return self.attn_out(joined(attended)) + self.ff_out(F.silu(gate) * value) + x


class ReplicationBlock(nn.Module):
    """M(N₂(A(N₁(x)))): attention without biases, then a network of three layers, and no skip around either."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.q, self.k, self.v, self.out = (nn.Linear(D, D, bias=False) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(D, M), nn.GELU("tanh"), nn.Linear(M, M), nn.GELU("tanh"), nn.Linear(M, D))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        u = self.norm1(x)
        attended = F.scaled_dot_product_attention(heads(self.q(u)), heads(self.k(u)), heads(self.v(u)), mask)
        return self.mlp(self.norm2(self.out(joined(attended))))


def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
    return last_token(module(tokens(context, query)))


def hide(module: nn.Module, context: Tensor, query: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
    return last_token(module(tokens(context, query), closed(hidden, len(positions), query.dtype)))


BLOCKS = (
    RealBlock(
        name="ViT, LayerScale, QK-norm",
        library="own words",
        build=lambda: with_weights(VisionBlock(), "vision"),
        call=call,
        first=("fc1.weight",),
        positioned=False,
        projection="proj.weight",
        absorber="fc2.bias",
        why="v + γ₂ ⊙ (W₂ act(W N₂(v) + b) + b₂): b₂ stands before a scale that is known: δ ⊘ γ₂",
        hide=hide,
    ),
    RealBlock(
        name="nanoGPT",
        library="own words",
        build=lambda: with_weights(NanoBlock(), "nano"),
        call=call,
        first=("c_fc.weight",),
        positioned=False,
        projection="attn_proj.weight",
        absorber="c_proj.weight",
        why="v + W₂ gelu(W N(v)), without biases: W₂ is the last parameter: δhᵀ/‖h‖²",
        hide=hide,
    ),
    RealBlock(
        name="PaLM, fused",
        library="own words",
        build=lambda: with_weights(FusedPaLM(), "palm"),
        call=call,
        first=("fused.weight",),
        rows=range(D + 2 * (D // HEADS), D + 2 * (D // HEADS) + 2 * M),
        positioned=False,
        projection="attn_out.weight",
        absorber="ff_out.weight",
        why="x + A(C, N(x)) + W₂ h, without biases: W₂ is the network's last parameter, and W reads no context: δhᵀ/‖h‖²",
        reads_context=False,
        hide=hide,
    ),
    RealBlock(
        name="replication",
        library="own words",
        build=lambda: with_weights(ReplicationBlock(), "replication"),
        call=call,
        first=("mlp.0.weight",),
        positioned=False,
        projection="out.weight",
        absorber=None,
        why="M(z), z = N₂(A(C, N₁(x))): no stream passes the network, so nothing has to be absorbed",
        hide=hide,
    ),
)
