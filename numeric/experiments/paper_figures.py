"""The paper's three figures, measured: what it draws, and what it leaves out. §4, Figures 1 to 3.

Everything here is measured, but for one number: the bound in Figure 1 is rigorous. Figures 2 and 3 are of exact quantities,
so they are computed in fp64, where rounding is far below the spread of the trials.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.arithmetics import outward
from numeric.arithmetics.envelope import ROUNDOFF
from numeric.machine import BATCH, ProbedMode
from numeric.sides import Batch, Variant, block_in_format, in_format, measure_sides
from numeric.training import TrainedBlock, draw_prompts
from numeric.training.task import Prompts
from symbolic import formulas

TRIALS = 100
"""Prompts over which Figures 2 and 3 average, as in the paper."""

RATE = 0.01
"""The paper's learning rate for the finetuning of Figure 3."""

VANISHED = 0.1
"""An update's step has vanished when it is below this share of the step from two tokens to three, on average."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Figure 1 at one step of training."""

    step: int
    training_loss: float
    with_context: float
    """Validation loss of T_W(C, x)."""
    patched: float
    """Validation loss of T_{W+ΔW}(x)."""
    bound: float
    """Rigorous: what the two can differ by; infinite where an output has no bound."""
    planted: float
    """Validation loss of the planted wrong update, A(C,x) where A(C∖Y,x) belongs."""

    @property
    def difference(self) -> float:
        """Of the two validation losses."""
        return abs(self.with_context - self.patched)


@dataclass(frozen=True, slots=True)
class Averaged:
    """A mean over trials."""

    tokens: int
    mean: float
    error: float
    """The standard error of the mean."""


@dataclass(frozen=True, slots=True)
class LayerCompared:
    """How a contextual layer consumes its context, token by token."""

    steps: tuple[Averaged, ...]
    """‖ΔW_{i+1} - ΔW_i‖₂ by i, the number of tokens before."""
    norm: float
    """Mean ‖ΔW‖_F of the whole context."""
    alignment: float
    """Mean cosine between one step of the update and the next."""
    vanishes_at: int | None
    """The first i from which on every mean step is below VANISHED of that at i = 2; None if there is none."""


@dataclass(frozen=True, slots=True)
class Finetuning:
    """Figure 3: test losses by the number of examples."""

    finetuned: tuple[Averaged, ...]
    """After so many steps of SGD on W alone."""
    patched: tuple[Averaged, ...]
    """With the ΔW of so many examples."""


def training_with_bounds(trained: TrainedBlock, variant: Variant, probed: ProbedMode) -> tuple[Checkpoint, ...]:
    """Figure 1: both validation losses at every checkpoint, in a mode, on prompts that training never saw.

    With p and q the two predictions, |p - q| ≤ r and y the answer, |½(p-y)² - ½(q-y)²| = ½|p-q||p+q-2y| ≤ ½r(|p-y| + |q-y|).
    """
    prompts = draw_prompts(trained.block.recipe, BATCH, trained.generator(3))
    losses = dict(trained.losses)
    return tuple(_at_checkpoint(trained, step, losses[step], variant, probed, prompts) for step in trained.checkpoints if step in losses)


def _at_checkpoint(trained: TrainedBlock, step: int, loss: float, variant: Variant, probed: ProbedMode, prompts: Prompts) -> Checkpoint:
    then = trained.at(step)
    block = block_in_format(then.model.block, probed)
    context, query = then.model.embedding(prompts.context).double(), then.model.embedding(prompts.query).double()
    sides = measure_sides(block, in_format(block, Batch(context, None, query), probed), variant, probed)
    y = prompts.answer.double()
    left, right, wrong = (side.output.value[:, -1].cpu() for side in (sides.left, sides.right, sides.wrong))
    radius = sides.output_bound[:, -1].cpu()
    p, q = (left - y).abs(), (right - y).abs()
    with_context, patched, planted = (float(0.5 * part.square().mean()) for part in (p, q, (wrong - y).abs()))
    return Checkpoint(step, loss, with_context, patched, losses_apart(p, q, radius), planted)


