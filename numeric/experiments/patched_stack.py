"""A stack of blocks patched in order, and a generation replayed by patches: the claims ``stack`` and ``generation`` on trained weights, in fp64.

With the prompt, block i makes s_i of the last token's stream s_{i-1}. Without Y it is given what actually arrives there, s′_{i-1}, and patched at it:

    v = A_i(C, s′_{i-1}),   v′ = A_i(C∖Y, s′_{i-1}),   ΔW_i by Eq. (1) at N_i(v) and N_i(v′),   Δb′_i = v - v′

so that s′_i = s_i over the reals. What the other tokens contribute to a block does not depend on the last one, for attention is causal. In a generation
each new token goes through the stack so, and leaves its own streams behind for the tokens after it; the prompt is read for the patches alone.

Everything here is measured. ``STRAYED`` is no bound: it says what counts as the same to within roundings of fp64, far below any wrong patch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numeric.architecture import ContextualBlock
from numeric.blocks.stack import Below, CausalBlock, stacked
from numeric.operators.own_parameters import own_rows
from numeric.training import TrainedBlock
from symbolic import formulas

PROMPTS = 16
"""More would find worse ones, and no bound rests on how many there are; so with the two below."""
GENERATED = 12
"""Tokens of a generation."""
VOCABULARY = 16
"""Tokens to choose from."""
STRAYED = 1e-12
"""A relative difference of the last stream: some thousand roundings of fp64. Half of it, or twice, would tell the same from the wrong as well."""

PatchMaker = Callable[[ContextualBlock, Tensor, Tensor], dict[str, Tensor]]
"""The parameters of the patched pass, case by case, from a block, v and v′ (prompts, width)."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A stack without Y, patched, beside the stack with the whole prompt."""

    kept: int
    """Tokens of the context that stay."""
    relative_error: tuple[float, ...]
    """After each block: the largest ‖s′_i - s_i‖∞ / ‖s_i‖∞ of the prompts."""
    planted: dict[str, float]
    """What was planted, and the least of that ratio after the last block."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Generations, with the prompt and replayed without it."""

    tokens: int
    same: int
    """Prompts whose replay chose the same tokens throughout."""
    prompts: int
    distinct: float
    """How many different tokens a generation has, on average: were it one, agreement would say little."""
    apart: float
    """The largest ‖s′_L - s_L‖∞ / ‖s_L‖∞ of all tokens."""
    planted_same: int
    """The same with each block's patch of the first token for all tokens."""


def patch(block: ContextualBlock, v: Tensor, rest: Tensor) -> dict[str, Tensor]:
    """ΔW by Eq. (1) at N(v) and N(v′), and Δb′ = v - v′.  v, rest: (prompts, width)."""
    b_prime = formulas.bias_update(block.get_parameter("network.2.bias"), formulas.context_vector(v, rest))
    return {"network.0.weight": patched_first_weight(block, v, rest), "network.2.bias": b_prime}


def patched_first_weight(block: ContextualBlock, v: Tensor, rest: Tensor, *, at_context: bool = False) -> Tensor:
    """W + ΔW by Eq. (1), case by case.  at_context: wrong, A(C,x) for A(C∖Y,x) in the update."""
    assert block.norm is not None
    z, a = (block.norm(stream).unsqueeze(-1) for stream in (v, rest))
    W = block.first_weight
    return formulas.patched_weight(W, formulas.rank_one_update(W, formulas.context_vector(z, a), z if at_context else a))


def _read_with_context(block: ContextualBlock, v: Tensor, rest: Tensor) -> dict[str, Tensor]:
    return {**patch(block, v, rest), "network.0.weight": patched_first_weight(block, v, rest, at_context=True)}


def _no_bias(block: ContextualBlock, v: Tensor, rest: Tensor) -> dict[str, Tensor]:
    """Wrong: Δb′ is left out."""
    return {"network.0.weight": patch(block, v, rest)["network.0.weight"], "network.2.bias": block.get_parameter("network.2.bias").expand_as(v)}


def is_stack(block: ContextualBlock) -> bool:
    """Whether a block is a stack of blocks."""
    return isinstance(block.contextual, Below)


