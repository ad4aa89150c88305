"""Prompts as in training, and the whole context moved into the weights (Y = C)."""

import torch

from numeric.formats import Format
from numeric.scenario import Cases, Scenario
from numeric.task import draw_prompts
from numeric.training import TrainedBlock


def _draw(trained: TrainedBlock, storage: Format, cases: int, generator: torch.Generator) -> Cases:
    prompts = draw_prompts(trained.block.recipe, cases, generator)
    embed = trained.model.embedding
    return Cases(embed(prompts.context).double(), None, embed(prompts.query).double())


SCENARIO = Scenario("random", "Prompts as in training, Y = C", "corollary-2.3.1", _draw)
