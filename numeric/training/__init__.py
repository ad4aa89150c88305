"""The paper's task, training a block on it, and the cache of trained blocks."""

from numeric.training.cache import is_cached, save_whole, trained
from numeric.training.task import draw_prompts
from numeric.training.trained_block import BlockNotTrained, TrainedBlock, weights_digest

__all__ = ["BlockNotTrained", "TrainedBlock", "draw_prompts", "is_cached", "save_whole", "trained", "weights_digest"]
