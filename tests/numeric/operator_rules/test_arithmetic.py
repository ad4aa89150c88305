"""The rows of arithmetic and of matrix products against ball arithmetic: PyTorch's samples, and calls of our own with numbers of every size."""

from collections import defaultdict
from itertools import product
from typing import Any

import pytest
import torch

from numeric.operator_rules import Bounded, NoOperatorRule
from numeric.operator_rules.call import OperatorCall, OperatorRow
from numeric.operator_rules.table import OPERATOR_ROWS
from tests.numeric.operator_rules.against_exact import Tally, compare
from tests.numeric.operator_rules.drawn_calls import KINDS, Arguments, Drawer, overload_named
from tests.numeric.operator_rules.opinfo import samples
from tests.numeric.operator_rules.probed_modes import DTYPES, EMULATED, probed
from tests.numeric.operator_rules.references_arithmetic import REFERENCES

SPREADS = (0.0, 1e-6, 1e-2)
OPINFO = ("add", "sub", "rsub", "mul", "div", "reciprocal", "neg", "mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "matmul", "nn.functional.linear")
"""Entries of ``op_db`` that execute an overload with a row here."""
ENTRYWISE = ("add.Tensor", "sub.Tensor", "rsub.Tensor", "mul.Tensor", "div.Tensor", "reciprocal.default", "neg.default")
IN_PLACE = ("add_.Tensor", "sub_.Tensor", "mul_.Tensor", "div_.Tensor", "reciprocal_.default", "neg_.default")
SCALARS = ("add.Scalar", "sub.Scalar", "rsub.Scalar", "mul.Scalar", "div.Scalar")
PRODUCTS = ("mm.default", "addmm.default", "bmm.default", "baddbmm.default", "mv.default", "addmv.default", "dot.default")
OWN = (*ENTRYWISE, *IN_PLACE, *SCALARS, *PRODUCTS)
MANY = 28
"""Calls of our own of each overload: more than twenty, four of each kind of numbers."""


def drawn(name: str, mode: str, seed: int) -> tuple[Arguments, str]:
    """The arguments of a call, and which kind of numbers they hold."""
    kind = KINDS[seed % len(KINDS)]
    draw = Drawer(torch.Generator().manual_seed(seed), (DTYPES | EMULATED)[mode], kind)
    return (_of_product(name.split(".")[0], draw) if name in PRODUCTS else _entrywise(name, draw)), kind


def _entrywise(name: str, draw: Drawer) -> Arguments:
    shape, overwritten = draw.shape(), name in IN_PLACE
    x = draw.tensor(shape, overwritten=overwritten)
    if name.startswith(("reciprocal", "neg")):
        return (x,), {}
    if name in SCALARS:
        return (x, draw.number(-3.0, 3.0)), {}
    other = draw.tensor(shape if draw.integer(0, 1) else shape[1:])
    scaled = {"alpha": draw.number(-2.0, 2.0)} if name.startswith(("add", "sub", "rsub")) and draw.integer(0, 2) == 0 else {}
    return (x, other), scaled


def _of_product(name: str, draw: Drawer) -> Arguments:
    B, R, k, p = (draw.integer(1, most) for most in (3, 4, 12, 4))
    scaled: dict[str, Any] = {"alpha": draw.number(-2.0, 2.0), "beta": draw.number(-2.0, 2.0)} if draw.integer(0, 3) == 0 else {}
    t = draw.tensor
    if name == "dot":
        return (t((k,)), t((k,))), {}
    if name.endswith("mv"):
        matrix = t((p, k)), t((k,))
        return ((t((p,)), *matrix), scaled) if name == "addmv" else (matrix, {})
    factors = (t((R, k)), t((k, p))) if name in ("mm", "addmm") else (t((B, R, k)), t((B, k, p)))
    if not name.startswith(("addmm", "baddbmm")):
        return factors, {}
    added = ((p,), (1, p), (R, p), (R, 1)) if name == "addmm" else ((p,), (1, 1, p), (B, 1, p), (B, R, p))
    return (t(added[draw.integer(0, 3)]), *factors), scaled


def judged(name: str, arguments: Arguments, mode: str, tally: Tally, spread: float, seed: int) -> None:
    reference = REFERENCES[name.replace("_.", ".")]
    compare(overload_named(name), *arguments, reference, probed(mode), tally, spread=spread, seed=seed)


def sound(tally: Tally, *, doubts: bool) -> None:
    """doubts: whether the numbers were such that there may be some."""
    assert not tally.outside, tally.outside[:3]
    assert not tally.infinite
    assert doubts or not tally.needless, tally.needless[:3]


def swept(names: tuple[str, ...], mode: str, seeds: range, spreads: tuple[float, ...]) -> tuple[Tally, Tally]:
    """Calls of our own: of ordinary numbers, and of tiny, huge and vanishing ones."""
    ordinary, extreme = Tally(), Tally()
    for name, seed, spread in product(names, seeds, spreads):
        arguments, kind = drawn(name, mode, seed)
        judged(f"aten.{name}", arguments, mode, ordinary if kind == "moderate" else extreme, spread, seed)
    sound(ordinary, doubts=spreads != (0.0,))
    sound(extreme, doubts=True)
    return ordinary, extreme


def test_calls_of_our_own_stay_within_their_radii() -> None:
    """One call of each overload, of numbers of another kind each time."""
    for place, name in enumerate(OWN):
        swept((name,), "bf16", range(place % len(KINDS), place % len(KINDS) + 1), (SPREADS[place % 3],))


@pytest.mark.soak
@pytest.mark.parametrize("mode", DTYPES)
def test_many_calls_of_our_own_stay_within_their_radii(mode: str) -> None:
    for name in OWN:
        ordinary, extreme = swept((name,), mode, range(MANY), SPREADS)
        counts = f"{ordinary.entries} entries, {ordinary.worst:.3f} of a radius; {extreme.entries} of extreme numbers, {extreme.doubtful} in doubt"
        print(f"{mode} {name}: {MANY * len(SPREADS)} calls, {counts}")


@pytest.mark.parametrize("mode", ["tf32", "bf16-reduced"])
def test_an_emulated_product_stays_within_its_radius(mode: str) -> None:
    """The machine is asked about it while an operator is handled, as in every walk."""
    swept(("addmm.default",), mode, range(1), (1e-6,))


@pytest.mark.soak
@pytest.mark.parametrize("mode", EMULATED)
def test_many_emulated_products_stay_within_their_radii(mode: str) -> None:
    for name in PRODUCTS:
        ordinary, extreme = swept((name,), mode, range(MANY), SPREADS)
        counts = f"{ordinary.entries} entries, {ordinary.worst:.3f} of a radius; {extreme.entries} of extreme numbers, {extreme.doubtful} in doubt"
        print(f"{mode} {name}: {MANY * len(SPREADS)} calls, {counts}")


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["bf16-reduced", "fp16-reduced"])
def test_products_in_fp32_are_the_machines_own_where_others_are_emulated(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that is cast up, for one."""
    monkeypatch.setitem(EMULATED, mode, torch.float32)
    for name in PRODUCTS:
        swept((name,), mode, range(MANY // 4), SPREADS)


def pytorchs(mode: str, entries: tuple[str, ...], spreads: tuple[float, ...]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for entry in entries:
        for seed, (operator, args, kwargs) in enumerate(samples(entry, DTYPES[mode])):
            name = str(operator)
            for spread in spreads if name in REFERENCES else ():
                try:
                    compare(operator, args, kwargs, REFERENCES[name], probed(mode), tallies[name], spread=spread, seed=seed)
                except NoOperatorRule as why:
                    if "without products" not in str(why):
                        raise
    return tallies


@pytest.mark.soak
@pytest.mark.parametrize("entry", ["add", "mm", "addmm"])
def test_a_few_samples_of_pytorch_stay_within_their_radii(entry: str) -> None:
    for tally in pytorchs("bf16", (entry,), (0.0,)).values():
        sound(tally, doubts=False)


@pytest.mark.soak
@pytest.mark.parametrize("mode", DTYPES)
def test_the_samples_of_pytorch_stay_within_their_radii(mode: str) -> None:
    for name, tally in pytorchs(mode, OPINFO, SPREADS).items():
        print(f"{mode} {name}: {tally.samples} samples, {tally.entries} entries, {tally.doubtful} in doubt, {tally.worst:.3f} of a radius")
        sound(tally, doubts=True)


def halved(row: OperatorRow) -> OperatorRow:
    def half(call: OperatorCall) -> list[Bounded]:
        return [Bounded(each.radius / 2, each.doubts) for each in row(call)]

    return half


@pytest.mark.parametrize("mode", [pytest.param("tf32", marks=pytest.mark.soak), "bf16-reduced", "fp16-reduced"])
def test_half_a_radius_of_an_emulated_product_is_noticed(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATOR_ROWS, "mm.default", halved(OPERATOR_ROWS["mm.default"]))
    tally = Tally()
    for seed in range(0, MANY * len(KINDS), len(KINDS)):
        arguments, kind = drawn("mm.default", mode, seed)
        assert kind == KINDS[0]
        judged("aten.mm.default", arguments, mode, tally, 0.0, seed)
        if tally.outside:
            return
    pytest.fail(f"half of {mode}'s radius is enough for every call")


@pytest.mark.parametrize(
    "name", ["add.Tensor", "mul.Tensor", "div.Tensor", "mm.default", *(pytest.param(f"{name}.default", marks=pytest.mark.soak) for name in ("addmm", "bmm"))]
)
def test_half_a_radius_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted negative: in bf16, where the rounding to storage is nearly all of it."""
    monkeypatch.setitem(OPERATOR_ROWS, name, halved(OPERATOR_ROWS[name]))
    tally = Tally()
    for seed in range(MANY):
        arguments, _ = drawn(name, "bf16", seed)
        judged(f"aten.{name}", arguments, "bf16", tally, 0.0, seed)
        if tally.outside:
            return
    pytest.fail("half a radius is enough for every call")
