"""The blocks as they are written that the documentation shows are those of its examples, and are equal in float64; a wrong update of each is not."""

import importlib.util
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor

from numeric.architecture.as_written import BlockAsWritten
from numeric.user_blocks import own_as_written
from numeric.user_blocks.block_as_written import measure_scenario
from numeric.user_blocks.user_block import Update
from tests.real_blocks.libraries import library

DOCS = Path(__file__).parents[3] / "docs"

ABSORBERS = {
    "llama_layer": "layer.mlp.down_proj.weight",
    "gpt2_block": "mlp.c_proj.bias",
    "post_norm_layer": "linear2.bias",
    "functional_layer": "down",
}
"""Of each example, by its formula: the last bias; where there is none, the last matrix."""


def example(name: str) -> ModuleType:
    library("transformers")  # without a warning, and offline
    spec = importlib.util.spec_from_file_location(f"example_{name}", DOCS / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(name: str, update: Update | None = None) -> list[int]:
    """How many of the cases are unequal, by the user's update if there is one."""
    described = example(name).make_block()
    assert isinstance(described, BlockAsWritten)
    own = own_as_written(name, described, update=update, formats=["fp64"])
    absorber = own.watched.anatomy.absorber
    assert absorber is not None
    assert absorber.name == ABSORBERS[name]
    found = [measure_scenario(own, scenario, own.variants[0], 8, seed=1) for scenario in ("random", "subset")]
    assert [each.refused for each in found] == [0, 0]
    return [each.unequal for each in found]


def shortened(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    """Short by about 2⁻²⁰ of itself."""
    return (W @ delta) @ a.mT / (a.mT @ a) / (1 + 2.0**-20)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.soak if name in ("gpt2_block", "post_norm_layer") else ()) for name in ABSORBERS])
def test_each_example_is_equal_in_float64_and_a_wrong_update_is_not(name: str) -> None:
    assert made(name) == [0, 0]
    assert made(name, shortened) == [8, 8]


@pytest.mark.parametrize("name", ABSORBERS)
def test_what_the_documentation_shows_is_the_example(name: str) -> None:
    """Every indented part of the section between a link to one example and the next thing is in that file."""
    text, code = (DOCS / "own_blocks.md").read_text(encoding="utf-8"), (DOCS / "examples" / f"{name}.py").read_text(encoding="utf-8")
    shown = text[text.index(f"(examples/{name}.py)):\n") :].split("\n\n", 1)[1]
    lines = []
    for line in shown.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    words = [line.strip() for line in textwrap.dedent("\n".join(lines)).splitlines() if line.strip()]
    assert len(words) >= 1
    assert [line for line in words if line not in {each.strip() for each in code.splitlines()}] == []
