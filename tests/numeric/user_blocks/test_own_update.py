"""A user's own update is measured, or refused before anything is measured with the operation that stands in the way; it never breaks a cell."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.cells import variant_of
from numeric.machine import ProbedMode
from numeric.sides.variant import OWN
from numeric.user_blocks import OwnBlock, own_block
from numeric.user_blocks.own_update import MOST_OPERATIONS, MOST_PRODUCTS, refuse_update
from symbolic.vocabulary import Verdict
from tests.numeric import measuring
from tests.numeric.user_blocks.random_updates import updates, written
from tests.numeric.user_blocks.sample_blocks import Average, D, M, SwiGlu, block

FORMULA = "(W @ delta) @ a.mT / (a.mT @ a)"
ALL_MODES, FEW_MODES = ("fp64", "fp32", "bf16", "tf32", "bf16-reduced", "fp8-e5m2"), ("fp32", "bf16")
CASES = 8
BLOCKS: dict[str, Callable[[], ContextualBlock]] = {
    "usual": block,
    "of two first layers": lambda: block(net=SwiGlu(), first=["gate", "up"]),
    "of width 1": lambda: block(Average(1), nn.Sequential(nn.Linear(1, M), nn.ReLU(), nn.Linear(M, D))),
    "with one hidden unit": lambda: block(net=nn.Sequential(nn.Linear(D, 1), nn.ReLU(), nn.Linear(1, D))),
}


@cache
def subject(name: str) -> OwnBlock:
    return own_block("mine", BLOCKS[name]())


def look(name: str, text: str) -> None:
    """Raise UnusableBlock if the update is refused."""
    made = subject(name).model.block
    context, query = subject(name).model.tokens(8, torch.Generator().manual_seed(0))
    with torch.no_grad():
        refuse_update(made, context, query, written(text))


def refusal(name: str, text: str) -> str | None:
    """What is said of the update if it is refused."""
    try:
        look(name, text)
    except UnusableBlock as error:
        return str(error)
    return None


def verdict(name: str, text: str, probed: ProbedMode, scenario: str = "random") -> Verdict:
    """Of a cell with that update, whether it was refused or not.  It raises what the cell would break by."""
    own = replace(subject(name), update=written(text))
    found = measuring.measured(own, probed, variant_of(own, OWN), scenario, CASES)
    assert sum(found.counts.values()) == CASES
    return found.verdict


def measured_or_refused(name: str, text: str, probed: ProbedMode, scenario: str) -> bool:
    """Whether it is measured."""
    said = refusal(name, text)
    if said is None:
        verdict(name, text, probed, scenario)
        return True
    assert said.startswith("UnusableBlock: update(W, delta, a) ")
    assert len(said.splitlines()) == 1
    return False


def places(modes: tuple[str, ...]) -> st.SearchStrategy[tuple[str, str, str]]:
    return st.tuples(st.sampled_from(list(BLOCKS)), st.sampled_from(modes), st.sampled_from(["random", "near_zero", "subset"]))


@settings(max_examples=6, deadline=None)
@given(places(FEW_MODES), updates("ΔW", 3, mistakes=False))
def test_what_is_made_of_the_known_operations_is_measured(machine: Mapping[str, ProbedMode], place: tuple[str, str, str], text: str) -> None:
    assert measured_or_refused(place[0], text, machine[place[1]], place[2])


@settings(max_examples=10, deadline=None)
@given(places(FEW_MODES), updates("ΔW", 3, mistakes=True))
def test_anything_else_is_measured_or_refused(machine: Mapping[str, ProbedMode], place: tuple[str, str, str], text: str) -> None:
    measured_or_refused(place[0], text, machine[place[1]], place[2])


@pytest.mark.soak
@settings(max_examples=1500, deadline=None)
@given(places(ALL_MODES), st.booleans().flatmap(lambda mistakes: st.tuples(st.just(mistakes), updates("ΔW", 4, mistakes=mistakes))))
def test_many_updates_are_measured_or_refused(machine: Mapping[str, ProbedMode], place: tuple[str, str, str], drawn: tuple[bool, str]) -> None:
    mistakes, text = drawn
    assert measured_or_refused(place[0], text, machine[place[1]], place[2]) or mistakes


@pytest.mark.parametrize(
    "text",
    [
        FORMULA,
        "(W @ delta) @ (a.mT / (a.mT @ a))",
        "(W @ (delta / (a.mT @ a))) @ a.mT",
        "((W @ delta) @ (a.mT @ a)) @ a.mT / (a.mT @ a) / (a.mT @ a)",
        f"({FORMULA} + {FORMULA}) / 2",
        f"(W + {FORMULA}) - W",
        "(W @ delta) @ ((a.mT + delta.mT) - delta.mT) / (a.mT @ a)",
    ],
)
def test_ways_to_write_the_formula_hold(text: str, machine: Mapping[str, ProbedMode]) -> None:
    look("usual", text)
    assert verdict("usual", text, machine["fp64"]) is Verdict.HOLDS


def test_a_wrong_one_of_known_operations_is_violated(machine: Mapping[str, ProbedMode]) -> None:
    text = "(W @ delta) @ a.mT / (a.mT @ a) / 2"
    look("usual", text)
    assert verdict("usual", text, machine["fp64"]) is Verdict.VIOLATED


REFUSED = [
    ("W + W", "W + W: W itself is no part of ΔW"),
    ("W @ W.mT @ W", "W.mT: W is read as the left factor of a column alone: write W @ v"),
    ("W @ (delta @ a.mT) / (a.mT @ a)", "W @ (delta @ a.mT): no product reads a matrix for each case … write (W @ v) @ r for W @ (v @ r)"),
    ("(W @ delta) @ a.mT @ a @ a.mT", "((W @ delta) @ a.mT) @ a: no product reads a matrix"),
    ("(a @ (W @ delta).mT).mT", "(a @ ((W @ delta).mT)).mT: a matrix for each case is not transposed"),
    ("(W / (a.mT @ a)) @ delta @ a.mT", "W / (a.mT @ a): W is read as the left factor of a column alone: write (W @ v) / s"),
    (f"{FORMULA} + 1.0", "+ 1.0: a matrix for each case and a column are not added"),
    (f"{FORMULA} / a", "/ a: the divisor has shape (4, 1): divide by a number, or by a 1x1 value"),
    (f"{FORMULA} / 1e300", "/ 1e+300: a number has to be finite"),
    ("torch.cat([delta, delta])", "with nothing but @, +, -, / and .mT: TypeError: expected Tensor as element 0"),
    ("W", "gave W: return ΔW, which is added to W"),
]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{FORMULA} / 0", "/ 0: it divides by zero"),
        (f"{FORMULA} / 2**126", "whole numbers have at most 63; write it as a float"),
        (f"0 + {FORMULA}", "0 + ("),
        (f"sum([{FORMULA}])", "a sum begins with its first summand, not with 0"),
        ("(W @ delta) * (a.mT / (a.mT @ a))", "there is no product entry by entry: write v @ s, or x / s"),
        (f"-({FORMULA})", "write what it is subtracted from, or x / -1"),
        (f"1 - {FORMULA}", "a Python number stands behind + and -"),
    ],
)
def test_an_operation_that_is_none_is_named(text: str, said: str) -> None:
    assert said in (refusal("usual", text) or "")


def test_a_column_of_one_entry_is_no_divisor() -> None:
    """W a of a network with one hidden unit: the expected errors of tf32 have no quotient by it."""
    said = refusal("with one hidden unit", "((W @ delta) @ (W @ a)) @ a.mT / (W @ a) / (a.mT @ a)")
    assert "the divisor has shape (1, 1), and is no r @ v" in (said or "")


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_would_break_a_cell_is_refused_by_the_operation(text: str, said: str, machine: Mapping[str, ProbedMode]) -> None:
    """And it would: each of them breaks the cells of a format if it is not looked at."""
    with pytest.raises(UnusableBlock) as found:
        look("usual", text)
    assert all(part in str(found.value) for part in said.split(" … ")), str(found.value)
    with pytest.raises((RuntimeError, IndexError, AssertionError, TypeError)):
        verdict("usual", text, machine["fp32"])


def test_a_patched_weight_in_place_of_the_update_is_told() -> None:
    with pytest.raises(UnusableBlock, match=r"gave W \+ .*: return ΔW, which is added to W"):
        look("usual", f"W + {FORMULA}")


def doubled(x: Tensor, times: int) -> Tensor:
    for _ in range(times):
        x = x + x
    return x


def tree(x: Tensor, depth: int) -> Tensor:
    return x if depth == 0 else tree(x, depth - 1) + tree(x, depth - 1)


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (lambda W, delta, a: doubled((W @ delta) @ a.mT, 26), f"that is a sum of {2 * MOST_PRODUCTS} products v @ r, and {MOST_PRODUCTS} are the most"),
        (lambda W, delta, a: (W @ tree(delta, 26)) @ a.mT, f"that is operation {MOST_OPERATIONS + 1} of the update, and {MOST_OPERATIONS} are the most"),
    ],
)
def test_an_update_that_grows_without_end_is_refused_before_it_has(update: Callable[..., Tensor], said: str) -> None:
    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", block(), update=update)


def test_a_column_may_be_doubled_as_often_as_one_likes(machine: Mapping[str, ProbedMode]) -> None:
    own = own_block("mine", block(), update=lambda W, delta, a: (W @ doubled(delta, 26)) @ a.mT / (a.mT @ a) / 2.0**26)
    assert measuring.measured(own, machine["fp32"], variant_of(own, OWN), cases=CASES).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda made: made[0], r"gave \(6, 4\) over tensors of float64; ΔW is \(8, 6, 4\) for 8 cases"),
        (lambda made: made.int(), r"gave torch.int32 over tensors of float64"),
        (lambda made: made if made.dtype != torch.float16 else None, r"gave NoneType over tensors of float16"),
    ],
)
def test_what_it_gives_for_tensors_alone_is_looked_at_in_every_format(given: Callable[[Tensor], object], said: str) -> None:
    def update(W: Tensor, delta: Tensor, a: Tensor) -> object:
        made = (W @ delta) @ a.mT / (a.mT @ a)
        return given(made) if isinstance(W, Tensor) else made

    with pytest.raises(UnusableBlock, match=said):
        own_block("mine", block(), update=update)


def test_a_refusal_that_the_update_catches_is_one(machine: Mapping[str, ProbedMode]) -> None:
    def update(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        try:
            return W @ (delta @ a.mT) / (a.mT @ a)
        except Exception:
            return (W @ delta) @ a.mT / (a.mT @ a)

    with pytest.raises(UnusableBlock, match=r"computes W @ \(delta @ a\.mT\)"):
        own_block("mine", block(), update=update)
