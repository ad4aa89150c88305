"""Both measured sides against rationals, at the first dense layer and at the block's output, also where the patched pass computes another â.

A network of two dense layers and a ReLU is evaluated in rationals at ẑ as computed; each side has to lie within its own radius of that. Where â came
out as â + ε the stream beside the network has drifted by ε as well, and with a small last layer there is nothing else at the output that would cover it.
"""

from fractions import Fraction
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import asked_shapes
from numeric.formats import modes_named, torch_dtype
from numeric.machine import ProbedMode, probe
from numeric.sides import Batch, Sides, block_in_format, in_format, measure_sides
from numeric.sides.both_sides import computed_again
from numeric.sides.variant import variants_named

D, M, CASES = 4, 6, 8
FORMATS = ("fp64", "bf16")
KINDS = ("plain", "skip", "stream", "stream without a last bias", "parallel")
DRIFTS = {"none": 0.0, "of roundoffs": 2.0**-7, "large": 2.0**-3}
"""ε over â, of which the second is 2^-7 in bf16; everywhere far more than a rounding in fp32 and fp64."""


class Handing(nn.Module):
    """Hands out the first token of its context, or half of the query."""

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return query * 0.5 if context is None else context[:, 0]


def made(kind: str) -> ContextualBlock:
    torch.manual_seed(3)
    last = nn.Linear(M, D, bias=kind in ("plain", "skip", "stream"))
    network = nn.Sequential(nn.Linear(D, M, bias=kind != "parallel"), nn.ReLU(), last)
    norm = nn.Identity() if kind in ("stream", "stream without a last bias", "parallel") else None
    block = ContextualBlock(Handing(), network.double(), "0", input_width=D, skip=kind == "skip", norm=norm, parallel=kind == "parallel")
    block = block.eval().requires_grad_(False)
    last.weight.mul_(2.0**-12)
    return block


@cache
def machine(name: str) -> ProbedMode:
    """Asked once for all kinds."""
    (mode,) = modes_named([name])
    return probe(mode, **asked_shapes([made(kind) for kind in KINDS]))


def setting(kind: str, name: str) -> tuple[ContextualBlock, ProbedMode]:
    return block_in_format(made(kind), machine(name)), machine(name)


def found(kind: str, name: str, drift: str, variant: str = "formula") -> tuple[Sides, Batch]:
    block, probed = setting(kind, name)
    g = torch.Generator().manual_seed(4)
    cases = Batch(torch.randn((CASES, 1, D), generator=g, dtype=torch.float64), None, torch.randn((CASES, D), generator=g, dtype=torch.float64))
    cases = in_format(block, cases, probed)
    return measured(block, cases, probed, drift, variant), cases


def measured(block: ContextualBlock, cases: Batch, probed: ProbedMode, drift: str, variant: str) -> Sides:
    (chosen,) = variants_named([variant])
    if drift == "none":
        return measure_sides(block, cases, chosen, probed)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)

    def attend(block: ContextualBlock, cases: Batch, probed: ProbedMode) -> Tensor:
        return (block.contextual(None, cases.query).double() * (1.0 + signs * DRIFTS[drift])).to(torch_dtype(probed.mode.activations))

    return measure_sides(block, cases, chosen, probed, attend)


def rationals(x: Tensor) -> list[Fraction]:
    return [Fraction(v) for v in x.double().tolist()]


