"""The expected variance of each operation, entry by entry, against the model written out in rationals (``variance_model.py``).

All of it is asked twice, for numbers about 1 and for such as are hardly larger than the smallest normal one, where an underflow is as large as a rounding.
"""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from numeric.arithmetics.largest_entry import largest_entry
from numeric.arithmetics.sensitivities import deviation
from numeric.arithmetics.value_and_variance import Given, cast_up, dense_layer, exactly, in_arithmetic, stored
from numeric.arithmetics.value_and_variance import column as made_column
from numeric.formats import format_named, round_to, torch_dtype
from numeric.machine import FP64
from numeric.machine.kernels import DENSE, INNER_PRODUCT, OUTER_PRODUCT, SHARED_PRODUCT, KernelAt
from tests.numeric.arithmetics.variance_model import (
    BF16,
    CLOSE,
    FP32,
    MODELS,
    TF32,
    THIRD,
    Bench,
    P,
    Q,
    agrees,
    bench,
    came_out,
    held,
    model,
    operand,
    product,
    rounding,
    rows,
    share,
    underflow,
)

every = pytest.mark.parametrize("name", MODELS)
scales = pytest.mark.parametrize("tiny", [False, True], ids=["about 1", "about the smallest"])


@scales
@every
def test_sums_and_differences(name: str, tiny: bool) -> None:
    """Of independent errors, of one source twice, and with a constant."""
    at = bench(name, tiny)
    n, flushed = at.n, 9 * Fraction(at.n.storage.smallest_normal) ** 2 * at.n.elementwise_flushes
    (x, xs, vx), (y, ys, vy) = at.column(1), at.column(2)
    for found, sign in ((x + y, 1), (x - y, -1)):
        came_out(found, [a + sign * b for a, b in zip(xs, ys, strict=True)], n)
        agrees(found, [v + w + rounding(z, n) + flushed for v, w, z in zip(vx, vy, held(found.held), strict=True)])
    agrees(x - x, [flushed] * Q)
    twice = x + x
    agrees(twice, [4 * v + rounding(z, n) + flushed for v, z in zip(vx, held(twice.held), strict=True)])
    constant = x + at.scale
    agrees(constant, [v + rounding(z, n) + flushed for v, z in zip(vx, held(constant.held), strict=True)])


@scales
@every
def test_quotients_of_columns(name: str, tiny: bool) -> None:
    at = bench(name, tiny)
    (x, _, vx), (s, (by,), (vs,)) = at.column(1), at.column(3, 1, scale=-1.0)
    found = x / s
    quotient = held(found.held)
    came_out(found, [a / by for a in held(x.held)], at.n)
    agrees(found, [v / by**2 + (z / by) ** 2 * vs + rounding(z, at.n) + underflow(at.n) for v, z in zip(vx, quotient, strict=True)])


@pytest.mark.parametrize("kind", ["column", "matrix"])
def test_a_quotient_by_what_it_was_multiplied_with(kind: str) -> None:
    """(y s)/s, and ((y s)aᵀ)/s applied to a column: whatever s errs by is gone again; the planted one divides by a number that errs for itself."""
    at = Bench(FP64, False, Given())
    y, a, t = (exactly(x, at.n, at.given) for x in (at.numbers(1, 1, P, 1), at.numbers(2, 1, Q, 1), at.numbers(3, 1, Q, 1)))

    def deviates(sigma: float, *, apart: bool = False) -> float:
        two, own = torch.full((1, 1, 1), 2.0, dtype=torch.float64), torch.full((1, 1, 1), sigma, dtype=torch.float64)
        s, other = (made_column(two, at.n, at.given, (), own) for _ in range(2))
        times_s, by = y @ s, other if apart else s
        if kind == "column":
            return float(deviation((times_s / by).terms).max())
        matrix = (times_s @ a.mT) / by
        value = y.held @ (a.held.mT @ t.held)
        return float(deviation(dense_layer(matrix, None, t, value, DENSE, apart=False).terms).max())

    alone = deviates(0.0)
    assert abs(deviates(2.0**-10) - alone) <= alone * 2.0**-9
    assert deviates(2.0**-10, apart=True) > 2.0**-12


