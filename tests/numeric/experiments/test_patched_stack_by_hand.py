"""Stacks, generations and post-norms of untrained weights, once more by plain loops over prompts and blocks, with what is planted."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.architecture import ContextualBlock
from numeric.blocks.stack import DEPTH
from numeric.experiments import patched_stack, post_norm
from numeric.experiments.patched_stack import GENERATED, PROMPTS, STRAYED, VOCABULARY, generations, relative_difference, replays
from numeric.training import TrainedBlock
from symbolic import formulas
from tests.numeric.experiments.untrained import untrained_block

EXAMPLES = 6
OFF = 2.0**-20
"""A formula that is off by so much leaves errors far above fp64's roundings, so that both ways of computing them agree to many digits."""
DIGITS = 2.0**-16
PLANTED = ("A(C,x) for A(C∖Y,x) in the update", "Δb′ left out of one block", "patches made at the stream of the unpatched stack")


@cache
def stack() -> TrainedBlock:
    return untrained_block("pre-ln-stack", examples=EXAMPLES, width=8, heads=2, hidden=12)


@cache
def pre_ln() -> TrainedBlock:
    return untrained_block("pre-ln", examples=EXAMPLES, width=8, heads=2, hidden=12)


def patched(block: ContextualBlock, v: Tensor, rest: Tensor, *, at: Tensor | None = None, bias: bool = True, off: float = 0.0) -> Callable[[Tensor], Tensor]:
    """The network with W + ΔW and b′ + Δb′ for one prompt, as a function of the stream.  v, rest: (width,)."""
    assert block.norm is not None
    z, a = block.norm(v), block.norm(rest)
    row = a if at is None else at
    W, b, last, b_prime = (block.get_parameter(name) for name in ("network.0.weight", "network.0.bias", "network.2.weight", "network.2.bias"))
    W = W + torch.outer(W @ (z - a), row) / row.square().sum() * (1 + off)
    shift = v - rest if bias else torch.zeros_like(v)
    assert block.norm is not None
    norm = block.norm
    return lambda s: s + last @ F.gelu(W @ norm(s) + b) + b_prime + shift