def affine(layer: nn.Linear, x: list[Fraction]) -> list[Fraction]:
    rows = [sum((Fraction(w) * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in layer.weight.double().tolist()]
    return rows if layer.bias is None else [r + b for r, b in zip(rows, rationals(layer.bias), strict=True)]


def exactly(block: ContextualBlock, z: list[Fraction], query: list[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """The first dense layer and the block's output on ẑ; for a parallel block z is what is carried, and the network reads the query."""
    first, _, last = block.network
    hidden = affine(first, query if block.parallel else z)
    answer = affine(last, [max(h, Fraction(0)) for h in hidden])
    carried = z if block.has_stream else [Fraction(0)] * D
    before = query if block.skip else [Fraction(0)] * D
    return hidden, [q + v + a for q, v, a in zip(before, carried, answer, strict=True)]


def within(value: Tensor, radius: Tensor, truth: list[Fraction], moved: list[Fraction] | None = None) -> bool:
    moved = moved or [Fraction(0)] * len(truth)
    rows = zip(rationals(value), radius.tolist(), truth, moved, strict=True)
    return all(bound == float("inf") or abs(v - t - m) <= Fraction(bound) for v, bound, t, m in rows)


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_each_side_lies_within_its_radius(name: str, kind: str, drift: str) -> None:
    if kind == "parallel" and drift != "none":
        return  # its â has no part in the patch
    block, _ = setting(kind, name)
    for variant in ("formula", "factored") if kind == "plain" else ("formula",):
        sides, cases = found(kind, name, drift, variant)
        judged = (~sides.hazards.underflow).nonzero().flatten().tolist()
        assert len(judged) > CASES // 2, "a hidden layer of zeros is refused, and rare"
        for case in judged:
            first, output = exactly(block, rationals(cases.context[case, 0]), rationals(cases.query[case]))
            left, right = sides.left, sides.right
            assert within(left.first_layer.value[case], left.first_layer.radius[case], first)
            assert within(left.output.value[case], left.output.radius[case], output)
            assert within(right.first_layer.value[case], right.first_layer.radius[case], first, rationals(sides.moved[case]))
            assert within(right.output.value[case], right.output.radius[case], output)


@pytest.mark.parametrize("kind", ["skip", "stream", "stream without a last bias"])
def test_a_drift_of_the_stream_is_all_that_there_is_at_the_output(kind: str) -> None:
    """The planted one: without the drift in the radius both sides differ by more."""
    sides, _ = found(kind, "fp64", "large")
    without, _ = found(kind, "fp64", "none")
    plain = ~(sides.hazards.underflow | without.hazards.underflow)
    apart = (sides.left.output.value - sides.right.output.value).abs()[plain]
    assert bool((sides.output_bound[plain] >= apart).all())
    assert bool((without.output_bound[plain] < apart).any())


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_update_does_is_told_as_it_is(kind: str, drift: str) -> None:
    """|WΔA|, what the stream lacks, and what the update changes at the output, in rationals of the numbers that were computed."""
    if kind == "parallel" and drift != "none":
        return
    block, _ = setting(kind, "fp64")
    sides, cases = found(kind, "fp64", drift)
    W, u = block.first_weight.double().tolist(), Fraction(1, 2**53)
    for case in range(CASES):
        z, a = rationals(sides.z[case]), rationals(sides.a[case])
        for row, effect in zip(W, sides.effect[case].tolist(), strict=True):
            exact = sum((Fraction(w) * (p - q) for w, p, q in zip(row, z, a, strict=True)), Fraction(0))
            size = sum((abs(Fraction(w) * (p - q)) for w, p, q in zip(row, z, a, strict=True)), Fraction(0))
            assert abs(Fraction(effect) - abs(exact)) <= (D + 2) * u * size
        if sides.output_effect is not None:
            lacks = [abs(p - q) for p, q in zip(rationals(cases.context[case, 0]), rationals(cases.query[case] * 0.5), strict=True)]
            assert all(abs(Fraction(e) - t) <= u * t for e, t in zip(sides.output_effect[case].tolist(), lacks, strict=True))
    assert (sides.output_effect is None) == (kind == "plain" or drift != "none")
    assert sides.at_output is (kind == "parallel")
    assert bool((sides.output_change > 0).any())
    assert torch.equal(sides.bound, sides.left.first_layer.radius + sides.right.first_layer.radius)
    assert torch.equal(sides.output_bound, sides.left.output.radius + sides.right.output.radius)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_again(kind: str) -> None:
    block, probed = setting(kind, "bf16")
    sides, cases = found(kind, "bf16", "none")
    (variant,) = variants_named(["formula"])
    z, a, first = computed_again(block, cases, variant, probed)
    assert torch.equal(z, sides.z)
    assert torch.equal(a, sides.a)
    assert torch.equal(first, sides.left.first_layer.value)


def moved_exactly(kind: str, name: str) -> bool:
    """Whether the predicted move is that of the rationals, to within the radius that the right side has for it."""
    block, _ = setting(kind, name)
    sides, _ = found(kind, name, "large")
    W = [[Fraction(w) for w in row] for row in block.first_weight.double().tolist()]
    for case in range(CASES):
        z, a, again = (rationals(x[case]) for x in (sides.z, sides.a, sides.again))
        epsilon = [p - q for p, q in zip(again, a, strict=True)]
        share = sum((p * e for p, e in zip(a, epsilon, strict=True)), Fraction(0)) / sum((p * p for p in a), Fraction(0))
        for row, moved, radius in zip(W, sides.moved[case].tolist(), sides.right.first_layer.radius[case].tolist(), strict=True):
            exact = sum((w * ((p - q) * share + e) for w, p, q, e in zip(row, z, a, epsilon, strict=True)), Fraction(0))
            if abs(Fraction(moved) - exact) > Fraction(radius):
                return False
    return True


@pytest.mark.parametrize("name", FORMATS)
def test_the_move_is_predicted(name: str) -> None:
    assert moved_exactly("plain", name)
