"""Many questions in one run: each answer is of its own products alone, wherever they stand, and a fault in one column is a fault."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from numeric.formats import Format, format_named
from numeric.machine.bench import Bench, usual_bench
from numeric.machine.kernels import SHARED_PRODUCT, kernels
from numeric.machine.questions import SingleProduct, SingleProducts

FP32 = format_named("fp32")
TF32 = format_named("tf32")
LAST = 1.0 + 2 * FP32.unit_roundoff
SUBNORMAL = 3 * FP32.smallest_subnormal
SIZES = {"by row": (12, 7, 3), "by case": (3, 7, 12), "one row": (1, 7, 5), "one case": (5, 7, 1), "few of either": (2, 9, 2)}
"""Rows, columns and cases."""


def bench_of(size: tuple[int, int, int], wrong: Tensor | None = None) -> Bench:
    """A product with a matrix for all cases.  wrong: (column, left, right), a product that comes out as nothing there."""
    rows, columns, batch = size

    def run(X: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        product = X[0] @ y
        if wrong is not None:
            column, left, right = int(wrong[0]), float(wrong[1]), float(wrong[2])
            hit = (X[0, :, column].double() == left).unsqueeze(0) & (y[:, column].double() == right)
            product = torch.where(hit.unsqueeze(-1), 0.0, product)
        return product

    return usual_bench(replace(kernels()[SHARED_PRODUCT], run=run), (rows, columns), FP32, batch)


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_a_table_says_which_products_came_out_and_which_did_not(size: tuple[int, int, int]) -> None:
    bench, k = bench_of(size), size[1]
    generator = torch.Generator().manual_seed(1)
    patterns, commons = (torch.randint(-4, 5, (count, k), generator=generator).double() for count in (11, 5))
    rights = patterns @ commons.mT
    assert bench.table(patterns, commons, rights).all()
    wrong = torch.zeros_like(rights, dtype=torch.bool).index_put_((torch.tensor([0, 10, 4]), torch.tensor([0, 4, 2])), torch.tensor(True))
    assert torch.equal(bench.table(patterns, commons, rights + wrong), ~wrong)
    assert bench.table(patterns, commons, torch.where(wrong, torch.nan, rights)).all()  # what is not asked is not wrong


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
@given(column=st.integers(0, 6), pair=st.sampled_from([(LAST, 1.0), (1.0, LAST), (SUBNORMAL, 1.0), (8.0, FP32.smallest_subnormal)]))
def test_a_fault_of_one_product_in_one_column_is_found_and_is_no_other_s(size: tuple[int, int, int], column: int, pair: tuple[float, float]) -> None:
    honest = SingleProducts.of(bench_of(size), None, (FP32,))
    assert not honest.shortened
    assert not honest.flush(FP32)
    faulty = SingleProducts.of(bench_of(size, torch.tensor([column, *pair], dtype=torch.float64)), None, (FP32,))
    assert honest.right - faulty.right == {SingleProduct.exact(*pair)}
    assert faulty.shortened is (LAST in pair)
    assert faulty.flush(FP32) is (LAST not in pair)


def rounds(x: Tensor, target: Format) -> Tensor:
    """To nearest, by adding and taking away; x about 1."""
    big = 3.0 * 2.0 ** (52 - target.significand_bits)
    return ((x.double() + big) - big).to(x.dtype) if x.abs().max() <= 2 else x


@pytest.mark.parametrize(("of_matrix", "of_vector"), [(True, True), (True, False), (False, True), (False, False)])
def test_operands_are_rounded_on_either_side_or_taken_whole(of_matrix: bool, of_vector: bool) -> None:
    """In a mode that rounds both, one that is rounded on one side alone is neither: there is no error model for it."""
    product = kernels()[SHARED_PRODUCT]

    def run(X: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        X = torch.stack([rounds(row, TF32) for row in X[0]]).unsqueeze(0) if of_matrix else X
        y = torch.stack([rounds(each, TF32) for each in y]) if of_vector else y
        return product.run(X, y, bias)

    found = SingleProducts.of(usual_bench(replace(product, run=run), (6, 5), FP32, 4), TF32, (FP32,))
    assert found.whole is (not of_matrix and not of_vector)
    assert found.shortened is (of_matrix != of_vector)
