"""The rows of matrix products: Higham §3.1 and §3.5 for each entry, in the order in which the kernel adds, where that is known.

    mm        A B                      (R, k) (k, p): each row of A is a case, whose matrix is B
    addmm     β c + α A B
    bmm       the same of a matrix a case, (B, R, k) (B, k, p)
    baddbmm   β c + α A B
    mv, dot   the same with one column

The rules are those of ``arithmetics/value_and_radius.py``: what A and B have inherited, the roundings of the sum by the model of this very call, its storing,
underflow and overflow.
"""

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, exact, foretell_overflow, outward
from numeric.arithmetics.roundoff import gamma, operand_error, subnormal_part
from numeric.arithmetics.value_and_radius import dense_layer, from_module, operand_error_of_matrix, product_radius
from numeric.formats import round_to
from numeric.machine.kernels import BARE, DENSE, MATRIX_LEFT, ONE_COLUMN, PATCHED_BIAS, PATCHED_WEIGHT, PRODUCT, SEVERAL_COLUMNS
from numeric.machine.operands import KernelCall
from numeric.operator_rules.call import Bounded, OperatorCall
from numeric.operator_rules.columns import bounded
from numeric.operator_rules.doubts import as_hazards, doubts_over, join, joint_doubts

SUMMED = (DENSE, PATCHED_BIAS, PATCHED_WEIGHT)
"""Kernels of which it is asked how they add a summand."""


def matrix_product(call: OperatorCall) -> list[Bounded]:
    """mm and addmm.  (R, k) (k, p), and what is added to it."""
    added = "mat1" in call.given
    left, right = call.tensor("mat1" if added else "self"), call.tensor("mat2")
    if not added and call.known(right) is not None and call.known(left) is None:  # the matrix that all cases share stands on the left
        found = _rows_times(call, right.mT, left, MATRIX_LEFT, call.result.mT, None)
        return [Bounded(found.radius.mT, None if found.doubts is None else found.doubts.mT)]
    bias = call.tensor("self") if added else None
    if bias is not None and bias.shape != (right.shape[-1],):
        return [_rows_times(call, left, right.mT, PATCHED_BIAS, call.result, bias.expand(call.result.shape))]
    return [_rows_times(call, left, right.mT, BARE[DENSE] if bias is None else DENSE, call.result, bias)]


def batched_product(call: OperatorCall) -> list[Bounded]:
    """bmm and baddbmm.  (B, R, k) (B, k, p), and what is added to it."""
    added = "batch1" in call.given
    left, right, shape = call.tensor("batch1" if added else "self"), call.tensor("batch2" if added else "mat2"), call.result.shape
    bias = call.tensor("self") if added else None
    if left.shape[1] == 1:
        kernel = BARE[PATCHED_WEIGHT] if bias is None else PATCHED_WEIGHT
        if bias is not None and bias.dim() != 1:
            bias = bias.expand(shape).squeeze(1)
        return [_reshaped(_rows_times(call, left.squeeze(1), right.mT, kernel, call.result.squeeze(1), bias), shape)]
    if right.shape[-1] == 1 and bias is None:
        return [_reshaped(_rows_times(call, right.squeeze(-1), left, PRODUCT, call.result.squeeze(-1), None), shape)]
    asked = KernelCall.of(SEVERAL_COLUMNS, right.mT, left.mT)
    found = [
        _rows_times(call, left[:, row], right.mT, SEVERAL_COLUMNS, call.result[:, row], bias.expand(shape)[:, row] if bias is not None else None, asked=asked)
        for row in range(left.shape[1])
    ]
    doubts = [torch.zeros_like(each.radius, dtype=torch.uint8) if each.doubts is None else each.doubts for each in found]
    doubtful = any(each.doubts is not None for each in found)
    return [Bounded(torch.stack([each.radius for each in found], 1), torch.stack(doubts, 1) if doubtful else None)]


def matrix_vector(call: OperatorCall) -> list[Bounded]:
    """mv, addmv and dot.  (p, k) (k,), and what is added to it."""
    if "tensor" in call.given:
        matrix, vector, bias = call.tensor("self").unsqueeze(0), call.tensor("tensor"), None
    else:
        added = "mat" in call.given
        matrix, vector, bias = call.tensor("mat" if added else "self"), call.tensor("vec"), call.tensor("self") if added else None
    result = call.result.reshape(1, -1)
    own = None if bias is None else bias.expand(result.shape)
    return [_reshaped(_rows_times(call, vector.unsqueeze(0), matrix, ONE_COLUMN, result, own), call.result.shape)]


def _reshaped(found: Bounded, shape: torch.Size) -> Bounded:
    return Bounded(found.radius.reshape(shape), None if found.doubts is None else found.doubts.reshape(shape))


