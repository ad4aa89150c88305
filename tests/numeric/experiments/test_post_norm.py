"""A post-norm's scale: the right patch reproduces the block with its prompt, wrong ones do not, and the block is what it says."""

import pytest
import torch

from numeric.experiments import post_norm as subject
from numeric.experiments.patched_stack import STRAYED
from numeric.experiments.post_norm import post_norm
from numeric.training import TrainedBlock
from symbolic import formulas


def test_the_scale_takes_what_the_stream_lacks(blocks: dict[str, TrainedBlock]) -> None:
    found = post_norm(blocks["pre-ln"])
    assert found.apart <= STRAYED
    assert found.smallest > 0
    assert len(found.planted) == 4
    assert min(found.planted.values()) > 1e6 * STRAYED


def test_the_block_ends_in_a_norm(blocks: dict[str, TrainedBlock]) -> None:
    """v + m ⊙ y/√(mean y² + ε), y the trained network's output, written out."""
    block, context, query = subject._prepared(blocks["pre-ln"])
    before = blocks["pre-ln"].model.block
    with torch.no_grad():
        v = block.contextual(context, query)
        y = v.clone()
        for module in (block.norm, *list(block.network.children())[:-1]):
            y = module(y)
        normal = y / (y.square().mean(-1, keepdim=True) + torch.finfo(torch.float64).eps).sqrt()
        expected = v + block.get_parameter("network.post.weight") * normal
        assert float((block(context, query) - expected).abs().max()) <= STRAYED
        assert float((subject._normalised(block, v) - normal).abs().max()) <= STRAYED
    assert len(list(block.network.children())) == len(list(before.network.children())) + 1


@pytest.mark.parametrize("wrong", ["scale_update", "rank_one_update"])
def test_a_wrong_formula_is_seen(wrong: str, blocks: dict[str, TrainedBlock], monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(formulas, wrong)
    monkeypatch.setattr(formulas, wrong, lambda *arguments: right(*arguments) * (1 + 2.0**-20))
    assert post_norm(blocks["pre-ln"]).apart > STRAYED