def by_hand(kept: int, wrong: str = "", off: float = 0.0) -> list[list[float]]:
    """‖s′_i - s_i‖∞/‖s_i‖∞ behind each block, for each prompt: the whole stack with all tokens, and patched with those that are kept."""
    blocks, context, query = patched_stack._prepared(stack())
    found = []
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        for case in range(PROMPTS):
            whole, rest = context[case : case + 1], context[case : case + 1, :kept] if kept else None
            s = t = unpatched = query[case : case + 1]
            ratios = []
            for place, block in enumerate(blocks):
                goal = block(whole, s)
                at = unpatched if wrong == PLANTED[2] else t
                v, v_rest = block.contextual(whole, at)[0], block.contextual(rest, at)[0]
                context_vector = block.norm(v) if wrong == PLANTED[0] else None  # type: ignore[misc]
                network = patched(block, v, v_rest, at=context_vector, bias=wrong != PLANTED[1] or place != DEPTH // 2, off=off)
                unpatched = block(rest, unpatched)
                t = network(block.contextual(rest, t)[0]).unsqueeze(0)
                s = goal
                ratios.append(float((t - s).abs().max() / s.abs().max()))
                if place < DEPTH - 1:
                    whole, rest = block.streams(whole), None if rest is None else block.streams(rest)  # type: ignore[operator]
            found.append(ratios)
    return found


def test_right_patches_reproduce_each_block_and_planted_ones_miss_by_as_much_as_by_hand() -> None:
    """Without any context and with half of it: the least of the prompts behind the last block."""
    for replay, kept in zip(replays(stack()), (0, EXAMPLES // 2), strict=True):
        assert replay.kept == kept
        assert len(replay.relative_error) == DEPTH
        assert max(replay.relative_error) <= STRAYED
        assert tuple(replay.planted) == PLANTED
        for wrong in PLANTED:
            least = min(ratios[-1] for ratios in by_hand(kept, wrong))
            assert math.isclose(replay.planted[wrong], least, rel_tol=DIGITS)
            assert least > 1000 * STRAYED


def off_by_a_little(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: right(*arguments) * (1 + OFF)


def test_errors_are_the_largest_of_the_prompts() -> None:
    """Of a formula that is off, behind each block."""
    with patch.object(formulas, "rank_one_update", off_by_a_little(formulas.rank_one_update)):
        found = replays(stack())
    for replay, kept in zip(found, (0, EXAMPLES // 2), strict=True):
        rows = by_hand(kept, off=OFF)
        for place, told in enumerate(replay.relative_error):
            worst = max(ratios[place] for ratios in rows)
            assert math.isclose(told, worst, rel_tol=DIGITS)
            assert worst > 2 * min(ratios[place] for ratios in rows)


def chosen_by_hand() -> list[list[int]]:
    """The stack's own module for the prompt with all tokens that were chosen before; a token's direction against the logits, and the noise."""
    block, prompts = stack().in_fp64(PROMPTS, stack().generator(6))
    generator = stack().generator(7)
    width = prompts.query.shape[-1]
    words, logits = torch.randn((2, VOCABULARY, width), generator=generator, dtype=torch.float64)
    noise = -torch.empty((GENERATED, PROMPTS, VOCABULARY), dtype=torch.float64).exponential_(generator=generator).log()
    context, token, chosen = prompts.context, prompts.query, []
    with torch.no_grad():
        for drawn in noise:
            stream = block(context, token)
            direction = stream / stream.square().sum(-1, keepdim=True).sqrt()
            chosen.append([max(range(VOCABULARY), key=lambda word: float(direction[p] @ logits[word] + drawn[p, word])) for p in range(PROMPTS)])
            context, token = torch.cat([context, token.unsqueeze(1)], dim=1), words[torch.tensor(chosen[-1])]
    return [list(row) for row in zip(*chosen, strict=True)]


def told(*, off: bool) -> tuple[patched_stack.Generation, list[tuple[list[Tensor], Tensor]]]:
    """With the streams and choices of its three runs: with the prompt, replayed, and with stale patches."""
    runs: list[tuple[list[Tensor], Tensor]] = []
    real, right = patched_stack._generated, formulas.rank_one_update

    def note(*arguments: Any) -> tuple[list[Tensor], Tensor]:
        runs.append(real(*arguments))
        return runs[-1]

    with patch.object(patched_stack, "_generated", note), patch.object(formulas, "rank_one_update", off_by_a_little(right) if off else right):
        return generations(stack()), runs


@pytest.mark.parametrize("off", [False, True])
def test_a_generation_is_the_stacks_own_and_its_replay_is_told_by_the_worst_token(off: bool) -> None:
    found, ((streams, chosen), (again, replayed), (_, stale)) = told(off=off)
    assert chosen.tolist() == chosen_by_hand()
    assert (found.tokens, found.prompts) == (GENERATED, PROMPTS) == (len(streams), len(chosen))
    assert found.distinct == sum(len(set(row)) for row in chosen.tolist()) / PROMPTS
    ratios = [float((t - s).abs().max() / s.abs().max()) for ts, ss in zip(again, streams, strict=True) for t, s in zip(ts, ss, strict=True)]
    assert found.apart == max(ratios)
    assert (found.apart > STRAYED) is off
    for number, each in ((found.same, replayed), (found.planted_same, stale)):
        assert number == sum(mine == theirs for mine, theirs in zip(each.tolist(), chosen.tolist(), strict=True))
    assert found.same == PROMPTS > found.planted_same


def test_a_replay_reads_every_token_that_was_generated_and_none_of_the_prompt() -> None:
    """What a patched block has before it at its t-th token: the t tokens' own streams there, and nothing else."""
    read: list[list[Tensor | None]] = []
    arrived: list[list[Tensor]] = []
    real = patched_stack._replayed

    def note(blocks: Any, whole: Any, rest: list[Tensor | None], *arguments: Any) -> list[Tensor]:
        read.append(list(rest))
        arrived.append(real(blocks, whole, rest, *arguments))
        return arrived[-1]

    with patch.object(patched_stack, "_replayed", note):
        generations(stack())
    assert len(read) == 2 * GENERATED
    for t in range(GENERATED):
        for place in range(DEPTH):
            rest = read[t][place]
            assert (rest is None) is (t == 0)
            assert rest is None or torch.equal(rest, torch.stack([streams[place] for streams in arrived[:t]], dim=1))


def test_a_difference_is_relative_to_the_largest_entry_of_the_goal() -> None:
    stream, goal = torch.tensor([[1.0, -4.0, 0.5], [2.0, 2.0, 2.0]]), torch.tensor([[1.0, -8.0, 2.5], [1.0, 2.0, -4.0]])
    assert relative_difference(stream, goal).tolist() == [0.5, 1.5]


def normalised(block: ContextualBlock, stream: Tensor) -> Tensor:
    """ĥ, of one prompt: y/√(mean y² + ε) of the network's output."""
    assert block.norm is not None
    W, b, last, b_prime = (block.get_parameter(name) for name in ("network.0.weight", "network.0.bias", "network.2.weight", "network.2.bias"))
    y = last @ F.gelu(W @ block.norm(stream) + b) + b_prime
    return y / (y.square().mean() + torch.finfo(torch.float64).eps).sqrt()


def post_norms_by_hand(off: float) -> tuple[dict[str, list[float]], list[float]]:
    """Of each prompt, ‖T′ - T‖∞/‖T‖∞ with the right scale and with each wrong one, and the smallest |ĥ_j|."""
    block, context, query = post_norm._prepared(pre_ln())
    m, W = block.get_parameter(post_norm.SCALE), block.get_parameter("network.0.weight")
    assert block.norm is not None
    ratios: dict[str, list[float]] = {}
    smallest = []
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        for case in range(PROMPTS):
            v, rest = (block.contextual(c, query[case : case + 1])[0] for c in (context[case : case + 1], None))
            h, goal = normalised(block, v), v + m * normalised(block, v)
            z, a = block.norm(v), block.norm(rest)
            moved = W + torch.outer(W @ (z - a), a) / a.square().sum() * (1 + off)
            right = m + (v - rest) / h
            wrong = {
                "Δm left out": m,
                "ĥ with its scale": m + (v - rest) / (m * h),
                "ĥ of the block without its prompt": m + (v - rest) / normalised(block, rest),
            }
            smallest.append(float(h.abs().min()))
            for words, scale in {"": right, **wrong, "ΔW left out": right}.items():
                with patch.object(block.network[0], "weight", torch.nn.Parameter(W if words == "ΔW left out" else moved, requires_grad=False)):
                    answer = rest + scale * normalised(block, rest)
                ratios.setdefault(words, []).append(float((answer - goal).abs().max() / goal.abs().max()))
    return ratios, smallest


@pytest.mark.parametrize("off", [0.0, OFF])
def test_a_post_norm_is_told_by_its_worst_prompt_and_what_is_planted_by_its_best(off: float) -> None:
    right = formulas.rank_one_update
    with patch.object(formulas, "rank_one_update", off_by_a_little(right) if off else right):
        found = post_norm.post_norm(pre_ln())
    ratios, smallest = post_norms_by_hand(off)
    worst = max(ratios.pop(""))
    assert math.isclose(found.apart, worst, rel_tol=DIGITS) if off else max(found.apart, worst) <= STRAYED
    assert (found.apart > STRAYED) is bool(off)
    assert math.isclose(found.smallest, min(smallest), rel_tol=DIGITS)
    assert list(found.planted) == list(ratios)
    for words, each in ratios.items():
        assert math.isclose(found.planted[words], min(each), rel_tol=DIGITS), words
        assert min(each) > 1000 * STRAYED


def test_scales_are_between_a_half_and_one_and_a_half() -> None:
    block, _, _ = post_norm._prepared(untrained_block("pre-ln", examples=EXAMPLES, width=64, heads=2, hidden=12))
    m = block.get_parameter(post_norm.SCALE)
    assert 0.5 <= float(m.min()) < 0.75
    assert 1.25 < float(m.max()) <= 1.5
