"""A user's block as it is written: what is refused of it, of its update and of its contexts, and the prompts that it is measured on."""

import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.architecture import UnusableBlock
from numeric.architecture.as_written import BlockAsWritten
from numeric.formats import MODES
from numeric.sides.variant import OWN
from numeric.user_blocks import OwnAsWritten, block_as_written, own_as_written
from numeric.user_blocks.block_as_written import ALL, FORMULA, LOOKED_AT, MIXED, PART, _batches, _without_rules, measure_scenario
from symbolic import formulas
from tests.numeric.operators.small_blocks import NETWORK, D, M, Small, admitted, attended, last, mlp

FIRST = ("w",)


def plain(p: nn.Module, x: Tensor) -> Tensor:
    """No stream, so that it is watched at once."""
    return mlp(p, attended(x))


def described(**changes: object) -> BlockAsWritten:
    known = {"module": Small(plain, **NETWORK), "call": last, "first": FIRST}
    return ContextualBlock.of(**{**known, **changes})  # type: ignore[arg-type]


def own(**options: object) -> OwnAsWritten:
    """A block that is watched already, with a source of contexts or an update."""
    return OwnAsWritten("mine", admitted("no stream"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"module": plain}, "the module is a function; give an nn.Module"),
        ({"module": Small}, "the module is a type; give an nn.Module"),
        ({"call": None}, "call is a NoneType; it is a function call(module, context, query, positions)"),
        ({"first": ()}, "first is the name of the parameter that is W"),
        ({"first": None}, "first is the name of the parameter that is W"),
        ({"first": ("w", "w")}, "a list of names that are all different"),
        ({"first": ("w", 3)}, "first is the name of the parameter that is W"),
        ({"width": 0}, "width is 0; it is the number of entries of a token"),
        ({"width": "4"}, "width is '4'"),
        ({"width": True}, "width is True"),
    ],
)
def test_what_is_no_description_is_refused_before_anything_runs(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UnusableBlock) as error:
        described(**changes)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_one_name_is_a_list_of_one() -> None:
    assert described(first="w").first == described(first=["w"]).first == FIRST
    assert described(width=D).width == D


def leaves(p: nn.Module, x: Tensor) -> Tensor:
    sys.exit(0)


def broken(p: nn.Module, x: Tensor) -> Tensor:
    raise ValueError("no\noutput")


def changes_threads(p: nn.Module, x: Tensor) -> Tensor:
    torch.set_num_threads(7)
    return plain(p, x)


class Meta(Small):
    def __init__(self) -> None:
        super().__init__(plain, **NETWORK)
        self.to("meta")


def with_a(value: float) -> nn.Module:
    module = Small(plain, **NETWORK)
    module.get_parameter("b").data[2] = value
    return module


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Meta, '"w" is on the meta device, where it has no value'),
        (lambda: with_a(float("nan")), '"b" has a NaN or an infinity in it'),
        (lambda: with_a(float("-inf")), '"b" has a NaN or an infinity in it'),
        (lambda: Small(leaves, **NETWORK), "the code of mine ends while the block is looked at: SystemExit: 0"),
        (lambda: Small(broken, **NETWORK), "call failed with a context of shape"),
    ],
    ids=["meta", "NaN", "infinity", "exit", "exception"],
)
def test_a_block_that_cannot_be_watched_is_refused_in_one_line(build: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(UnusableBlock) as error:
        own_as_written("mine", described(module=build()))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_block_that_changes_how_the_process_computes_is_refused() -> None:
    threads = torch.get_num_threads()
    try:
        with pytest.raises(UnusableBlock, match=r"after mine was looked at, .*something has changed how this process computes"):
            own_as_written("mine", described(module=Small(changes_threads, **NETWORK)), formats=["fp32"])
    finally:
        torch.set_num_threads(threads)


def fails_on_two_formats(p: nn.Module, x: Tensor) -> Tensor:
    """As kernels do that take one dtype."""
    if x.dtype != p.w.dtype or torch.is_autocast_enabled("cpu"):
        raise RuntimeError("one dtype,\nplease")
    return plain(p, x)


def test_every_format_is_looked_at_and_where_a_module_takes_no_two_of_them_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(LOOKED_AT) == sorted(mode.id for mode in MODES)
    monkeypatch.setattr(block_as_written, "ALIKE", ())
    failing = described(module=Small(fails_on_two_formats, **NETWORK))
    found = own_as_written("mine", failing)
    assert dict(found.no_rule) == {name: f"the block's own code fails in {name}: RuntimeError: one dtype, please" for (name,) in MIXED}
    assert not _without_rules(found, ["fp32"]), "what is not to be measured is not looked at"
    assert not _without_rules(own(), LOOKED_AT), "one that takes them is bounded there"


def test_where_a_module_fails_in_one_format_it_is_not_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_as_written, "ALIKE", (("fp32",),))
    monkeypatch.setattr(block_as_written, "measure_written_sides", lambda *_: fails_in_fp32())
    with pytest.raises(RuntimeError, match="not at all"):
        _without_rules(own(), ["fp32"])