def replays(trained: TrainedBlock) -> tuple[Replay, ...]:
    """Without any context, and with half of it."""
    blocks, context, query = _prepared(trained)
    half = context[:, : context.shape[1] // 2]
    with torch.no_grad():
        whole = _streams(blocks, context)
        goal = _run(blocks, whole, query)
        return tuple(_replay(blocks, whole, kept, query, goal) for kept in (None, half))


def _replay(blocks: Sequence[ContextualBlock], whole: list[Tensor], kept: Tensor | None, query: Tensor, goal: list[Tensor]) -> Replay:
    rest = [None] * len(blocks) if kept is None else _streams(blocks, kept)

    def last(put: PatchMaker, at: list[Tensor] | None = None) -> float:
        return float(relative_difference(_replayed(blocks, whole, rest, query, put, at)[-1], goal[-1]).min())

    middle = len(blocks) // 2
    unpatched = _run(blocks, rest, query)
    planted = {
        "A(C,x) for A(C∖Y,x) in the update": last(_read_with_context),
        "Δb′ left out of one block": last(lambda block, v, v_rest: (_no_bias if block is blocks[middle] else patch)(block, v, v_rest)),
        "patches made at the stream of the unpatched stack": last(patch, unpatched),
    }
    apart = tuple(float(relative_difference(s, t).max()) for s, t in zip(_replayed(blocks, whole, rest, query, patch)[1:], goal[1:], strict=True))
    return Replay(0 if kept is None else kept.shape[1], apart, planted)


def generations(trained: TrainedBlock) -> Generation:
    """Generations over a random vocabulary, read by random logits of the direction of the last stream, up to given noise.

    The noise (Gumbel's: the choice is then a sample from a softmax) is the same on both sides, and keeps a generation from one token for ever.
    """
    blocks, context, query = _prepared(trained)
    generator = trained.generator(7)
    words, logits = torch.randn((2, VOCABULARY, query.shape[-1]), generator=generator, dtype=query.dtype)
    noise = -torch.empty((GENERATED, len(query), VOCABULARY), dtype=query.dtype).exponential_(generator=generator).log()
    with torch.no_grad():
        prompt = _streams(blocks, context)
        with_prompt, chosen = _generated(query, (words, logits, noise), prompt, lambda whole, _, s: _run(blocks, whole, s))
        streams, again = _generated(query, (words, logits, noise), prompt, lambda whole, rest, s: _replayed(blocks, whole, rest, s, patch))
        first: dict[int, dict[str, Tensor]] = {}

        def once(block: ContextualBlock, v: Tensor, v_rest: Tensor) -> dict[str, Tensor]:
            return first.setdefault(id(block), patch(block, v, v_rest))

        _, stale = _generated(query, (words, logits, noise), prompt, lambda whole, rest, s: _replayed(blocks, whole, rest, s, once))
    apart = max(float(relative_difference(s, t).max()) for s, t in zip(streams, with_prompt, strict=True))
    distinct = sum(len(set(row)) for row in chosen.tolist()) / len(chosen)
    same, planted = (int((each == chosen).all(-1).sum()) for each in (again, stale))
    return Generation(GENERATED, same, len(chosen), distinct, apart, planted)


_Step = Callable[[list[Tensor], list[Tensor | None], Tensor], list[Tensor]]
"""A token's streams from those of the tokens before it, with the prompt and without."""


def _generated(token: Tensor, vocabulary: tuple[Tensor, Tensor, Tensor], prompt: list[Tensor], step: _Step) -> tuple[list[Tensor], Tensor]:
    """The last streams, token by token, and the tokens chosen: (prompts, GENERATED).

    vocabulary: embeddings and logits (VOCABULARY, width), noise (GENERATED, prompts, VOCABULARY).
    """
    words, logits, noise = vocabulary
    whole, rest = list(prompt), list[Tensor | None]([None] * len(prompt))
    last, chosen = [], []
    for drawn in noise:
        streams = step(whole, rest, token)
        for place, arrived in enumerate(streams[:-1]):
            mine, before = arrived.unsqueeze(1), rest[place]
            whole[place] = torch.cat([whole[place], mine], dim=1)
            rest[place] = mine if before is None else torch.cat([before, mine], dim=1)
        last.append(streams[-1])
        fits = torch.nn.functional.normalize(streams[-1], dim=-1) @ logits.mT
        chosen.append((fits + drawn).argmax(-1))
        token = words[chosen[-1]]
    return last, torch.stack(chosen, dim=-1)


def _prepared(trained: TrainedBlock) -> tuple[list[ContextualBlock], Tensor, Tensor]:
    """The blocks in fp64, and embedded prompts."""
    block, prompts = trained.in_fp64(PROMPTS, trained.generator(6))
    return stacked(block), prompts.context, prompts.query


def _streams(blocks: Sequence[ContextualBlock], tokens: Tensor) -> list[Tensor]:
    """What arrives at each block of tokens that stand before the last one: (prompts, n, width) each."""
    arriving = [tokens]
    for block in blocks[:-1]:
        assert isinstance(block, CausalBlock)
        arriving.append(block.streams(arriving[-1]))
    return arriving


def _run(blocks: Sequence[ContextualBlock], before: Sequence[Tensor | None], s: Tensor) -> list[Tensor]:
    """s₀..s_L of the last token, behind the streams of the tokens before it."""
    streams = [s]
    for block, tokens in zip(blocks, before, strict=True):
        streams.append(block(tokens, streams[-1]))
    return streams


def _replayed(
    blocks: Sequence[ContextualBlock], whole: Sequence[Tensor], rest: Sequence[Tensor | None], s: Tensor, put: PatchMaker, made_at: list[Tensor] | None = None
) -> list[Tensor]:
    """s′₀..s′_L: each block without Y, patched at what arrives, or at streams that are given."""
    streams = [s]
    for place, block in enumerate(blocks):
        at = streams[-1] if made_at is None else made_at[place]
        v, v_rest = block.contextual(whole[place], at), block.contextual(rest[place], at)
        streams.append(run_patched(block, rest[place], streams[-1], put(block, v, v_rest)))
    return streams


def run_patched(block: ContextualBlock, tokens: Tensor | None, s: Tensor, parameters: dict[str, Tensor]) -> Tensor:
    """The block's own forward pass, with its own parameters for each prompt."""

    with own_rows(block, parameters, (s, tokens)):
        outputs = block(tokens, s)
    assert isinstance(outputs, Tensor)
    return outputs


def relative_difference(stream: Tensor, goal: Tensor) -> Tensor:
    """‖stream - goal‖∞ / ‖goal‖∞ of each prompt."""
    return (stream - goal).abs().amax(-1) / goal.abs().amax(-1)