def _rows_times(  # the operands of a product, and how it is asked about
    call: OperatorCall, rows: Tensor, matrix: Tensor, kernel: str, result: Tensor, bias: Tensor | None, asked: KernelCall | None = None
) -> Bounded:
    """Σ_k matrix[p, k] rows[r, k] + bias.

    rows: (R, k); matrix: (p, k), or (R, p, k); result: (R, p); bias: (p,) or (R, p). kernel: under which name the machine is asked about such a call.
    """
    if rows.shape[-1] == 0 or result.numel() == 0:
        return _without_terms(call, result, bias)
    hazards = as_hazards(_doubts(call, rows, matrix, bias), len(rows), rows.device)
    n, value = call.models(result.dtype), result.unsqueeze(-1)
    y = exact(rows.unsqueeze(-1), n, hazards, radius=None if call.known(rows) is None else call.radius(rows).contiguous().unsqueeze(-1))
    X = _matrix(call, matrix, y)
    alpha, beta = (float(call.given.get(name, 1)) for name in ("alpha", "beta"))  # type: ignore[arg-type]  # numbers, by the schema
    b = None if bias is None else exact(bias.unsqueeze(-1), n, hazards, radius=call.radius(bias).unsqueeze(-1))
    asked = asked or KernelCall.of(kernel, X.value, y.value, None if b is None else b.value)
    if (alpha, beta) != (1.0, 1.0) or (b is not None and kernel not in SUMMED):
        radius = _scaled(X, y, b, value, asked, alpha, beta)
    elif b is not None:
        return bounded(dense_layer(X, b, y, value, kernel), result.shape)
    else:
        radius = product_radius(X, y, value, asked)
    hazards.came_out(value)
    return bounded(from_module(value, radius, y), result.shape)


def _without_terms(call: OperatorCall, result: Tensor, bias: Tensor | None) -> Bounded:
    """A sum of no products: zero, or what is added to it, which is read and multiplied by β."""
    if bias is None or result.numel() == 0:
        return Bounded(torch.zeros(result.shape, dtype=torch.float64, device=result.device))
    raise call.refuse("without products")


def _doubts(call: OperatorCall, rows: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor | None:
    """Of each row: its own, those of the matrix that it meets, and those of what is added."""
    of_matrix = doubts_over(call.doubts(matrix), (-2, -1), keepdim=False)
    of_bias = None if bias is None else doubts_over(call.doubts(bias), (-1,), keepdim=False)
    return joint_doubts([doubts_over(call.doubts(rows), (-1,), keepdim=False), of_matrix, of_bias], torch.Size((len(rows),)))


def _matrix(call: OperatorCall, matrix: Tensor, y: WithRadius) -> WithRadius:
    known = call.known(matrix)
    if isinstance(known, WithRadius):
        join(y.hazards, known.hazards)
        return WithRadius(known.value, known.radius, known.magnitude, y.numerics, y.hazards, known.form)
    return exact(matrix, y.numerics, y.hazards, radius=None if known is None else known.radius.expand(matrix.shape).contiguous())


SCALED = 7
"""Roundings to storage at most, of a term of fl(β c + α Σ): α and β as numbers, Σ stored, α Σ, β c, their sum, and it stored."""


def _scaled(  # the parts of β c + α X y
    X: WithRadius, y: WithRadius, c: WithRadius | None, value: Tensor, asked: KernelCall, alpha: float, beta: float
) -> Tensor:
    """|fl(β c + α X̂ŷ) - (β c + α X y)| in any order: Higham, Lemmas 3.1 and 3.3, each term with k roundings in the accumulator and ``SCALED`` to storage.

    Operands that are rounded first lose what ``product_radius`` says, and the sum is one of what they are rounded to.
    """
    n, k = y.numerics.met(asked).numerics, X.value.shape[-1]
    size, spread = y.value.double().abs(), y.entry_radius
    absolute = X.magnitude.apply(size)
    inherited = abs(alpha) * (X.radius.apply(outward(size + spread, 1)) + X.magnitude.apply(spread))
    if n.operands is not None:
        of_matrix, of_column = operand_error_of_matrix(X, n), operand_error(y.value, n)
        lost_by_rounding = of_matrix.apply(outward(size + of_column, 1)) + X.magnitude.apply(of_column)
        inherited = outward(inherited + abs(alpha) * lost_by_rounding, 3)
        rounded = round_to(y.value, n.operands).double().abs()
        absolute = outward(X.magnitude.apply(rounded) + of_matrix.apply(rounded), 1)
        foretell_overflow(y.hazards, torch.maximum(X.magnitude.largest(), size.amax((-2, -1), keepdim=True)), n.operands)
    terms = abs(alpha) * absolute
    if c is not None and beta != 0.0:
        terms = terms + abs(beta) * c.value.double().abs()
        inherited = inherited + abs(beta) * c.entry_radius
    of_sum, of_rest = gamma(k + 1, n.sum_roundoff), gamma(SCALED, n.storage.unit_roundoff)
    growth = (1.0 + of_sum) * (1.0 + of_rest)
    lost = (1.0 + abs(alpha)) * (k + 1) * n.accumulation.half_subnormal + (1.0 + abs(alpha)) * SCALED * n.storage.half_subnormal
    if n.flushing or n.elementwise_flushes:
        normal = n.storage.smallest_normal
        read = abs(alpha) * (X.magnitude.apply(subnormal_part(size, n)) + size.sum((-2, -1), keepdim=True) * normal)
        inherited = inherited + outward(read, k + 2)
        lost += (1.0 + abs(alpha) + abs(beta)) * (2 * k + SCALED) * normal
    foretell_overflow(y.hazards, outward(terms.amax((-2, -1), keepdim=True) * max(1.0, 1.0 / max(abs(alpha), 2.0**-900)) * growth, 4), n.storage)
    return outward(inherited + (of_sum + of_rest + of_sum * of_rest) * outward(terms, 3) + lost * growth, 12)