def fails_in_fp32() -> None:
    raise RuntimeError("not at all")


def formula(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    return (W @ delta) @ a.mT / (a.mT @ a)


def in_place(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    a /= a.mT @ a
    return (W @ delta) @ a.mT


def ends(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    sys.exit(0)


def fails(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    raise ValueError("no\nupdate")


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (lambda W, delta, a: W, f"update(W, delta, a) gave (1, {M}, {D}) over tensors; ΔW is (1, 1, {M}, {D})"),
        (lambda W, delta, a: formula(W, delta, a).mT, f"gave (1, 1, {D}, {M}) over tensors; ΔW is (1, 1, {M}, {D})"),
        (lambda W, delta, a: 0.0, "gave float over tensors"),
        (lambda W, delta, a: None, "gave NoneType over tensors"),
        (lambda W, delta, a: formula(W, delta, a).to(torch.complex128), "gave torch.complex128 over tensors"),
        (lambda W, delta, a: formula(W, delta, a).long(), "gave torch.int64 over tensors"),
        (in_place, "update(W, delta, a) changes its operands in place: a"),
        (ends, "update(W, delta, a) fails: SystemExit: 0, which would have ended the program"),
        (fails, "update(W, delta, a) fails: ValueError: no update"),
        (lambda W, delta: W, "update(W, delta, a) fails: TypeError"),
    ],
    ids=["W", "transposed", "number", "nothing", "complex", "integers", "in place", "exit", "exception", "two operands"],
)
def test_an_update_that_cannot_be_measured_is_refused_in_one_line(update: Callable[..., object], said: str) -> None:
    with pytest.raises(UnusableBlock) as error:
        measure_scenario(own(update=update), ALL, OWN, 1, seed=0)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_update_is_looked_at_when_the_block_is_taken_in() -> None:
    """Before anything is measured; and one that is right is taken in, and is measured first."""
    with pytest.raises(UnusableBlock, match="gave float over tensors"):
        own_as_written("mine", described(), update=lambda W, delta, a: 0.0)
    assert own_as_written("mine", described(), update=formula, formats=["fp32"]).variants == (OWN, FORMULA)
    assert own().variants == (FORMULA,)


def test_an_own_update_is_judged_and_the_formula_beside_it_is_not_touched_by_it() -> None:
    """Right, and with ‖z‖² for ‖a‖²."""
    for update, unequal in ((formula, 0), (lambda W, delta, a: (W @ delta) @ a.mT / (a + delta).square().sum(-2, keepdim=True), 8)):
        mine = own(update=update)
        assert measure_scenario(mine, PART, OWN, 8, seed=0).unequal == unequal
        assert measure_scenario(mine, PART, FORMULA, 8, seed=0).unequal == 0


def test_an_update_is_called_with_each_first_matrix() -> None:
    """Also of two that read the same z: one that is right for one of them alone is unequal."""
    block, shapes = admitted("gated"), []

    def noted(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        shapes.append((tuple(W.shape[-2:]), tuple(delta.shape[-2:]), tuple(a.shape[-2:])))
        return formula(W, delta, a)

    assert measure_scenario(OwnAsWritten("mine", block, update=noted), ALL, OWN, 3, seed=0).unequal == 0
    assert {*shapes} == {((M, D), (D, 1), (D, 1))}
    gate = block.double.module.get_parameter("gate")
    of_one = OwnAsWritten("mine", block, update=lambda W, delta, a: formula(W, delta, a) * float(torch.equal(W[0], gate)))
    assert measure_scenario(of_one, ALL, OWN, 3, seed=0).unequal == 3


@pytest.mark.parametrize(
    ("contexts", "said"),
    [
        (lambda cases, generator: torch.randn(cases, 3, D + 1), f"gave a context of shape (1, 3, {D + 1}); asked for is (1, n, {D})"),
        (lambda cases, generator: torch.randn(cases, D), f"gave a context of shape (1, {D})"),
        (lambda cases, generator: (torch.randn(cases, 3, D), torch.randn(cases, D + 1)), f"gave a query of shape (1, {D + 1})"),
        (lambda cases, generator: torch.full((cases, 3, D), torch.nan), "a NaN or an infinity"),
        (lambda cases, generator: torch.zeros(cases, 0, D), "contexts without a token"),
        (lambda cases, generator: None, "gave a context of shape NoneType"),
        (lambda cases: None, "make_contexts(1, generator) fails: TypeError"),
        (lambda cases, generator: sys.exit(0), "fails: SystemExit: 0, which would have ended the program"),
    ],
    ids=["wide", "flat", "query", "NaN", "no token", "nothing", "one operand", "exit"],
)
def test_contexts_that_are_none_are_refused(contexts: Callable[..., object], said: str) -> None:
    with pytest.raises(UnusableBlock) as error:
        measure_scenario(own(contexts=contexts), ALL, FORMULA, 1, seed=0)
    assert said in str(error.value)


def drawn_by(mine: OwnAsWritten, scenario: str, cases: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor, tuple[int, ...]]]:
    for batch in _batches(mine, scenario, cases, seed):
        yield batch.context, batch.query, batch.removed


def same(one: OwnAsWritten, other: OwnAsWritten, *seeds: int, scenarios: tuple[str, str] = (PART, PART)) -> bool:
    pairs = zip(drawn_by(one, scenarios[0], 40, seeds[0]), drawn_by(other, scenarios[1], 40, seeds[1]), strict=True)
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and a[2] == b[2] for a, b in pairs)


def test_the_prompts_are_those_of_the_seed_the_block_and_the_scenario() -> None:
    """And no variant's: an update of one's own is measured on the prompts of the formula."""
    mine = own()
    assert same(mine, mine, 0, 0)
    assert same(mine, own(update=formula), 0, 0)
    assert not same(mine, mine, 0, 1)
    assert not same(mine, OwnAsWritten("another", mine.watched), 0, 0)
    assert not same(mine, mine, 0, 0, scenarios=(ALL, PART))


def test_every_variant_sees_the_same_prompts() -> None:
    seen: dict[str, list[Tensor]] = {}
    mine = own(update=lambda W, delta, a: seen.setdefault("own", []).append(a.clone()) or formula(W, delta, a))
    assert measure_scenario(mine, PART, OWN, 5, seed=3).worst == measure_scenario(own(), PART, FORMULA, 5, seed=3).worst
    again = own(update=lambda W, delta, a: seen.setdefault("again", []).append(a.clone()) or formulas.rank_one_update(W, delta, a))
    measure_scenario(again, PART, OWN, 5, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(seen["own"], seen["again"], strict=True))


def test_how_many_cases_and_tokens_there_are() -> None:
    """40 cases are a batch of 32 and one of 8, of as many tokens as the user draws."""
    mine = own(contexts=lambda cases, generator: torch.randn((cases, 3, D), generator=generator))
    for scenario in (ALL, PART):
        assert [context.shape for context, _, _ in drawn_by(mine, scenario, 40)] == [(32, 3, D), (8, 3, D)]
    assert [context.dtype for context, _, _ in drawn_by(mine, ALL, 1)] == [torch.float64]
    assert [removed for _, _, removed in drawn_by(mine, ALL, 40)] == [(0, 1, 2)] * 2


def test_every_number_of_removed_tokens_is_as_likely_and_every_token() -> None:
    """240 batches of one case, contexts of three tokens. A count of mean n p lies within four deviations of it, but for one seed in ten thousand."""
    mine = own(contexts=lambda cases, generator: torch.randn((cases, 3, D), generator=generator))
    removed = [next(drawn_by(mine, PART, 1, seed))[2] for seed in range(240)]
    assert all(list(each) == sorted(set(each)) and set(each) <= {0, 1, 2} for each in removed)
    for found, share in (
        *((sum(len(each) == number for each in removed), 1 / 3) for number in (1, 2, 3)),
        *((sum(token in each for each in removed), 2 / 3) for token in (0, 1, 2)),
    ):
        assert abs(found - 240 * share) <= 4 * (240 * share * (1 - share)) ** 0.5
