"""A digest of weights tells any two models apart."""

import torch
from torch import nn

from numeric.training import weights_digest


def test_one_bit_of_one_weight_is_another_model() -> None:
    model = nn.Linear(3, 2)
    before = weights_digest(model.state_dict())
    assert weights_digest(model.state_dict()) == before
    with torch.no_grad():
        model.weight.view(torch.int32)[1, 2] ^= 1
    assert weights_digest(model.state_dict()) != before


def test_a_weight_of_another_name_is_another_model() -> None:
    one, two = nn.Module(), nn.Module()
    one.register_parameter("first", nn.Parameter(torch.ones(2)))
    two.register_parameter("other", nn.Parameter(torch.ones(2)))
    assert weights_digest(one.state_dict()) != weights_digest(two.state_dict())