def test_products_of_long_weights_are_rounded_before_strands_are_summed() -> None:
    """Of weights in storage they are exact in the wider format; of weights that are longer each product is one rounding more."""
    deviations = []
    for matrices in (None, FP32):
        at = Bench(replace(MODELS["strands"], matrices=matrices), False, Given())
        W, y = (exactly(x, at.n, at.given) for x in (at.numbers(4, P, Q), at.numbers(2, 1, Q, 1)))
        deviations.append(deviation(dense_layer(W, None, y, W.held @ y.held, DENSE, apart=False).terms))
    squares = [(Fraction(w) * Fraction(t)) ** 2 for w, t in zip(W.held[0].double().tolist(), y.held.double().flatten().tolist(), strict=True)]
    more = sum(squares, Fraction(0)) * Fraction(FP32.unit_roundoff) ** 2 * THIRD
    before, after = (held(x)[0] ** 2 for x in deviations)
    assert abs(after - before - more) <= CLOSE * before


@scales
@every
def test_a_column_times_a_number(name: str, tiny: bool) -> None:
    at = bench(name, tiny)
    n = at.n
    (x, xs, vx), (s, (by,), (vs,)) = at.column(1), at.column(3, 1, scale=1.0)
    found = x @ s
    came_out(found, [a * by for a in xs], n)
    lost_s = operand(by, n)[1]
    exact = [(v + operand(a, n)[1]) * by**2 + a**2 * (vs + lost_s) for v, a in zip(vx, xs, strict=True)]
    agrees(found, [v + rounding(z, n) + underflow(n) for v, z in zip(exact, held(found.held), strict=True)])


@scales
@every
def test_products_of_rows_and_of_shared_matrices(name: str, tiny: bool) -> None:
    at = bench(name, tiny)
    n = at.n
    (x, xs, vx), (y, ys, vy) = at.column(1, scale=1.0), at.column(2)
    found = x.mT @ y
    (z,) = held(found.held)
    entries = list(zip(xs, ys, vx, vy, strict=True))
    inherited = sum(((v + operand(a, n)[1]) * b**2 + a**2 * (w + operand(b, n)[1]) for a, b, v, w in entries), Fraction(0))
    if not n.orders or all(order.leaves == Q for order in n.orders.values()):
        agrees(found, [inherited + product(n, xs, ys, z)])
    W = exactly(at.numbers(4, P, Q), n, at.given)
    found = W @ y
    for got, row, z in zip(held(deviation(found.terms)), rows(W.held), held(found.held), strict=True):
        own = sum((operand(a, n)[1] * b**2 + a**2 * (w + operand(b, n)[1]) for a, b, w in zip(row, ys, vy, strict=True)), Fraction(0))
        wanted = own + product(n, row, ys, z)
        assert abs(got**2 - wanted) <= CLOSE * wanted


@pytest.mark.parametrize("large", [4.0, 0.25])
@pytest.mark.parametrize("apart", [False, True])
@scales
@every
def test_dense_layers(name: str, tiny: bool, apart: bool, large: float) -> None:
    """With a bias that is four times as large as the rest, or a quarter of it; and without."""
    at = bench(name, tiny)
    n = at.n
    W, (y, ys, vy) = exactly(at.numbers(4, P, Q), n, at.given), at.column(2)
    offset, b, vb = at.column(5, P, scale=at.scale * large)
    offset = replace(offset, value=offset.held[0])  # a bias is shared by all cases
    value = ((W.held.double() @ y.held.double()) + offset.held.double()).to(W.held.dtype)
    found = dense_layer(W, offset, y, value, DENSE, apart=apart)
    small = Fraction(n.storage.smallest_normal)
    for i, (got, row, z) in enumerate(zip(held(deviation(found.terms)), rows(W.held), held(value), strict=True)):
        own = sum((operand(a, n)[1] * t**2 + a**2 * (w + operand(t, n)[1]) for a, t, w in zip(row, ys, vy, strict=True)), Fraction(0))
        own += vb[i] + (operand(b[i], n)[1] if n.bias_is_an_operand else 0)
        own += product(n, row, ys, z - b[i] if apart else z, bias=None if apart else b[i])
        own += rounding(z, n) if apart else 0
        own += b[i] ** 2 if n.flushing and abs(b[i]) < small else 0
        assert abs(got**2 - own) <= CLOSE * own
    bare = dense_layer(W, None, y, value, DENSE, apart=apart)
    for got, row, z in zip(held(deviation(bare.terms)), rows(W.held), held(value), strict=True):
        own = sum((operand(a, n)[1] * t**2 + a**2 * (w + operand(t, n)[1]) for a, t, w in zip(row, ys, vy, strict=True)), Fraction(0))
        own += product(n, row, ys, z)
        assert abs(got**2 - own) <= CLOSE * own


