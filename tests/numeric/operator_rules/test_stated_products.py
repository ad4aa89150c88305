"""The radii of matrix products with factors α and β, held to the formula of ``_scaled`` in mpmath; and of every form of a product, to those of its entries."""

from collections.abc import Callable
from itertools import product
from typing import Any
from unittest.mock import patch

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from numeric.formats import Format
from numeric.machine.kernels import BARE, DENSE, MATRIX_LEFT, ONE_COLUMN, PATCHED_BIAS, PATCHED_WEIGHT, PRODUCT, SEVERAL_COLUMNS
from numeric.machine.operands import KernelCall
from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, NoOperatorRule, products
from numeric.operator_rules import call as calls
from numeric.operator_rules.call import OperatorCall
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from numeric.operator_rules.table import operator_row
from numeric.operators.executions import CallSite, Execution
from tests.numeric.operator_rules.drawn_calls import overload_named
from tests.numeric.operator_rules.erring_kernels import asked
from tests.numeric.operator_rules.stated_functions import BITS, STATED, Unit, close
from tests.numeric.operator_rules.swept import probed

ROUNDINGS = 7
"""α and β as numbers, the sum stored, α times it, β times c, their sum, and it stored."""
FACTORS = ((0.0, 1.5), (1.0, 2.0), (0.3, 1.0), (-1.7, 0.0), (2.0, -0.5), (0.3, 0.7))
K = 5


