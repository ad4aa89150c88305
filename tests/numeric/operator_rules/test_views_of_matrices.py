"""What is known of a matrix a case, as views of it see it."""

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, hazards
from numeric.machine import FP64
from numeric.operator_rules import Bounded, KnownTensors, NoOperatorRule
from numeric.operator_rules.doubts import Doubt

CASES, P, Q = 2, 3, 4


def kept() -> tuple[KnownTensors, Tensor, Tensor]:
    """Numbers with radii of their own, of which the second case underflowed: what is known, the matrix, and its radii."""
    flags = hazards(CASES, "cpu")
    flags.underflow[1] = True
    value = torch.arange(CASES * P * Q, dtype=torch.float64).reshape(CASES, P, Q)
    knowledge, made = KnownTensors(), exact(value, FP64, flags, radius=2.0**-10 * (1 + value))
    knowledge.put_matrix(value, made)
    assert len(made.entry_radius.unique()) == value.numel()
    return knowledge, value, made.entry_radius


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[:, :2],
        lambda x: x[:, 1:, ::2],
        lambda x: x.mT.unsqueeze(1),
        lambda x: x[1],
        lambda x: x.flatten(),
        lambda x: x.chunk(2, -1)[1].permute(2, 0, 1),
    ],
    ids=["rows", "some columns", "turned, of four dimensions", "a case", "flat", "a chunk, its cases in the middle"],
)
def test_a_view_has_the_radii_and_the_doubts_of_its_entries(view) -> None:
    knowledge, value, radius = kept()
    found = knowledge.of(view(value))
    assert isinstance(found, Bounded)
    assert torch.equal(found.radius, view(radius))
    assert found.doubts is not None
    second = torch.zeros_like(value)
    second[1] = int(Doubt.UNDERFLOW)
    assert torch.equal(found.doubts.double(), view(second))


def test_a_matrix_and_its_transpose_keep_their_factors() -> None:
    knowledge, value, radius = kept()
    for view in (value, value.mT):
        found = knowledge.of(view)
        assert isinstance(found, WithRadius)
        assert torch.equal(found.entry_radius, radius if view is value else radius.mT)


def test_a_part_of_a_matrix_that_cases_share_has_none() -> None:
    """One place in memory would have several radii."""
    knowledge, shared = KnownTensors(), torch.ones((1, P, Q), dtype=torch.float64).expand(CASES, P, Q)
    knowledge.put_matrix(shared, exact(shared, FP64, hazards(CASES, "cpu")))
    with pytest.raises(NoOperatorRule, match="cases share"):
        knowledge.of(shared[:, :2])
