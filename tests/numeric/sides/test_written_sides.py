"""Both sides of a block as it is written lie within their radii of one vector, which its own module computes in float64 from the same z and the same stream."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from numeric import ContextualBlock
from numeric.formats import modes_named, torch_dtype
from numeric.machine import probe
from numeric.operators.block import WatchedBlock
from numeric.operators.double_precision import converted
from numeric.operators.layout import Layout
from numeric.operators.recording import Cases, DoubleBlock
from numeric.sides import Sides, judge, variants_named
from numeric.sides.one_side import Site
from numeric.sides.written_passes import BlockInFormat
from numeric.sides.written_sides import ASKED_SHAPES, WrittenCases, measure_written_sides, written_in_format
from tests.real_blocks import transformers_experts
from tests.real_blocks.cases import ROUNDINGS
from tests.real_blocks.corpus import ALL
from tests.real_blocks.own_words import BLOCKS as OWN_WORDS
from tests.real_blocks.real_block import RealBlock

CASES, TOKENS = 8, 5
MIXTURES = {each.name for each in (*transformers_experts.BLOCKS, *transformers_experts.OTHER_KERNELS)}
"""Blocks whose cases run one after the other: ``test_written_mixtures.py`` has them."""
FORMATS = ("fp32", "bf16", "fp16")
FORMULA = variants_named(["formula"])[0]


def watched(real: RealBlock) -> WatchedBlock:
    return WatchedBlock.of(ContextualBlock.of(real.build(), real.call, real.w))


def in_format(block: WatchedBlock, name: str) -> BlockInFormat:
    (mode,) = modes_named([name])
    return written_in_format(block, probe(mode, shapes=ASKED_SHAPES))


def some_cases(block: WatchedBlock, name: str, removed: tuple[int, ...]) -> WrittenCases:
    (mode,) = modes_named([name])
    x = torch.randn((CASES, TOKENS + 1, block.width), generator=torch.Generator().manual_seed(11)).to(torch_dtype(mode.activations))
    return WrittenCases(x[:, :-1].clone(), x[:, -1].clone(), removed)


def exchanged(layout: Layout, whole: Tensor, query: Tensor) -> Tensor:
    rows = layout.rows(whole, len(query)).clone()
    rows[:, layout.token if rows.shape[1] > 1 else 0] = query.double()
    return layout.back(rows, whole.shape)


def exact_output(block: BlockInFormat, cases: WrittenCases) -> Tensor:
    """What the same module computes in float64 of what the format's pass read at the cut, and of the stream that it carried."""
    left, anatomy = block.run(cases.whole), block.anatomy
    double = DoubleBlock(converted(block.module, torch.float64), block.call, {})
    whole = Cases(cases.context.double(), cases.query.double(), cases.whole.positions)
    trace, replaced = double.record(whole), {}
    for number, cut in enumerate(anatomy.cuts):
        record = trace.at(cut.place)
        operand = cut.product.operand(record.operand(cut.product.rows).value)
        put = exchanged(anatomy.layout, operand, left.at_cut(number)[0].value)
        replaced[record.place, cut.product.rows] = put.mT if cut.product.weight_left else put
    for place, index in left.joining:
        replaced[trace.at(place).place, index] = left.what_joins((place, index)).double()
    return double.replay(whole, replaced)


def first_layer_exactly(block: BlockInFormat, cases: WrittenCases, sides: Sides) -> Tensor:
    left = block.run(cases.whole)
    made = []
    for number in range(len(block.anatomy.cuts)):
        added = left.added_at_cut(number)
        made.append(sides.z.double() @ block.matrix(number).double() + (0.0 if added is None else added.double()))
    return torch.cat(made, -1)


def outside(sides: Sides, exact_first: Tensor, exact_out: Tensor) -> list[str]:
    """Which side of a judged case is farther from the exact one than its radius, and than float64 can tell."""
    found, judged = [], torch.from_numpy(judge(sides).reason == "")
    for side in ("left", "right"):
        measured = getattr(sides, side)
        for name, site, exact in (("first layer", measured.first_layer, exact_first), ("output", measured.output, exact_out)):
            doubt = ROUNDINGS * torch.finfo(torch.float64).eps / 2 * exact.abs().amax()
            if not bool(((site.value - exact).abs() <= site.radius + doubt)[judged].all()):
                found.append(f"{side}, {name}")
    return found


def _certain(site: Site) -> Site:
    return Site(site.value, torch.zeros_like(site.radius))


def check(real: RealBlock, name: str, removed: tuple[int, ...]) -> Sides:
    return check_watched(watched(real), name, removed)


def check_watched(block: WatchedBlock, name: str, removed: tuple[int, ...]) -> Sides:
    held, cases = in_format(block, name), some_cases(block, name, removed)
    sides = measure_written_sides(held, cases, FORMULA)
    first, output = first_layer_exactly(held, cases, sides), exact_output(held, cases)
    assert outside(sides, first, output) == []
    assert torch.equal(sides.again, sides.a)
    exactly = (replace(side, first_layer=_certain(side.first_layer), output=_certain(side.output)) for side in (sides.left, sides.right))
    left, right = exactly
    assert len(outside(replace(sides, left=left, right=right), first, output)) >= 2, "radii of zero would do"
    return sides


def noticed(sides: Sides) -> int:
    return int(judge(sides).wrong_noticed.sum())


@pytest.mark.parametrize("real", OWN_WORDS, ids=str)
def test_both_sides_lie_within_their_radii_of_what_float64_finds(real: RealBlock) -> None:
    sides = check(real, "fp32", tuple(range(TOKENS)))
    judged = judge(sides)
    assert set(judged.verdict) == {"HOLDS"}
    assert judged.wrong_noticed.all()


@pytest.mark.soak
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("real", [each for each in ALL if each.name not in MIXTURES], ids=str)
def test_the_whole_corpus_lies_within_its_radii(real: RealBlock, name: str) -> None:
    for removed in (tuple(range(TOKENS)), (0, 3)):
        sides = check(real, name, removed)
        judged = judge(sides)
        assert not (judged.verdict == "VIOLATED").any()
        if name == "fp32":
            assert set(judged.verdict) == {"HOLDS"}
            assert judged.wrong_noticed.all()
