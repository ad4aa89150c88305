"""What compiled modules were made of, and what they are called."""

import pytest
import torch
from torch import nn

from numeric.architecture.compiled import as_written, compiled_parts, is_scripted, plain_name, written_throughout

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")  # scripting is deprecated, and there is scripted code


class Compiled(nn.Module):
    """As ``torch.compile`` wraps a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module


def test_the_module_that_a_compiled_one_was_made_of() -> None:
    layer = nn.Linear(1, 1)
    assert as_written(Compiled(Compiled(layer))) is layer
    assert as_written(layer) is layer


def test_compiled_modules_are_taken_out_at_any_depth() -> None:
    inner, outer = nn.Linear(1, 1), nn.Sequential()
    outer.extend([Compiled(nn.Sequential(Compiled(inner), nn.ReLU())), nn.ReLU()])
    outer[1]._compiled_call_impl = outer[1]._call_impl  # as compile() does
    whole = Compiled(outer)
    assert compiled_parts(whole) == ["", "0", "0.0", "1"]
    written = written_throughout(whole)
    assert written is outer
    assert written[0][0] is inner
    assert compiled_parts(written) == []
    assert [name for name, _ in written.named_parameters()] == ["0.0.weight", "0.0.bias"]


def test_names_are_those_that_were_written() -> None:
    assert plain_name("_orig_mod.layers._orig_mod.0") == "layers.0"
    assert plain_name("layers._orig_model.0") == "layers._orig_model.0"


def test_a_traced_module_is_scripted_and_a_compiled_one_is_not() -> None:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        traced = torch.jit.trace(layer, torch.zeros(1, 1), check_trace=False)
    assert is_scripted(traced)
    assert not is_scripted(layer)
    assert not is_scripted(Compiled(layer))
