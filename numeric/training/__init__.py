"""The paper's task, training a block on it, and the cache of trained blocks."""
