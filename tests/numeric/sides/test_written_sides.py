"""Both sides of a block as it is written lie within their radii of one vector, which its own module computes in float64 from the same z and the same stream."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.formats import modes_named, round_to, torch_dtype
from numeric.machine import probe
from numeric.operator_rules import BoundedWalk
from numeric.operators.block import WatchedBlock
from numeric.operators.double_precision import converted
from numeric.operators.layout import Layout
from numeric.operators.recording import Cases, DoubleBlock
from numeric.sides import Sides, judge, variants_named
from numeric.sides.one_side import Site
from numeric.sides.own_code import OwnCodeFails
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
FORMATS = tuple(mode.id for mode in modes_named() if mode.id not in ("fp64", "fp32-ftz"))
"""What float64 tells apart from the exact numbers, on a processor that keeps subnormal ones."""
AUTOCAST = "bf16-autocast"
TO_COPY, begins = torch.ops.aten._to_copy.default, BoundedWalk.begins
FORMULA = variants_named(["formula"])[0]


def watched(real: RealBlock) -> WatchedBlock:
    return WatchedBlock.of(ContextualBlock.of(real.build(), real.call, real.w))


def as_cast(real: RealBlock) -> WatchedBlock:
    """The block with numbers of bf16 wherever no patch changes a parameter: then a cast of it loses nothing, and float64 computes with what the block does."""
    block, module = watched(real), real.build()
    absorber = block.anatomy.absorber
    patched = {name for cut in block.anatomy.cuts for name in cut.names} | ({absorber.name} if absorber else set())
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name not in patched:
                parameter.copy_(parameter.bfloat16())
    return WatchedBlock.of(ContextualBlock.of(module, real.call, real.w))


def in_format(block: WatchedBlock, name: str) -> BlockInFormat:
    (mode,) = modes_named([name])
    return written_in_format(block, probe(mode, shapes=ASKED_SHAPES))


def some_cases(block: WatchedBlock, name: str, removed: tuple[int, ...]) -> WrittenCases:
    (mode,) = modes_named([name])
    x = torch.randn((CASES, TOKENS + 1, block.width), generator=torch.Generator().manual_seed(11)).to(torch_dtype(mode.tokens))
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


def radii_of_zero_do(sides: Sides, name: str, exact_first: Tensor, exact_out: Tensor) -> bool:
    """The planted negative: without radii both sides lie where they should.

    In fp64, where float64 cannot be told from the exact one, the two sides are compared with each other. Where no case is judged there is nothing to see.
    """
    if not (judge(sides).reason == "").any():
        return False
    left, right = (replace(side, first_layer=_certain(side.first_layer), output=_certain(side.output)) for side in (sides.left, sides.right))
    certain = replace(sides, left=left, right=right)
    if name == "fp64":
        return "VIOLATED" not in judge(certain).verdict
    return len(outside(certain, exact_first, exact_out)) < 2


def check(real: RealBlock, name: str, removed: tuple[int, ...]) -> Sides:
    return check_watched(as_cast(real) if name == AUTOCAST else watched(real), name, removed)


def check_watched(block: WatchedBlock, name: str, removed: tuple[int, ...]) -> Sides:
    held, cases = in_format(block, name), some_cases(block, name, removed)
    sides = measure_written_sides(held, cases, FORMULA)
    first, output = first_layer_exactly(held, cases, sides), exact_output(held, cases)
    assert outside(sides, first, output) == []
    assert torch.equal(sides.again, sides.a)
    assert not radii_of_zero_do(sides, name, first, output)
    return sides


def noticed(sides: Sides) -> int:
    return int(judge(sides).wrong_noticed.sum())


@pytest.mark.parametrize("real", OWN_WORDS, ids=str)
def test_both_sides_lie_within_their_radii_of_what_float64_finds(real: RealBlock) -> None:
    sides = check(real, "fp32", tuple(range(TOKENS)))
    judged = judge(sides)
    assert set(judged.verdict) == {"HOLDS"}
    assert judged.wrong_noticed.all()


@pytest.mark.parametrize("name", [AUTOCAST, *(pytest.param(each, marks=pytest.mark.soak) for each in FORMATS if each != AUTOCAST)])
def test_so_they_do_in_every_format(name: str) -> None:
    (real,) = (each for each in OWN_WORDS if each.name == "replication")
    assert set(judge(check(real, name, tuple(range(TOKENS)))).verdict) <= {"HOLDS", "VACUOUS"}


def test_autocast_of_the_users_own_is_seen_through() -> None:
    """In fp32: what its code casts is bounded as what a mode casts."""
    (real,) = (each for each in OWN_WORDS if each.name == "replication")

    def cast(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return real.call(module, context, query, positions)

    sides = check_watched(as_cast(replace(real, call=cast)), "fp32", (0, 3))
    assert sides.z.dtype == torch.bfloat16


def test_what_a_cast_of_w_loses_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negative: else the left side is of W as it was cast, and the right one of a W' as it was stored."""
    monkeypatch.setattr(BoundedWalk, "begins", lambda self, step, some=None: begins(self, step, some) if step.operator is not TO_COPY else None)
    (real,) = (each for each in OWN_WORDS if each.name == "replication")
    with pytest.raises(AssertionError, match="left, first layer"):
        check(real, AUTOCAST, tuple(range(TOKENS)))


@pytest.mark.soak
def test_a_stored_input_is_what_the_product_reads() -> None:
    """In a mode that stores z shorter: the cut is noted with those numbers, and returns what it did."""
    (real,) = (each for each in OWN_WORDS if each.name == "replication")
    block = watched(real)
    held, cases = in_format(block, "fp8-e4m3"), some_cases(block, "fp8-e4m3", (0, 1))
    inputs = held.probed.mode.inputs
    assert inputs is not None
    z, made = held.run(cases.whole).at_cut(0)
    assert torch.equal(round_to(z.value, inputs), z.value)
    whole = replace(held, probed=replace(held.probed, mode=replace(held.probed.mode, inputs=None)))
    read, same = whole.run(cases.whole).at_cut(0)
    assert not torch.equal(read.value, z.value)
    assert torch.equal(same.value, made.value)
    assert bool((same.radius > made.radius).all()), "z as it was read is off by a rounding"


TWO_FORMATS = {("RecurrentGemma", "bf16-fp32-weights"), ("decoder with a memory", "bf16-fp32-weights")}
"""A convolution of bf16 numbers by fp32 weights, and attention to a memory in fp32: torch has no kernels of two formats for them, or on some processors."""
COARSE = ("bf16-reduced", "bf16-autocast", "fp8-e4m3", "fp8-e5m2")
"""Formats in which the bound of what an output's parameters multiply may be wider than that is, so that no case can be judged."""


@pytest.mark.soak
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("real", [each for each in ALL if each.name not in MIXTURES], ids=str)
def test_the_whole_corpus_lies_within_its_radii(real: RealBlock, name: str) -> None:
    reasons: set[str] = set()
    for removed in (tuple(range(TOKENS)), (0, 3)):
        try:
            sides = check(real, name, removed)
        except OwnCodeFails as error:
            assert (real.name, name) in TWO_FORMATS
            pytest.skip(str(error))
        judged = judge(sides)
        reasons |= set(judged.reason)
        assert not (judged.verdict == "VIOLATED").any()
        if name in ("fp64", "fp32"):
            assert set(judged.verdict) == {"HOLDS"}
            assert judged.wrong_noticed.all()
    if "" not in reasons:
        assert name in COARSE
        pytest.skip(f"every case is refused: {', '.join(sorted(reasons))}")
