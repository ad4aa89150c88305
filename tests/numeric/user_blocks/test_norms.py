"""A norm in front of the first layer may be any that keeps cases apart: it is measured, and needs no rule. Inside the network it is refused by its name."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from numeric.architecture import UnusableBlock
from numeric.cells.exclusions import unsupported_reason
from numeric.formats import MODES, torch_dtype
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, M, block, measured, network


def batch_norm(width: int = D) -> nn.Module:
    """With statistics and scales as after training."""
    torch.manual_seed(2)
    made = nn.BatchNorm1d(width)
    made.running_mean, made.running_var = torch.randn(width), torch.rand(width) + 0.5
    made.weight.data, made.bias.data = torch.randn(width), torch.randn(width)
    return made


NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": batch_norm,
    "batch, without a scale": lambda: nn.BatchNorm1d(D, affine=False),
    "group": lambda: nn.GroupNorm(1, D),
    "two after another": lambda: nn.Sequential(nn.LayerNorm(D), batch_norm()),
}


@pytest.mark.parametrize("what", NORMS)
@pytest.mark.parametrize("parallel", [False, True])
def test_a_norm_that_keeps_cases_apart_is_taken_in(what: str, parallel: bool) -> None:
    own_block("mine", block(norm=NORMS[what](), parallel=parallel))


def test_and_measured() -> None:
    assert measured("formula", block(norm=NORMS["two after another"]())).verdict is Verdict.HOLDS


def test_a_batch_norm_runs_in_every_mode() -> None:
    """Also where its weights and what it reads are of two dtypes."""
    made = block(norm=batch_norm())
    for mode in MODES:
        norm = batch_norm().eval().requires_grad_(False).to(torch_dtype(mode.weights))
        x = torch.randn(3, D).to(torch_dtype(mode.activations))
        assert unsupported_reason(made, mode) is None
        assert norm(x).shape == (3, D)


class Normalised(Average):
    """A contextual layer with a batch normalisation behind it."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.map = nn.Sequential(self.map, nn.BatchNorm1d(D, **options))  # type: ignore[assignment]


def test_one_with_the_statistics_of_the_batch_is_refused() -> None:
    """Wherever it stands; one with its own is taken in."""
    own_block("mine", block(Normalised()))
    for made in (block(Normalised(track_running_stats=False)), block(norm=nn.BatchNorm1d(D, track_running_stats=False))):
        with pytest.raises(UnusableBlock, match=r"a BatchNorm1d without running statistics .track_running_stats=False.*or write nn.LayerNorm"):
            own_block("mine", made)


INSIDE: dict[str, Callable[[], nn.Module]] = {
    "BatchNorm1d": lambda: nn.BatchNorm1d(M),
    "GroupNorm": lambda: nn.GroupNorm(2, M),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(8),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(2),
    "Conv1d": lambda: nn.Conv1d(8, 8, 1),
    "Embedding": lambda: nn.Embedding(3, M),
}


@pytest.mark.parametrize("name", INSIDE)
def test_inside_the_network_it_is_refused_by_its_name(name: str) -> None:
    """Whether it runs there or breaks."""
    layers = nn.Sequential(nn.Linear(D, M), INSIDE[name](), nn.ReLU(), nn.Linear(M, D))
    with pytest.raises(UnusableBlock, match=rf'no rounding rule for "{name}" \("1" of the network\).*ContextualBlock.of'):
        own_block("mine", block(net=layers))


def test_in_front_of_the_first_layer_inside_it_is_the_blocks_norm() -> None:
    with pytest.raises(UnusableBlock, match=r'"0" \(BatchNorm1d\) stands between .* or give it as the norm'):
        own_block("mine", block(net=network(nn.BatchNorm1d(D)), first="1"))


@pytest.mark.parametrize("norm", [nn.LocalResponseNorm(2), nn.InstanceNorm1d(D, affine=True), nn.BatchNorm2d(D)])
def test_a_norm_of_other_shapes_is_named(norm: nn.Module) -> None:
    with pytest.raises(UnusableBlock, match=rf"the norm fails on what the contextual layer returned, \(8, 4\): ValueError.*\({type(norm).__name__}\)"):
        own_block("mine", block(norm=norm))


class StaysInTraining(nn.BatchNorm1d):
    """As of a layer that was frozen by hand, the wrong way round."""

    def train(self, mode: bool = True) -> "StaysInTraining":
        return super().train(True)


def test_a_batch_norm_that_eval_does_not_reach_is_refused_by_name() -> None:
    """One that was left in training mode, and is put to rest here, is taken in."""
    with pytest.raises(UnusableBlock, match=r'"norm", a StaysInTraining, stays in training mode after eval\(\)'):
        own_block("mine", block(norm=StaysInTraining(D)))
    own_block("mine", block(norm=batch_norm().train()).train())