def drawn(shape: tuple[int, ...], seed: int, *, spread: float = 0.0) -> tuple[Tensor, Tensor]:
    """Numbers of a few bits, of which some are so small that they are flushed; and their radii."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-15, 16, shape, generator=generator) / 8.0 * 2.0 ** -torch.randint(0, 3, shape, generator=generator)
    x = torch.where(torch.rand(shape, generator=generator) < 0.2, x * 2.0**-9, x)
    return x.float(), torch.rand(shape, generator=generator, dtype=torch.float64) * spread


def _scaled(unit: Unit, row: list[tuple[mpf, mpf]], column: list[tuple[mpf, mpf]], c: tuple[mpf, mpf], alpha: mpf, beta: mpf) -> tuple[mpf, mpf]:
    """The radius of βc + α Σ b a, and the size of its terms with their roundings; each number with its radius."""
    n, k, (a, b) = unit.n, len(row), (abs(alpha), abs(beta))
    pairs = list(zip(row, column, strict=True))
    terms = a * sum(abs(x * y) for (x, _), (y, _) in pairs) + b * abs(c[0])
    moved = a * sum(q * (abs(x) + r) + abs(y) * r for (x, r), (y, q) in pairs) + b * c[1]
    of_sum, of_rest = unit.gamma(k + 1, mpf(n.accumulation.unit_roundoff)), unit.gamma(ROUNDINGS, mpf(n.storage.unit_roundoff))
    lost = (1 + a) * (k + 1) * mpf(n.accumulation.half_subnormal) + (1 + a) * ROUNDINGS * mpf(n.storage.half_subnormal)
    if unit.flushed:
        moved += a * sum(abs(y) * (abs(x) if abs(x) < unit.flushed else 0) + abs(x) * unit.flushed for (x, _), (y, _) in pairs)
        lost += (1 + a + b) * (2 * k + ROUNDINGS) * unit.flushed
    growth = (1 + of_sum) * (1 + of_rest)
    return moved + (of_sum + of_rest + of_sum * of_rest) * terms + lost * growth, terms * growth


def said(overload: str, of: str, value: Tensor, *operands: tuple[str, Tensor, Tensor], **given: Any) -> Tensor:
    """The radii of a row.  operands: each with its radius, which is known of every view of it, too."""
    knowledge, operator, n = KnownTensors(), overload_named(overload), STATED[of]
    for _, x, r in operands:
        knowledge.put(x, Bounded(r))
    step = Execution(CallSite(overload, "a test", 0), operator, (), {})
    defaults = {each.name: each.default_value for each in operator._schema.arguments if each.has_default_value()}
    call = OperatorCall(step, {**defaults, **{name: x for name, x, _ in operands}, **given}, [value], knowledge.of, lambda dtype: n)
    with patch.object(calls, "format_of", lambda dtype: n.storage):
        return operator_row(operator)(call)[0].radius


def _pairs(x: Tensor, r: Tensor) -> list[tuple[mpf, mpf]]:
    return [(mpf(a), mpf(b)) for a, b in zip(x.flatten().tolist(), r.flatten().tolist(), strict=True)]


@pytest.mark.parametrize("spread", [0.0, 2.0**-5])
@pytest.mark.parametrize(("alpha", "beta"), FACTORS)
def test_a_scaled_product_gives_what_is_stated(alpha: float, beta: float, spread: float) -> None:
    for of, n in STATED.items():
        (A, r_A), (B, r_B), (c, r_c) = (drawn(shape, seed, spread=spread) for seed, shape in enumerate(((3, K), (K, 2), (3, 2))))
        value = beta * c + alpha * (A @ B)
        met: list[tuple[Tensor, Format]] = []
        with patch.object(products, "foretell_overflow", lambda flags, largest, storage, met=met, **_: met.append((largest, storage))):  # type: ignore[misc]
            found = said("aten.addmm.default", of, value, ("self", c, r_c), ("mat1", A, r_A), ("mat2", B, r_B), alpha=alpha, beta=beta)
        with mpmath.workprec(BITS):
            largest: list[mpf] = []
            for row, column in product(range(3), range(2)):
                operands = _pairs(A[row], r_A[row]), _pairs(B[:, column], r_B[:, column]), _pairs(c[row, column], r_c[row, column])[0]
                right, size = _scaled(Unit(n), *operands, mpf(alpha), mpf(beta))
                close(float(found[row, column]), right, f"{of} at {row}, {column}")
                largest.append(size * max(mpf(1), 1 / max(abs(mpf(alpha)), mpf(2) ** -900)))
            for row in range(3):
                close(float(met[0][0][row]), max(largest[2 * row : 2 * row + 2]), f"the largest number of row {row}, {of}")
            assert met[0][1] == n.storage


A3, B3 = drawn((2, 3, K), 10, spread=2.0**-6), drawn((2, K, 4), 11, spread=2.0**-6)


def _of_entries(of: str) -> Tensor:
    """The radius of each entry of A B, by itself: a product of a row and a column."""
    made = torch.zeros(2, 3, 4, dtype=torch.float64)
    for batch, row, column in product(range(2), range(3), range(4)):
        a, b = A3[0][batch, row].clone(), B3[0][batch, :, column].clone()
        made[batch, row, column] = said("aten.dot.default", of, a @ b, ("self", a, A3[1][batch, row]), ("tensor", b, B3[1][batch, :, column]))
    return made


def _forms(of: str) -> dict[str, Tensor]:
    """What each form of a product says of the same entries."""
    (A, r_A), (B, r_B) = A3, B3
    made = {"bmm": said("aten.bmm.default", of, A @ B, ("self", A, r_A), ("mat2", B, r_B))}
    of_mm, of_mv, of_rows, of_columns = (torch.zeros(2, 3, 4, dtype=torch.float64) for _ in range(4))
    for batch in range(2):
        a, b = A[batch].clone(), B[batch].clone()
        of_mm[batch] = said("aten.mm.default", of, a @ b, ("self", a, r_A[batch]), ("mat2", b, r_B[batch]))
        for column in range(4):
            v = b[:, column].clone()
            of_mv[batch, :, column] = said("aten.mv.default", of, a @ v, ("self", a, r_A[batch]), ("vec", v, r_B[batch, :, column]))
    for row in range(3):
        a = A[:, row : row + 1].clone()
        of_rows[:, row : row + 1] = said("aten.bmm.default", of, a @ B, ("self", a, r_A[:, row : row + 1]), ("mat2", B, r_B))
    for column in range(4):
        b = B[:, :, column : column + 1].clone()
        of_columns[:, :, column : column + 1] = said("aten.bmm.default", of, A @ b, ("self", A, r_A), ("mat2", b, r_B[:, :, column : column + 1]))
    return made | {"mm": of_mm, "mv": of_mv, "bmm of rows": of_rows, "bmm of columns": of_columns}


@pytest.mark.parametrize("of", ["two", "low"])
def test_every_form_of_a_product_has_the_radii_of_its_entries(of: str) -> None:
    """Where nothing is known of the order of a sum, all kernels are alike."""
    entries = _of_entries(of)
    for name, found in _forms(of).items():
        assert bool((found >= entries * (1.0 - 2.0**-40)).all()), name
        assert bool((found <= entries * (1.0 + 2.0**-24)).all()), name


def test_a_product_gives_what_is_stated() -> None:
    """What is inherited, and γ_k of the sizes of its terms, in any order: Higham (3.5); where nothing is near an underflow."""
    found, unit = _of_entries("one"), Unit(STATED["one"])
    with mpmath.workprec(BITS):
        for batch, row, column in product(range(2), range(3), range(4)):
            pairs = [*zip(_pairs(A3[0][batch, row], A3[1][batch, row]), _pairs(B3[0][batch, :, column], B3[1][batch, :, column]), strict=True)]
            inherited = sum(abs(a) * q + r * (abs(b) + q) for (a, r), (b, q) in pairs)
            close(float(found[batch, row, column]), inherited + unit.gamma(K) * sum(abs(a * b) for (a, _), (b, _) in pairs), f"{batch}, {row}, {column}")


def test_what_is_added_has_its_own_row() -> None:
    """baddbmm of several rows, and addmv, whose kernel is asked about no summand: each as the scaled product with factors of 1."""
    n = STATED["two"]
    (A, r_A), (B, r_B), (c, r_c) = A3, B3, drawn((2, 3, 4), 12, spread=2.0**-6)
    found = said("aten.baddbmm.default", "two", c + A @ B, ("self", c, r_c), ("batch1", A, r_A), ("batch2", B, r_B))
    v, w, r_w = B[0, :, 0].clone(), c[0, :, 0].clone(), r_c[0, :, 0].clone()
    vector = said("aten.addmv.default", "two", w + A[0] @ v, ("self", w, r_w), ("mat", A[0].clone(), r_A[0]), ("vec", v, r_B[0, :, 0]))
    with mpmath.workprec(BITS):
        for batch, row, column in product(range(2), range(3), range(4)):
            operands = _pairs(A[batch, row], r_A[batch, row]), _pairs(B[batch, :, column], r_B[batch, :, column])
            right, _ = _scaled(Unit(n), *operands, _pairs(c[batch, row, column], r_c[batch, row, column])[0], mpf(1), mpf(1))
            close(float(found[batch, row, column]), right, f"baddbmm at {batch}, {row}, {column}")
        for row in range(3):
            operands = _pairs(v, r_B[0, :, 0]), _pairs(A[0, row], r_A[0, row])
            close(float(vector[row]), _scaled(Unit(n), *operands, _pairs(w[row], r_w[row])[0], mpf(1), mpf(1))[0], f"addmv at {row}")


def test_doubts_come_to_the_rows_that_they_meet() -> None:
    """Of a row of A to its row of the product; of B and of what is added for all, to every row; through a batch, to its own entries."""
    one = int(Doubt.UNDECIDED)
    A, B, c = torch.ones(2, 3), torch.ones(3, 2), torch.ones(2, 2)
    mark = {"mat1": torch.tensor([[0, one, 0], [0, 0, 0]]), "mat2": torch.tensor([[0, 0], [one, 0], [0, 0]]), "self": torch.tensor([[0, 0], [one, 0]])}
    for alpha, (name, expected) in product((1.0, 0.5), (("mat1", [one, 0]), ("mat2", [one, one]), ("self", [0, one]))):
        found = doubts_of(lambda c, A, B, alpha=alpha: torch.addmm(c, A, B, alpha=alpha), {"self": c, "mat1": A, "mat2": B}, name, mark[name])
        assert [int(row.max()) for row in found] == expected, name
    batch = torch.ones(2, 2, 3), torch.ones(2, 3, 2)
    marked = torch.zeros(2, 2, 3, dtype=torch.uint8)
    marked[1, 0, 2] = one
    found = doubts_of(torch.bmm, {"self": batch[0], "mat2": batch[1]}, "self", marked)
    assert [[int(row.max()) for row in each] for each in found] == [[0, 0], [one, 0]]


def test_which_kernel_is_asked_about() -> None:
    """Each form of a product is another kernel, which may add in another order."""
    (A, r_A), (B, r_B), (c, r_c) = drawn((2, 3, K), 1, spread=0.1), drawn((2, K, 4), 2, spread=0.1), drawn((2, 3, 4), 3, spread=0.1)
    a, b, r_a, r_b, one, r_one = A[0].clone(), B[0].clone(), r_A[0], r_B[0], A[:, :1].clone(), r_A[:, :1]
    column, r_column, v, r_v = B[:, :, :1].clone(), r_B[:, :, :1], b[:, 0].clone(), r_b[:, 0]
    w, r_w = c[0, :, 0].clone(), r_c[0, :, 0]
    forms: list[tuple[str, Tensor, tuple[Any, ...], dict[str, Any], str]] = [
        ("mm", a @ b, (("self", a, r_a), ("mat2", b, r_b)), {}, BARE[DENSE]),
        ("mm", a @ b, (("mat2", b, r_b),), {"self": a}, MATRIX_LEFT),
        ("mm", a @ b, (("self", a, r_a),), {"mat2": b}, BARE[DENSE]),
        ("addmm", c[0, 0] + a @ b, (("self", c[0, 0].clone(), r_c[0, 0]), ("mat1", a, r_a), ("mat2", b, r_b)), {}, DENSE),
        ("addmm", c[0] + a @ b, (("self", c[0].clone(), r_c[0]), ("mat1", a, r_a), ("mat2", b, r_b)), {}, PATCHED_BIAS),
        ("bmm", one @ B, (("self", one, r_one), ("mat2", B, r_B)), {}, BARE[PATCHED_WEIGHT]),
        ("baddbmm", c[0, 0] + one @ B, (("self", c[0, 0].clone(), r_c[0, 0]), ("batch1", one, r_one), ("batch2", B, r_B)), {}, PATCHED_WEIGHT),
        ("baddbmm", c[:, :1] + one @ B, (("self", c[:, :1].clone(), r_c[:, :1]), ("batch1", one, r_one), ("batch2", B, r_B)), {}, PATCHED_WEIGHT),
        ("bmm", A @ column, (("self", A, r_A), ("mat2", column, r_column)), {}, PRODUCT),
        ("bmm", A @ B, (("self", A, r_A), ("mat2", B, r_B)), {}, SEVERAL_COLUMNS),
        ("mv", a @ v, (("self", a, r_a), ("vec", v, r_v)), {}, ONE_COLUMN),
        ("addmv", w + a @ v, (("self", w, r_w), ("mat", a, r_a), ("vec", v, r_v)), {}, ONE_COLUMN),
    ]
    right = KernelCall.of
    for name, value, operands, given, kernel in forms:
        met: list[tuple[str, bool]] = []

        def note(asked: str, weight: Tensor, x: Tensor, bias: Tensor | None = None, *, met: list[tuple[str, bool]] = met) -> KernelCall:
            met.append((asked, bias is not None))
            return right(asked, weight, x, bias)

        with patch.object(products.KernelCall, "of", note):
            said(f"aten.{name}.default", "one", value, *operands, **given)
        assert set(met) == {(kernel, "add" in name)}, name


def test_doubts_come_out_in_the_shape_of_the_result() -> None:
    """Of every form: those of one row of the first operand, or of one batch."""
    one, A, B, c = int(Doubt.UNDECIDED), torch.ones(2, 3, 3), torch.ones(2, 3, 2), torch.ones(2, 1, 2)
    of_batch = torch.zeros(2, 3, 3, dtype=torch.uint8)
    of_batch[1, 0, 2] = one
    forms: list[tuple[Callable[..., Tensor], dict[str, Tensor], Tensor, list[Any]]] = [
        (lambda a, b: torch.mm(a, b), {"x": A[0].clone(), "y": B[0].clone()}, of_batch[1], [[one] * 2, [0] * 2, [0] * 2]),
        (lambda a, v: torch.mv(a, v), {"x": A[0].clone(), "y": torch.ones(3)}, of_batch[1], [one] * 3),
        (lambda a, b: torch.bmm(a[:, :1], b), {"x": A, "y": B}, of_batch, [[[0] * 2], [[one] * 2]]),
        (lambda a, b: torch.bmm(a, b[:, :, :1]), {"x": A, "y": B}, of_batch, [[[0]] * 3, [[one]] * 3]),
        (lambda a, b, c: torch.baddbmm(c, a[:, :1], b), {"x": A, "y": B, "z": c}, of_batch, [[[0] * 2], [[one] * 2]]),
    ]
    for run, operands, doubts, expected in forms:
        assert doubts_of(run, operands, "x", doubts).tolist() == expected
    left = torch.ones(4, 3)
    column = torch.tensor([[0, one], [0, 0], [0, 0]])
    assert doubts_of(lambda b: torch.mm(left, b), {"b": B[0].clone()}, "b", column).tolist() == [[0, one]] * 4, "each column is a case"


def doubts_of(run: Callable[..., Tensor], operands: dict[str, Tensor], name: str, doubts: Tensor) -> Tensor:
    """The doubts of a result of which one operand has some."""
    knowledge = KnownTensors()
    for each, x in operands.items():
        knowledge.put(x, Bounded(torch.full(x.shape, 2.0**-20, dtype=torch.float64), doubts.to(torch.uint8) if each == name else None))
    with BoundedWalk(models_of(probed("bf16")), knowledge):
        value = run(*operands.values())
    known = knowledge.of(value)
    found = torch.zeros((), dtype=torch.uint8)
    if isinstance(known, Bounded) and known.doubts is not None:
        found = known.doubts
    return found.expand(value.shape)


def test_a_product_of_no_terms_is_nothing_or_refused() -> None:
    n, nothing = STATED["one"], (torch.zeros(2, 0), torch.zeros(0, 3))
    given = {"self": nothing[0], "mat2": nothing[1]}
    assert not asked("aten.mm.default", n, given, [torch.zeros(2, 3)], {})[0].radius.any()
    with pytest.raises(NoOperatorRule, match="without products"):
        asked("aten.addmm.default", n, {"self": torch.zeros(2, 3), "mat1": nothing[0], "mat2": nothing[1]}, [torch.zeros(2, 3)], {})
    empty = {"self": torch.zeros(0, 3), "mat1": torch.zeros(0, 5), "mat2": torch.zeros(5, 3)}
    assert asked("aten.addmm.default", n, empty, [torch.zeros(0, 3)], {})[0].radius.shape == (0, 3)
