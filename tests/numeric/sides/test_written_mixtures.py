"""Mixtures of experts in a format: both sides lie within their radii of what plain loops over float64 make of the same z and the same stream."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operator_rules import NoOperatorRule
from numeric.operators.block import WatchedBlock
from numeric.operators.double_precision import converted
from numeric.operators.refusals import RefusedBlock
from numeric.sides import Sides, Variant, judge
from numeric.sides import written_cases as cases_of
from numeric.sides.written_cases import measure_one_case
from numeric.sides.written_choices import run_case
from numeric.sides.written_passes import BlockInFormat
from numeric.sides.written_sides import WrittenCases, measure_written_sides
from tests.numeric.sides import small_mixtures
from tests.numeric.sides.small_mixtures import WAYS, Mixing, Mixture, Way, gates_written_over, mixture, smuggled, written_over
from tests.numeric.sides.test_written_sides import CASES, FORMULA, TOKENS, in_format, outside, radii_of_zero_do, some_cases, watched
from tests.real_blocks.float64_kept import Float64Kept
from tests.real_blocks.real_block import RealBlock
from tests.real_blocks.transformers_experts import BLOCKS, OTHER_KERNELS

ALL, PART = tuple(range(TOKENS)), (0, 3)
EXPERTS = "layer.mlp.experts.gate_up_proj"
Plain = Callable[[nn.Module, Tensor], Tensor]
"""A module in float64 and z (d,), to a vector."""


def streams(block: BlockInFormat, cases: WrittenCases) -> Tensor:
    """What goes past the network with the context, as the format has it: (cases, d) float64."""
    ((place, index),) = block.anatomy.stream.summands  # type: ignore[union-attr]
    return torch.cat([run_case(block, cases.whole.one(case)).whole.operand(place, index).value for case in range(len(cases.query))]).double()


def first_cases(cases: WrittenCases, number: int) -> WrittenCases:
    return WrittenCases(cases.context[:number], cases.query[:number], cases.removed)


def check(watched: WatchedBlock, name: str, removed: tuple[int, ...], plain: tuple[Plain, Plain], number: int = CASES) -> Sides:
    """Both sides against two functions, of the first layer and of the network; and planted: radii of zero do not do."""
    first, network = plain
    block, cases = in_format(watched, name), first_cases(some_cases(watched, name, removed), number)
    sides, module = measure_written_sides(block, cases, FORMULA), converted(block.module, torch.float64)
    exact_out = streams(block, cases) + torch.stack([network(module, z) for z in sides.z.double()])
    width = sides.effect.shape[-1]  # the planted wrong update may have chosen other matrices, of which neither side makes anything
    exact_first = torch.stack([F.pad(made, (0, width - len(made))) for made in (first(module, z) for z in sides.z.double())])
    assert outside(sides, exact_first, exact_out) == []
    assert torch.equal(sides.again, sides.a)
    assert not radii_of_zero_do(sides, name, exact_first, exact_out)
    return sides


def of_small(way: Way, name: str, removed: tuple[int, ...], number: int = CASES) -> Sides:
    def first(module: nn.Module, z: Tensor) -> Tensor:
        assert isinstance(module, Mixture)
        return module.first_layer(z)

    def network(module: nn.Module, z: Tensor) -> Tensor:
        assert isinstance(module, Mixture)
        return module.plainly(z)

    return check(mixture(way), name, removed, (first, network), number)


def test_a_case_of_a_mixture_lies_within_its_radii() -> None:
    """One case in fp32; the others are soaked."""
    judged = judge(of_small(WAYS["gathered, with biases"], "fp32", PART, 1))
    assert set(judged.verdict) == {"HOLDS"}
    assert judged.wrong_noticed.all()


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
def test_a_mixture_lies_within_its_radii(way: str) -> None:
    for name in ("fp32", "bf16"):
        for removed in (ALL, PART):
            judged = judge(of_small(WAYS[way], name, removed))
            assert "VIOLATED" not in judged.verdict
            if name == "fp32":
                assert set(judged.verdict) == {"HOLDS"}
                assert judged.wrong_noticed.all()


WRONG: dict[str, Callable[[Any], Any]] = {"none": lambda u: u - u, "twice": lambda u: u + u, "backwards": lambda u: u - u - u - u - u}
"""What stands in the place of ΔW."""


def measured(block: BlockInFormat, cases: WrittenCases, variant: Variant = FORMULA) -> Sides:
    return measure_written_sides(block, cases, variant)


def small_cases(way: Way, name: str, number: int, change: Callable[[Mixture], object] = lambda module: None) -> tuple[BlockInFormat, WrittenCases]:
    """A mixture in a format, changed before it is watched, and some cases."""
    watched = mixture(way, change)
    return in_format(watched, name), first_cases(some_cases(watched, name, PART), number)


@pytest.mark.soak
@pytest.mark.parametrize("way", ["one by one", "gathered, with biases"])
def test_a_choice_between_equal_experts_is_undecided(way: str) -> None:
    """Two rows of the router are the same: where one of them is chosen and the other is not, or both are in one order, rounding decides."""

    def tie(module: Mixture) -> None:
        module.router.data[1] = module.router.data[0]

    block, cases = small_cases(WAYS[way], "fp32", 8, tie)
    judged = judge(measured(block, cases))
    logits = measured(block, cases).z.double() @ block.module.router.double().T  # type: ignore[operator, union-attr]
    place = (logits > logits[:, :1]).sum(-1).numpy()  # how many are larger than the two that are equal
    assert set(judged.reason[place < 2]) == {"UndecidedChoice"}
    assert set(judged.verdict[place < 2]) == {"INCONCLUSIVE"}
    assert (place < 2).any()
    assert set(judged.verdict[place == 2]) <= {"HOLDS"}


@pytest.mark.soak
@pytest.mark.parametrize("way", ["one by one", "gathered, with biases"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_update_of_a_mixture_is_violated(way: str, wrong: str) -> None:
    """Also one with which other experts are chosen, in no doubt."""
    block, cases = small_cases(WAYS[way], "fp32", 4)
    judged = judge(measured(block, cases, replace(FORMULA, update=lambda W, delta, a: WRONG[wrong](FORMULA.update(W, delta, a)))))
    assert set(judged.verdict) == {"VIOLATED"}


@pytest.mark.soak
@pytest.mark.parametrize("way", ["one by one", "with biases", "gathered, with biases"])
def test_without_the_radius_of_the_patch_a_mixture_lies_outside(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put = cases_of._Patch.put
    monkeypatch.setattr(cases_of._Patch, "put", lambda self, name, numbers, value, radius: put(self, name, numbers, value, torch.zeros_like(radius)))
    with pytest.raises(AssertionError):
        of_small(WAYS[way], "bf16", PART)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["fp32", "bf16"])
@pytest.mark.parametrize("way", WAYS)
def test_a_gate_is_within_its_radius_of_the_exact_one(way: str, name: str) -> None:
    """f of each share, against the gates in float64; and not within none."""
    block, cases = small_cases(WAYS[way], name, 4)
    some_apart = False
    for case in range(4):
        made = run_case(block, cases.whole.one(case))
        logits = block.module.router.double() @ made.z[0].double()  # type: ignore[operator, union-attr]
        powers = torch.softmax(logits, -1)
        chosen = logits.argsort(descending=True)[: WAYS[way].chosen]
        gates = powers[chosen] / (powers[chosen].sum() if WAYS[way].normalised else 1.0)
        expected = [1.0] if WAYS[way].bias else sorted(gates.tolist())
        found = sorted(each.factor for each in made.shares)
        assert len(found) == len(expected)
        for (factor, radius), exact in zip(found, expected, strict=True):
            assert abs(factor - exact) <= radius + 2.0**-50
            some_apart = some_apart or abs(factor - exact) > 2.0**-50
    assert some_apart is not WAYS[way].bias


def test_entries_that_are_chosen_behind_torchs_back_are_refused() -> None:
    """By numpy; those that torch chooses by the network's own values are admitted."""
    with pytest.raises(RefusedBlock, match="cannot be followed"):
        mixture(Way(smuggled, apart=False))


