"""The largest entry of tensors, by hand."""

import torch

from numeric.arithmetics.largest_entry import largest_entry


def test_the_largest_entry_is_the_largest_in_size_of_each_case() -> None:
    x = torch.tensor([[[1.0], [-3.0], [2.0]], [[0.5], [0.25], [-0.125]]])
    assert largest_entry(x).tolist() == [[[3.0]], [[0.5]]]
    assert largest_entry(x.mT).tolist() == [[[3.0]], [[0.5]]]