def test_a_bias_that_is_far_larger() -> None:
    """2^600 beside ones: its square is no float64 number."""
    n, given = model(format_named("fp64")), Given()
    W, y = exactly(torch.ones((P, Q), dtype=torch.float64), n, given), exactly(torch.ones((1, Q, 1), dtype=torch.float64), n, given)
    b = exactly(torch.full((P, 1), 2.0**600, dtype=torch.float64), n, given)
    found = dense_layer(W, b, y, b.held.unsqueeze(0), DENSE, apart=False)
    ones = [Fraction(1)] * Q
    agrees(found, [product(n, ones, ones, Fraction(2) ** 600, bias=Fraction(2) ** 600)] * P)


@scales
@every
def test_a_patched_weight_applied(name: str, tiny: bool) -> None:
    """W + v aᵀ/s, each rounded; and each part of it alone, applied to a column."""
    at = bench(name, tiny)
    n = at.n
    (v, vs, wv), (a, as_, wa) = at.column(1, P), at.column(2, scale=1.0)
    (s, (by,), (ws,)), y = at.column(3, 1, scale=-1.0), exactly(at.numbers(6, 1, Q, 1), n, at.given)
    W, ys = exactly(at.numbers(4, P, Q, scale=at.scale), n, at.given), held(y.held)
    flushed = 2 * Fraction(n.accumulation.smallest_normal) + Fraction(n.storage.smallest_normal) if n.flushing else Fraction(0)
    eta = Fraction(n.storage.half_subnormal) + (Fraction(n.opmath.half_subnormal) if n.opmath != n.storage else 0)
    eta2 = (eta + Fraction(n.storage.smallest_normal) + flushed) ** 2 if n.elementwise_flushes else (Fraction(math.sqrt(1 / 3)) * eta + flushed) ** 2
    at_once = v @ a.mT
    for kind, built in (("outer", at_once), ("quotient", at_once / s), ("sum", W + at_once / s), ("difference", W - at_once / s)):
        sign = -1 if kind == "difference" else 1
        divisor = Fraction(1) if kind == "outer" else by
        near = [
            [sign * x * t / divisor + (w if kind in ("sum", "difference") else 0) for t, w in zip(as_, row, strict=True)]
            for x, row in zip(vs, rows(W.held), strict=True)
        ]
        ahat = sum((t * q for t, q in zip(as_, ys, strict=True)), Fraction(0))
        values = torch.tensor([float(sum((m * q for m, q in zip(row, ys, strict=True)), Fraction(0))) for row in near]).reshape(1, P, 1)
        value = values.to(torch_dtype(n.storage))
        found = dense_layer(built, None, y, value, DENSE, apart=False)
        for i, (got, z) in enumerate(zip(held(deviation(found.terms)), held(value), strict=True)):
            x = vs[i]
            own = (wv[i] + operand(x, n)[1]) * (ahat / divisor) ** 2
            own += sum(((w + operand(t, n)[1]) * (x * q / divisor) ** 2 for t, w, q in zip(as_, wa, ys, strict=True)), Fraction(0))
            for t, q, m in zip(as_, ys, near[i], strict=True):
                own += (share(n) * (x * t) ** 2 + eta2) * (q / divisor) ** 2
                if kind != "outer":
                    own += (share(n) * (x * t / by) ** 2 + underflow(n)) * q**2
                if kind in ("sum", "difference"):
                    own += (share(n) * m**2 + 9 * Fraction(n.storage.smallest_normal) ** 2 * n.elementwise_flushes) * q**2
                if n.operands is not None:
                    own += (Fraction(n.operands.unit_roundoff) * m * q) ** 2 * THIRD + m**2 * operand(q, n)[1]
            if kind != "outer":
                own += (x * ahat / by**2) ** 2 * ws
            parts = [abs(x * t / divisor) + (abs(w) if kind in ("sum", "difference") else 0) for t, w in zip(as_, rows(W.held)[i], strict=True)]
            own += product(n, near[i], ys, z, above=sum((m * abs(q) for m, q in zip(parts, ys, strict=True)), Fraction(0)))
            assert abs(got**2 - own) <= CLOSE * own, kind


