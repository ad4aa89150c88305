"""Where nothing that may be moved is read, contexts stay as they were drawn."""

from types import SimpleNamespace

import torch

from numeric.scenarios import cancelling


def test_a_layer_that_does_not_read_an_empty_context_keeps_its_tokens() -> None:
    """Of one token none stays: A(∅, x) is of the query alone, and no gradient leads to the context."""
    block = SimpleNamespace(parallel=False, read=lambda context, query: query if context.shape[1] == 0 else context.sum(1) + query)
    subject = SimpleNamespace(model=SimpleNamespace(block=block))
    whole, query, steps = torch.ones(3, 1, 2), torch.ones(3, 2), torch.tensor([1, 2, 3])
    assert torch.equal(cancelling._moved(subject, whole, 0, query, steps, towards_zero=True), whole)
    moved = cancelling._moved(subject, whole, 0, query, steps, towards_zero=False)
    assert not torch.equal(moved, whole)
    assert bool((moved.sum(1).norm(dim=-1) < whole.sum(1).norm(dim=-1)).all()), "Y alone moves, and ΔA gets smaller"
