"""A block that is made, or run, in inference mode is a block like any other."""

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import UnusableBlock
from numeric.user_blocks import own_block, transfers
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, M, block, measured, network


class Inferring(Average):
    @torch.inference_mode()
    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return super().forward(context, query)


class InferringNetwork(nn.Module):
    """A network of which every result, or none, is made in inference mode."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(D, M), act, nn.Linear(M, D))

    @torch.inference_mode()
    def forward(self, v: Tensor) -> Tensor:
        output: Tensor = self.layers(v)
        return output


def prompts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, D, generator=generator), torch.randn(2, D, generator=generator)


def test_a_layer_and_a_network_that_run_in_inference_mode_hold() -> None:
    assert measured("formula", block(Inferring())).verdict is Verdict.HOLDS
    assert measured("formula", block(net=InferringNetwork(nn.ReLU()), first="layers.0")).verdict is Verdict.HOLDS


def test_what_is_changed_in_place_is_seen_in_inference_mode_too() -> None:
    """As outside of it: nothing that is noted of the modules would be true."""
    with pytest.raises(UnusableBlock, match="is changed in place afterwards"):
        own_block("mine", block(net=InferringNetwork(nn.ReLU(inplace=True)), first="layers.0"))


@torch.inference_mode()
def test_a_block_that_is_made_and_measured_in_inference_mode_holds() -> None:
    for row in transfers(block(), *prompts(), formats=["fp64", "fp8-e4m3"]):
        assert row.verdict in (Verdict.HOLDS, Verdict.VACUOUS), row.reason
    assert torch.is_inference_mode_enabled()


def test_weights_made_in_inference_mode_keep_their_numbers_and_ties() -> None:
    with torch.inference_mode():
        made = block(Inferring())
        tied = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D))
        tied[2].weight = nn.Parameter(tied[0].weight.T, requires_grad=False)
        tied_block = block(net=tied)
    before = {name: weight.clone() for name, weight in made.named_parameters()}
    own_block("mine", made)
    assert all(torch.equal(weight, before[name]) for name, weight in made.named_parameters())
    with pytest.raises(UnusableBlock, match="is tied to the first layer's weight"):
        own_block("mine", tied_block)


def test_contexts_drawn_in_inference_mode_are_taken() -> None:
    @torch.inference_mode()
    def contexts(cases: int, generator: torch.Generator) -> Tensor:
        return torch.randn((cases, 5, D), generator=generator)

    own_block("mine", block(net=network()), contexts=contexts)