def losses_apart(p: Tensor, q: Tensor, radius: Tensor) -> float:
    """Rigorous: how far ½·mean p² and ½·mean q² can lie apart, the roundings of both means included.

    p, q: (prompts,) float64, distances of two predictions from the answer; radius: what the predictions themselves can differ by.
    """
    terms = len(p) + 8  # roundings of each mean of squares, and of this one
    means = float(0.5 * (p.square().mean() + q.square().mean()))
    return float(outward((0.5 * radius * (p + q)).mean(), terms)) + means * terms * 2.0 * ROUNDOFF


def layer_compared(trained: TrainedBlock) -> LayerCompared:
    """Figure 2, for any contextual layer: ΔW_i is the update of the first i tokens, (W(A_i - a))aᵀ/‖a‖², so a step has norm ‖W(A_{i+1} - A_i)‖/‖a‖."""
    block, prompts = trained.in_fp64(TRIALS, trained.generator(4))
    W = block.first_weight
    with torch.no_grad():
        a = block.read(None, prompts.query)
        attended = torch.stack([block.read(prompts.context[:, :i], prompts.query) for i in range(1, prompts.context.shape[1] + 1)], dim=1)
        steps = attended.diff(dim=1) @ W.mT  # (trials, n - 1, m)
        norm = a.norm(dim=-1, keepdim=True)
        sizes = steps.norm(dim=-1) / norm
        update = ((attended[:, -1] - a) @ W.mT).norm(dim=-1, keepdim=True) / norm
        alignment = nn.functional.cosine_similarity(steps[:, 1:], steps[:, :-1], dim=-1)
    averages = tuple(_averaged(i, sizes[:, i - 1]) for i in range(1, sizes.shape[1] + 1))
    return LayerCompared(averages, float(update.mean()), float(alignment.mean()), _vanishes_at(averages))


def _vanishes_at(steps: tuple[Averaged, ...]) -> int | None:
    by_tokens = {step.tokens: step.mean for step in steps}
    small = VANISHED * by_tokens.get(2, 0.0)
    last = next((step.tokens for step in reversed(steps) if not step.mean < small), 0)
    return last + 1 if last < steps[-1].tokens else None


def finetuning_compared(trained: TrainedBlock) -> Finetuning:
    """Figure 3: SGD on W, one example a step in the order of the prompt, against the ΔW of the same examples; both answer the same test query."""
    block, prompts = trained.in_fp64(TRIALS, trained.generator(4))
    raw = draw_prompts(trained.block.recipe, TRIALS, trained.generator(4))
    answers, columns = raw.context[..., -1].double(), raw.context.clone()
    columns[..., -1] = 0.0  # each example as a query: (x_i, 0)
    asked = copy.deepcopy(trained.model.embedding).double()(columns.double()).detach()
    (first_layer,), goal = block.first_layers, prompts.answer
    name = f"network.{first_layer}.weight"

    def predicted(W: Tensor, query: Tensor) -> Tensor:
        output = functional_call(block, {name: W}, (None, query.unsqueeze(0)))
        assert isinstance(output, Tensor)
        return output[0, -1]

    def loss(W: Tensor, query: Tensor, answer: Tensor) -> Tensor:
        return 0.5 * (predicted(W, query) - answer).square()

    slope, test = vmap(grad(loss)), vmap(loss)
    W = block.first.weight.detach().expand(TRIALS, -1, -1).clone()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # vmap has no rule for the fused ones
        a = block.read(None, prompts.query).unsqueeze(-1)
        finetuned, patched = [_averaged(0, test(W, prompts.query, goal))], [_averaged(0, test(W, prompts.query, goal))]
        for i in range(1, trained.block.recipe.examples + 1):
            W = W - RATE * slope(W, asked[:, i - 1], answers[:, i - 1])
            finetuned.append(_averaged(i, test(W, prompts.query, goal)))
            delta = formulas.context_vector(block.read(prompts.context[:, :i], prompts.query).unsqueeze(-1), a)
            update = formulas.rank_one_update(block.first.weight, delta, a)
            patched.append(_averaged(i, test(formulas.patched_weight(block.first.weight, update), prompts.query, goal)))
    return Finetuning(tuple(finetuned), tuple(patched))


def _averaged(tokens: int, values: Tensor) -> Averaged:
    """values: (trials,)."""
    return Averaged(tokens, float(values.mean()), float(values.std() / len(values) ** 0.5))
