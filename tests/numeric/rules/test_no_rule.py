"""A module without a rounding rule is refused by its name, on one line, with what to write instead."""

import copy
import inspect

import pytest
import torch
from torch import nn

from numeric.architecture.wiring import hands_on
from numeric.rules import rule_for, why_no_rule


def modules_of_torch() -> list[type[nn.Module]]:
    """Every module that torch.nn offers."""
    return [kind for _, kind in inspect.getmembers(nn, inspect.isclass) if issubclass(kind, nn.Module)]


def bare(kind: type[nn.Module]) -> nn.Module:
    """A module of that class with nothing in it: what is asked of it here is its class."""
    made = kind.__new__(kind)
    nn.Module.__init__(made)
    made.normalized_shape, made.dim = (3,), -1  # type: ignore[assignment]  # what the rules with an axis read
    return made.eval()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # some classes of torch.nn are there for old code alone
def test_every_module_of_torch_has_a_rule_or_is_refused_by_its_name() -> None:
    refused = 0
    for kind in modules_of_torch():
        module = bare(kind)
        if kind is nn.Linear or hands_on(module) or rule_for(module) is not None:
            continue
        said, refused = why_no_rule("7", module), refused + 1
        assert said.startswith(f'no rounding rule for "{kind.__name__}" ("7" of the network)')
        assert "\n" not in said
        assert "ContextualBlock.of(" in said
    assert refused > 100


class Conv1D(nn.Module):
    """As transformers name GPT-2's dense layers, which hold their weights transposed."""


class Louder(nn.ReLU):
    pass


class HalfIdentity(nn.Identity):
    pass


def replaced() -> nn.Module:
    made = nn.ReLU()
    made.forward = lambda x: x + 1  # type: ignore[method-assign, assignment]
    return made


SAID: dict[str, tuple[nn.Module, str]] = {
    "batch norm": (nn.BatchNorm1d(3), "fuse_linear_bn_eval"),
    "group norm": (nn.GroupNorm(1, 3), "rules for LayerNorm and RMSNorm"),
    "instance norm": (nn.InstanceNorm1d(3), "rules for LayerNorm and RMSNorm"),
    "response norm": (nn.LocalResponseNorm(3), "rules for LayerNorm and RMSNorm"),
    "embedding": (nn.Embedding(3, 3), "reads integers"),
    "convolution": (nn.Conv1d(3, 3, 1), "write nn.Linear"),
    "transposed": (Conv1D(), "write nn.Linear with weight.T"),
    "another activation": (nn.Tanh(), "there are rules for Linear, ReLU, GELU"),
    "a subclass": (Louder(), "a subclass of ReLU"),
    "a subclass of what is passed over": (HalfIdentity(), "a subclass of Identity"),
    "replaced": (replaced(), "its forward was replaced"),
    "training": (nn.Dropout().train(), "stays in training mode"),
    "over the batch": (nn.Softmax(dim=0), r"along axis 0, the cases of the batch.*write nn.Softmax\(dim=-1\)"),
    "over the batch, from the end": (nn.Softmax(dim=-2), r"along axis -2, the cases of the batch.*write nn.Softmax\(dim=-1\)"),
    "over no axis": (nn.Softmax(dim=2), "along axis 2, which a"),
    "over two axes": (nn.LayerNorm((8, 3)), r"along the last 2 axes.*write nn.LayerNorm\(3\)"),
    "over two axes by their mean square": (nn.RMSNorm((8, 3)), r"along the last 2 axes.*write nn.RMSNorm\(3\)"),
}


@pytest.mark.parametrize("what", SAID)
def test_what_is_said_is_of_the_kind(what: str) -> None:
    module, words = SAID[what]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(why_no_rule("act", module))
    assert "\n" not in why_no_rule("act", module)


@pytest.mark.parametrize(("given", "out"), [(3, 2), (5, 5)])
def test_the_way_out_of_a_batch_norm_computes_the_same(given: int, out: int) -> None:
    """In float64, to the roundings of a product of ``given`` terms and of the norm: what is folded differs by no more than these."""
    torch.manual_seed(0)
    layer, norm = nn.Linear(given, out).double().eval(), nn.BatchNorm1d(out).double().eval()
    norm.running_mean, norm.running_var = torch.randn(out).double(), torch.rand(out).double() + 0.5
    folded = torch.nn.utils.fusion.fuse_linear_bn_eval(copy.deepcopy(layer), norm)
    x = torch.randn(7, given).double()
    wanted, scale = norm(layer(x)), (norm.weight / (norm.running_var + norm.eps).sqrt()).abs()
    size = scale * (layer(x).abs() + x.abs() @ layer.weight.abs().mT + layer.bias.abs() + norm.running_mean.abs()) + norm.bias.abs()
    assert bool(((folded(x) - wanted).abs() <= 2 * (given + 8) * 2.0**-53 * size).all())
    assert not bool(((layer(x) - wanted).abs() <= 2 * (given + 8) * 2.0**-53 * size).all()), "without the norm it is another layer"
