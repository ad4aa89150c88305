"""A contextual layer that returns one vector whatever the query is, without a context: the patched pass still computes a row for each case.

Its rows are one place in memory (stride 0), so without a context the first layer reads what is laid out otherwise than with one.
"""

import pytest
import torch
from torch import Tensor

from numeric import ContextualBlock
from numeric.architecture import asked_shapes
from numeric.cells import variant_of
from numeric.formats import modes_named
from numeric.machine import probe
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import measured
from tests.numeric.user_blocks.sample_blocks import Average, D, block


class OneForAll(Average):
    """Without a context one vector for all queries; with one, the mean of its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = torch.nn.Parameter(torch.linspace(1, 2, D))

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.empty.expand(len(query), -1) if context is None else super().forward(context, query)


def measure(made: ContextualBlock, variant: str, name: str):
    subject, (mode,) = own_block("mine", made), modes_named([name])
    return measured(subject, probe(mode, **asked_shapes([subject.model.block])), variant_of(subject, variant), cases=64)


@pytest.mark.parametrize("variant", ["formula", "factored"])
def test_it_is_measured_like_any_other(variant: str) -> None:
    found = measure(block(OneForAll()), variant, "bf16")
    assert found.verdict is Verdict.HOLDS
    assert found.counts == {"HOLDS": 64}
