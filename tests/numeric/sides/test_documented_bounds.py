"""The table of docs/bounds.md: what two layers of the size of real models err by, and the bounds on it, measured again to the digits shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.formats import modes_named, torch_dtype
from numeric.machine import Refinement, probe
from numeric.operators.block import WatchedBlock
from numeric.sides import Sides, judge, variants_named
from numeric.sides.written_sides import ASKED_SHAPES, WrittenCases, measure_written_sides, written_in_format
from tests.real_blocks.libraries import library
from tests.real_blocks.transformers_decoders import WithRotary, call

PAGE = Path(__file__).parents[3] / "docs" / "bounds.md"
CASES, TOKENS = 8, 8
FORMATS = ("fp32", "bf16", "fp16")
PLACES = {"first layer": "first_layer", "output": "output"}
FIRST = {"GPT-2": ("layer.mlp.c_fc.weight",), "Llama": ("layer.mlp.gate_proj.weight", "layer.mlp.up_proj.weight")}


class OnTokens(nn.Module):
    """GPT-2's first block, its positions being part of the tokens."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, positions: Tensor) -> Any:
        return self.layer(x)


def gpt2() -> nn.Module:
    """GPT-2 small's: 768 → 3072, twelve heads."""
    code = library("transformers.models.gpt2.modeling_gpt2")
    return OnTokens(code.GPT2Block(code.GPT2Config(attn_implementation="sdpa"), 0))


def llama() -> nn.Module:
    """SmolLM-135M's: 576 → 1536, nine heads, three for keys and values."""
    code = library("transformers.models.llama.modeling_llama")
    sizes = {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3}
    config = code.LlamaConfig(**sizes, attn_implementation="sdpa")
    return WithRotary(code.LlamaDecoderLayer(config, 0), code.LlamaRotaryEmbedding(config))


LAYERS: dict[str, Callable[[], nn.Module]] = {"GPT-2": gpt2, "Llama": llama}


def held_by_all(x: Tensor) -> Tensor:
    """The nearest numbers that every format of the table has: a bf16 number rounded to fp16 has no more bits than before."""
    return x.to(torch.bfloat16).to(torch.float16).to(torch.float32)


def measured(layer: str) -> dict[str, tuple[Sides, Sides]]:
    """By format: both sides of the same eight prompts with the bounds as they are, and without any refinement."""
    torch.manual_seed(0)
    module = LAYERS[layer]().eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.copy_(held_by_all(parameter))
    block = WatchedBlock.of(ContextualBlock.of(module, call, first=list(FIRST[layer])))
    x = held_by_all(torch.randn((CASES, TOKENS + 1, block.width), generator=torch.Generator().manual_seed(1)))
    found = {}
    for name in FORMATS:
        (mode,) = modes_named([name])
        probed, dtype = probe(mode, shapes=ASKED_SHAPES, batch=CASES), torch_dtype(mode.activations)
        cases = WrittenCases(x[:, :-1].to(dtype), x[:, -1].to(dtype), tuple(range(TOKENS)))
        assert torch.equal(cases.query.float(), x[:, -1])
        own, (formula,) = written_in_format(block, probed), variants_named(["formula"])
        found[name] = (measure_written_sides(own, cases, formula), measure_written_sides(own.under(probed.without(Refinement)), cases, formula))
    return found


def row(layer: str, name: str, place: str, refined: Sides, plain: Sides) -> list[str]:
    """A row of the table: medians over the cases of the largest entry."""
    bounds = []
    for sides in (refined, plain):
        left, right = (getattr(side, PLACES[place]) for side in (sides.left, sides.right))
        error, bound = (left.value - right.value).abs().amax(-1), (left.radius + right.radius).amax(-1)
        assert bool((error > 0).all())
        bounds.append(bound)
    ratios = [_two_digits((bound / error).median().item()) for bound in bounds]
    verdicts = " ".join(sorted(set(judge(refined).verdict)))
    return [layer, name, place, f"{error.median().item():.1e}", *(f"{bound.median().item():.1e}" for bound in bounds), *ratios, verdicts]


def _two_digits(x: float) -> str:
    return f"{x:.2g}" if x < 99 else f"{int(float(f'{x:.1e}')):,}"


def rows_of(page: str) -> list[list[str]]:
    """The rows of the page's table."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def odd(rows: list[list[str]]) -> list[list[str]]:
    """Rows that contradict themselves: an error beyond its bound, or a bound that refinements do not make narrower."""
    found = []
    for each in rows:
        error, bound, plain, of_bound, of_plain = (float(cell.replace(",", "")) for cell in each[3:8])
        if not (0 < error < bound < plain and 1 < of_bound < of_plain):
            found.append(each)
    return found


def test_the_table_has_every_row_and_none_contradicts_itself() -> None:
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert [each[:3] for each in rows] == [[layer, name, place] for layer in LAYERS for name in FORMATS for place in PLACES]
    assert not odd(rows)
    first = rows[0]
    assert odd([[*first[:3], first[4], first[3], *first[5:]]])
    assert odd([[*first[:4], first[5], first[4], *first[6:]]])


@pytest.mark.soak
@pytest.mark.parametrize("layer", LAYERS)
def test_the_table_is_what_is_measured(layer: str) -> None:
    """Where sums are added in another order the figures are others; but none by a factor of two, as the page says, and the verdicts are the same."""
    made = [row(layer, name, place, *sides) for name, sides in measured(layer).items() for place in PLACES]
    for each in made:
        print("| " + " | ".join(each) + " |")
    assert not odd(made)
    documented = [each for each in rows_of(PAGE.read_text(encoding="utf-8")) if each[0] == layer]
    assert [agree(*pair) for pair in zip(documented, made, strict=True)] == [True] * len(made)
    for place in range(3, 8):
        other = [list(each) for each in made]
        other[0][place] = str(2.5 * float(documented[0][place].replace(",", "")))
        assert not agree(documented[0], other[0])


def agree(one: list[str], other: list[str]) -> bool:
    """Whether two rows have the same words, and figures within a factor of two."""
    figures = [[float(cell.replace(",", "")) for cell in each[3:8]] for each in (one, other)]
    words = [[*each[:3], *each[8:]] for each in (one, other)]
    return words[0] == words[1] and all(x < 2 * y and y < 2 * x for x, y in zip(*figures, strict=True))