@scales
@pytest.mark.parametrize("target", ["bf16", "fp16", "tf32", "fp8-e4m3"])
def test_what_is_stored(target: str, tiny: bool) -> None:
    """A column by its first place, a matrix a case by its size; a product that rounds to that format leaves what is of it."""
    at, row = bench("fp32", tiny), format_named(target)
    u, normal, half = (Fraction(t) for t in (row.unit_roundoff, row.smallest_normal, row.half_subnormal))
    scale = row.smallest_normal / 8 if tiny else 1.0
    x, xs, vx = at.column(1, scale=scale)
    kept = stored(x, row, at.n)
    came = [Fraction(round_to(torch.tensor(float(t)), row).item()) for t in xs]
    assert held(kept.held) == came
    assert kept.held.dtype == (torch_dtype(row) if row.native else torch.float32)
    places = [max(Fraction(2) ** (math.frexp(float(t))[1] - 1) if t else Fraction(0), normal) for t in came]
    agrees(kept, [v + (u * place) ** 2 * THIRD for v, place in zip(vx, places, strict=True)])
    assert stored(x, FP32, at.n) == in_arithmetic(x, at.n)
    (v, vs, _), (a, as_, _) = at.column(2, P, scale=scale), at.column(3, scale=1.0)
    exact = [exactly(part.held, at.n, at.given) for part in (v, a)]
    matrix, y = exact[0] @ exact[1].mT, exactly(at.numbers(6, 1, Q, 1), at.n, at.given)
    narrow = stored(matrix, row, model(FP32, operands=row))
    ys, shares = held(y.held), share(at.n)
    value = torch.zeros((1, P, 1))
    found = dense_layer(narrow, None, y, value, DENSE, apart=False)
    plain = replace(model(FP32, operands=row))
    for i, got in enumerate(held(deviation(found.terms))):
        near = [vs[i] * t for t in as_]
        own = sum(((shares + u**2 * THIRD) * (m * q) ** 2 + (underflow(at.n) + half**2 * THIRD) * q**2 for m, q in zip(near, ys, strict=True)), Fraction(0))
        own += sum((m**2 * operand(q, plain)[1] for m, q in zip(near, ys, strict=True)), Fraction(0))
        own += product(plain, near, ys, Fraction(0))
        assert abs(got**2 - own) <= CLOSE * own


def test_what_is_absorbed_when_it_is_stored_is_known() -> None:
    """In fp32 W + U is what it is; stored in bf16 it is W."""
    at = bench("fp32")
    W, ones = exactly(torch.ones((P, Q)), at.n, at.given), exactly(torch.ones((1, Q, 1)), at.n, at.given)
    v = exactly(torch.full((1, P, 1), 2.0**-10), at.n, at.given)
    kept = stored(W + v @ ones.mT, BF16, at.n)
    found = dense_layer(kept, None, ones, torch.zeros((1, P, 1)), DENSE, apart=False)
    assert found.known is not None
    assert found.known.flatten().tolist() == [-Q * 2.0**-10] * P
    with_bias = dense_layer(kept, exactly(torch.ones((P, 1)), at.n, at.given), ones, torch.zeros((1, P, 1)), DENSE, apart=True)
    assert with_bias.known is not None
    with pytest.raises(AssertionError, match="no further"):
        _ = found @ exactly(torch.ones((1, 1, 1)), at.n, at.given)


