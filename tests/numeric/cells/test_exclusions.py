"""A block that a mode cannot run is skipped by name, and no other is."""

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.cells.exclusions import unsupported_reason
from numeric.formats import modes_named

WIDTH = 8


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = query.unsqueeze(1)
        return self.layer(tokens if context is None else torch.cat([context, tokens], dim=1))[0][:, -1]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        asked = query.unsqueeze(1)
        tokens = asked if context is None else torch.cat([context, asked], dim=1)
        return self.layer(asked, tokens, tokens, need_weights=False)[0].squeeze(1)


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer: nn.Module = nn.Linear(WIDTH, WIDTH)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        tokens = query.unsqueeze(1)
        return self.layer((tokens if context is None else torch.cat([context, tokens], dim=1)).mean(1))


class Normalised(Mean):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH))


@pytest.mark.parametrize("name", ["fp32", "bf16", "tf32", "bf16-autocast", "bf16-fp32-weights", "fp8-e4m3"])
@pytest.mark.parametrize(
    ("layer", "said"),
    [(Recurrent, "recurrent layers take"), (Attention, "MultiheadAttention takes"), (Normalised, None), (Mean, None)],
)
def test_a_layer_of_one_dtype_is_skipped_by_name_where_there_are_two(layer: type[nn.Module], said: str | None, name: str) -> None:
    """Such a layer meets weights in fp32 and inputs in bf16, and breaks; under torch.autocast both are cast first."""
    (mode,) = modes_named([name])
    network = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
    found = unsupported_reason(ContextualBlock(layer(), network, "0", input_width=WIDTH), mode)
    if said is None or name != "bf16-fp32-weights":
        assert found is None
    else:
        assert found == f"PyTorch's {said} weights and inputs of one dtype"