@pytest.mark.parametrize(
    ("way", "words"), [(Way(written_over), "takes what the stream lacks"), (Way(gates_written_over, apart=False), "overwritten by the product")]
)
def test_what_cannot_be_followed_to_the_stream_has_no_bound(way: Way, words: str) -> None:
    """Rows that are written over others, and gates that are overwritten, whose radius is lost."""
    block, cases = small_cases(way, "fp32", 1)
    with pytest.raises(NoOperatorRule, match=words):
        measure_one_case(block, cases.whole, PART, FORMULA)


def hidden_by(by: Callable[[Tensor], Any]) -> Mixing:
    """One by one; in fp32 alone, what an expert hides is multiplied by something that other tokens beside the query change."""

    def mixing(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
        made = torch.zeros_like(z)
        for e in range(len(p.w)):
            rows, place = torch.where(experts == e)
            if len(rows):
                hidden = torch.tanh(F.linear(z[rows], p.w[e]))
                hidden = hidden * by(z) if z.dtype == torch.float32 else hidden
                made.index_add_(0, rows, F.linear(hidden, p.v[e]) * gates[rows, place, None])
        return made

    return mixing


BY: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a number": (lambda z: float(z.abs().max()), "a Python number"),
    "numpy": (lambda z: torch.from_numpy(z.numpy().max(keepdims=True)[0]), "cannot be followed"),
}