def test_an_operand_is_rounded_once() -> None:
    """The same tensor twice is one source: x·1 - x·1 has only the roundings of its own; of another tensor it is another one."""
    at = bench("short operands")
    value = torch.full((1, 1, 1), 1 + TF32.unit_roundoff)
    x, one = exactly(value, at.n, at.given), exactly(torch.ones((1, 1, 1)), at.n, at.given)
    other = exactly(value.clone(), at.n, at.given)
    v = (TF32.unit_roundoff * value.item()) ** 2 / 3
    same, apart = (float(deviation((x @ one - y @ one).terms)) ** 2 for y in (x, other))
    assert same < v / 1024
    assert 2 * v * (1 - 2.0**-20) <= apart <= 2 * v * (1 + 2.0**-20)


def test_what_is_carried_over() -> None:
    at = bench("bf16")
    x, xs, vx = at.column(1)
    wide = cast_up(x, model(FP32))
    assert wide.held.dtype == torch.float32
    agrees(wide, vx)
    assert held(wide.held) == xs
    given = exactly(x.held, at.n, at.given)
    assert held(largest_entry(given).held) == [max(map(abs, xs))]
    assert largest_entry(exactly(-given.held.abs(), at.n, at.given)).held.item() == max(map(abs, xs))
    with pytest.raises(AssertionError):
        largest_entry(x)
    double = torch.full((1, 1, 1), 3.0, dtype=torch.float64)
    assert exactly(torch.ones((1, 1, 1)), at.n, at.given, wide=double).near.outers[0][0] is double
    with pytest.raises(AssertionError):
        _ = exactly(torch.ones((P, Q)), at.n, at.given).mT


@pytest.mark.parametrize("name", [SHARED_PRODUCT, INNER_PRODUCT, OUTER_PRODUCT])
def test_each_kernel_is_looked_up_by_its_name_and_shape(name: str) -> None:
    """One that takes its operands whole loses nothing by reading them, and the others lose what they do."""
    odd = torch.full((1, Q, 1), 1 + TF32.unit_roundoff)
    for kind, own, place in (
        ("row", INNER_PRODUCT, (1, Q)),
        ("matrix", SHARED_PRODUCT, (P, Q)),
        ("number", OUTER_PRODUCT, (Q, 1)),
        ("outer", OUTER_PRODUCT, (Q, Q)),
    ):
        n = model(FP32, operands=TF32, whole=frozenset({KernelAt(name, *place)}))
        given = Given()
        x, one = exactly(odd, n, given), exactly(torch.ones((1, 1, 1)), n, given)
        W = exactly(torch.ones((P, Q)), n, given)
        found = {"row": lambda x=x: x.mT @ x, "matrix": lambda W=W, x=x: W @ x, "number": lambda x=x, one=one: x @ one, "outer": lambda x=x: x @ x.mT}[kind]()
        if kind == "outer":
            assert bool(found.terms) == (name != own)
        else:
            assert (float(deviation(found.terms).max()) > TF32.unit_roundoff / 4) == (name != own)


@pytest.mark.parametrize("name", [SHARED_PRODUCT, INNER_PRODUCT])
def test_a_kernel_that_flushes_is_looked_up_too(name: str) -> None:
    """Of zeros nothing is lost but what is flushed."""
    n = model(FP32, flushing=frozenset({name}))
    given = Given()
    x, W = exactly(torch.zeros((1, Q, 1)), n, given), exactly(torch.zeros((P, Q)), n, given)
    for own, found in ((INNER_PRODUCT, x.mT @ x), (SHARED_PRODUCT, W @ x)):
        assert (float(deviation(found.terms).max()) >= FP32.smallest_normal) == (name == own)
