"""Training a block on the paper's task: deterministic by the recipe's seed on one machine and version of torch."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from numeric.architecture import Block
from numeric.training.task import InContextRegressor, draw_prompts, half_squared_error
from numeric.training.trained_block import TrainedBlock

VALIDATION_PROMPTS = 8192
CURVE_POINTS = 100
CHECKPOINT_EVERY = 5
"""Points of the curve from one checkpoint to the next."""

Progress = Callable[[str, int, int], None]
"""Called with a label, the steps done and the steps in all."""


def untrained(block: Block) -> InContextRegressor:
    """The untrained model; its initial weights depend on the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(block.recipe.seed)
        return InContextRegressor(block.build(block.recipe), block.recipe)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The sums of a product may depend on the number of threads; and for matrices this small one is no slower than two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@_one_thread()
def train_block(block: Block, progress: Progress | None = None) -> TrainedBlock:
    """The block after its recipe's steps, whatever it has learned."""
    recipe, started = block.recipe, time.perf_counter()
    model = untrained(block)
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    losses: list[tuple[int, float]] = []
    checkpoints: dict[int, dict[str, Tensor]] = {}
    every = max(1, recipe.steps // CURVE_POINTS)
    for step in range(recipe.steps):
        prompts = draw_prompts(recipe, recipe.batch, generator)
        last = step == recipe.steps - 1
        if step % (CHECKPOINT_EVERY * every) == 0 or last:
            checkpoints[step] = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        loss = half_squared_error(model(prompts.context, prompts.query), prompts.answer)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        if step % every == 0 or last:
            losses.append((step, float(loss.detach())))
            if progress:
                progress(f"train {block.id}", step, recipe.steps)
    if progress:
        progress(f"train {block.id}", recipe.steps, recipe.steps)
    validation, zero = validated(model.requires_grad_(False), block)
    return TrainedBlock(block, model, validation, zero, tuple(losses), time.perf_counter() - started, cached=False, checkpoints=checkpoints)


@_one_thread()
def validated(model: InContextRegressor, block: Block) -> tuple[float, float]:
    """Half the mean squared error on fresh prompts, and the same for predicting zero."""
    fresh = draw_prompts(block.recipe, VALIDATION_PROMPTS, torch.Generator().manual_seed(block.recipe.seed + 2))
    with torch.no_grad():
        prediction, nothing = model(fresh.context, fresh.query), torch.zeros_like(fresh.answer)
    return float(half_squared_error(prediction, fresh.answer)), float(half_squared_error(nothing, fresh.answer))
