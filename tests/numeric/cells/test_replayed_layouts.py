"""A witness of operands that lie in memory in any way comes out bit for bit: its replay lays them out again."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import asked_shapes
from numeric.cells import Cell, Witness, measure_cell
from numeric.cells.replay import replayed
from numeric.cells.witness import DamagedWitness, encoded, read_witness
from numeric.formats import modes_named
from numeric.machine import probe
from numeric.scenarios import scenarios_named
from numeric.sides import block_in_format, variants_named
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.random_blocks import HANDED_ON, WEIGHTS, Drawn

D, M = 512, 32


class LastEntry(nn.Module):
    """Hands the query on, but for its last entry, which the context moves."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        if context is None:
            return query * 1.0
        return torch.cat([query[:, :-1], query[:, -1:] + context[..., -1].mean(1, keepdim=True)], 1)


def told_apart_by_order(lies: str) -> ContextualBlock:
    """A layer whose sum errs by nearly its bound if terms are added in one order, and by more if they are added in the other."""
    W = torch.randn((M, D), generator=torch.Generator().manual_seed(0)) / D**0.5
    W[0] = 2.0**-16 * (1 + 2.0**-12)
    W[0, :5], W[0, 5:9], W[0, D - 9 : D - 5], W[0, D - 5 :] = 0.0, 64.0, -64.0, 0.0
    first = nn.Linear(D, M)
    first.bias.data.zero_()
    first.weight = nn.Parameter(WEIGHTS[lies](W))
    return ContextualBlock(LastEntry(), nn.Sequential(first, nn.ReLU(), nn.Linear(M, 4)), "0", input_width=D)


def its_contexts(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    pattern = torch.full((D,), 1 - 2.0**-12 + 2.0**-24)
    pattern[:9], pattern[D - 9 :] = 1.0, 1.0
    scale = torch.exp2(torch.randint(-3, 4, (batch, 1), generator=generator).float())
    return torch.randn((batch, 6, D), generator=generator), pattern * scale


def witness_of(block: ContextualBlock, batch: int, contexts: object = None) -> tuple[Witness, Verdict]:
    subject = own_block("mine", block, contexts=contexts)  # type: ignore[arg-type]
    (mode,), (variant,), (scenario,) = modes_named(["fp32"]), variants_named(["formula"]), scenarios_named(["random"])
    probed = probe(mode, **asked_shapes([subject.model.block]), batch=batch)
    found = measure_cell(Cell(subject, block_in_format(subject.model.block, probed), probed, variant, scenario, batch, certified=0), 0)
    assert found.witness is not None
    return found.witness, found.verdict


@pytest.mark.parametrize("handed_on", HANDED_ON)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_witness_is_reproduced_from_any_layout(weight: str, handed_on: str) -> None:
    drawn = Drawn(6, 37, 21, weight, handed_on, bias=True, act="relu", batch=33, threads=1, modes=(), seed=3)
    witness, verdict = witness_of(drawn.block(), drawn.batch)
    again = replayed(witness)
    assert again.reproduces
    assert (again.verdict, str(verdict)) == ("HOLDS", "HOLDS")
    assert again.ratio == pytest.approx(again.recorded_ratio, rel=2.0**-40)


def test_a_right_update_of_a_weight_that_lies_column_by_column_holds() -> None:
    """With the order that was asked of a weight that lies row by row it came out VIOLATED, by a factor of two."""
    witness, verdict = witness_of(told_apart_by_order("column by column"), 64, its_contexts)
    assert verdict is Verdict.HOLDS
    assert replayed(witness).reproduces
    # The planted negative: the same operands row by row are another call, and give other bits.
    row_by_row = replace(witness, facts=replace(witness.facts, layers=[{**witness.facts.layers[0], "weight": [D, 1, 0]}]))
    assert not replayed(row_by_row).reproduces


@pytest.mark.parametrize(
    "lies",
    [None, [], [1, 2], [1, 2, 3, 4], [37, 1, 64], [37, 1, 2], [37, 1, -4], [37.0, 1, 0], [True, 1, 0], [2**40, 1, 0], [1, 1, 0], [-37, 1, 0], "371"],
    ids=str,
)
def test_a_weight_that_cannot_lie_so_is_a_damaged_witness(lies: object, tmp_path) -> None:
    witness, _ = witness_of(Drawn(6, 37, 21, "row by row", "fresh", bias=True, act="relu", batch=5, threads=1, modes=(), seed=3).block(), 5)
    path = tmp_path / "witness.safetensors"
    path.write_bytes(encoded(witness.tensors, witness.facts.as_dict()))
    assert read_witness(path).facts.layers[0]["weight"] == [37, 1, 0]
    facts = witness.facts.as_dict()
    path.write_bytes(encoded(witness.tensors, {**facts, "layers": [{**facts["layers"][0], "weight": lies}]}))
    with pytest.raises(DamagedWitness, match="do not fit together"):
        read_witness(path)