@pytest.mark.parametrize("by", ["a number", pytest.param("numpy", marks=pytest.mark.soak)])
def test_what_no_operator_shows_and_moves_has_no_bound(by: str) -> None:
    """Its twin multiplies by a number that is the same in every pass."""
    what, words = BY[by]
    block, cases = small_cases(Way(hidden_by(what)), "fp32", 1)
    with pytest.raises(NoOperatorRule, match=words):
        measure_one_case(block, cases.whole, PART, FORMULA)
    block, cases = small_cases(Way(hidden_by(lambda z: 0.375)), "fp32", 1)
    assert set(judge(measured(block, cases)).verdict) == {"HOLDS"}


def test_experts_of_which_few_are_hit_are_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another context hits other experts, so that an operator reads another parameter; a parameter that the context was written into is refused."""
    monkeypatch.setattr(small_mixtures, "EXPERTS", 16)
    block, cases = small_cases(WAYS["one by one"], "fp32", 1)
    assert set(judge(measured(block, cases)).verdict) == {"HOLDS"}

    def written_into(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
        p.v[0].data[0, 0] = float(z.detach().numpy().max())
        return small_mixtures.one_by_one(p, z, gates, experts)

    with pytest.raises(RefusedBlock):
        mixture(Way(written_into))


def test_experts_with_a_bias_in_their_first_layer_are_judged() -> None:
    """The expected difference, of which nothing is known then at their matrices, judges nothing."""

    def with_biases(p: Mixture, z: Tensor, gates: Tensor, experts: Tensor) -> Tensor:
        made = torch.zeros_like(z)
        for e in range(len(p.w)):
            rows, place = torch.where(experts == e)
            if len(rows):
                hidden = torch.tanh(F.linear(z[rows], p.w[e], p.b[e]))  # type: ignore[index]
                made.index_add_(0, rows, F.linear(hidden, p.v[e]) * gates[rows, place, None])
        return made

    def given(module: Mixture) -> None:
        module.b = nn.ParameterList(nn.Parameter(w[:, 0].clone()) for w in module.w)

    block, cases = small_cases(Way(with_biases), "fp32", 1, given)
    sides = measure_written_sides(block, cases, FORMULA, expects=1)
    assert set(judge(sides).verdict) == {"HOLDS"}
    router = small_mixtures.EXPERTS
    assert bool(torch.isfinite(sides.expected[:, :router]).all())
    assert bool(torch.isposinf(sides.expected[:, router:]).all())


def _plain_first(real: RealBlock) -> Plain:
    """What every matrix that is W makes of z, of the experts' those that are chosen: the first that runs, then in the order of the module's parameters."""

    def first(module: nn.Module, z: Tensor) -> Tensor:
        named = dict(module.named_parameters())
        router = next(name for name in real.first if "router" in name or name.endswith("mlp.gate.weight"))
        bias = named.get(router.replace("weight", "bias"), torch.zeros((), dtype=torch.float64))
        parts = {name: named[name] @ z for name in real.first if named[name].dim() == 2}
        parts[router] = parts[router] + bias
        stacked = named[EXPERTS].mT if real.name.startswith("GPT-OSS") else named[EXPERTS]
        parts[EXPERTS] = torch.cat([stacked[e] @ z for e in sorted(parts[router].argsort(descending=True)[:2].tolist())])
        lead = next((name for name in parts if "shared" in name), router)
        return torch.cat([parts[lead], *(parts[name] for name in named if name in parts and name != lead)])

    return first


def _layers_network(module: nn.Module, z: Tensor) -> Tensor:
    """The layer's own network in float64, without casts."""
    with Float64Kept(), torch.no_grad():
        made = module.get_submodule("layer.mlp")(z[None, None])
    return (made[0] if isinstance(made, tuple) else made)[0, 0]  # type: ignore[no-any-return]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("real", [*BLOCKS, *OTHER_KERNELS], ids=str)
def test_a_mixture_of_a_library_lies_within_its_radii(real: RealBlock, name: str) -> None:
    for removed in (ALL, PART):
        judged = judge(check(watched(real), name, removed, (_plain_first(real), _layers_network)))
        assert "VIOLATED" not in judged.verdict
        if name in ("fp64", "fp32"):
            assert set(judged.verdict) == {"HOLDS"}
            assert judged.wrong_noticed.all()
