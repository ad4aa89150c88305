"""A user's own ΔW: what it may be made of, found by running it over operands of which only the kinds and the sizes are known.

The update runs over tensors, over values with radii, over expected errors, over balls and over intervals. What all of them compute is

    W v,  v r,  r v,  v s        v: a column, r: a row, s: 1x1; W v a column, v r a matrix for each case, r v a 1x1 value
    x + y, x - y                 of one shape and kind: nothing is broadcast; W + U and U - W with U a matrix for each case, if W drops out in the end
    x / s, x.mT                  x: a column or a row; a matrix for each case can be divided, and not transposed

Anything else would break a cell in the middle of a run, in one of them or in one format. So it is refused before anything is measured, by the operation.
A matrix for each case is kept as the sum of its products v r, and none of them may have more than ``MOST_PRODUCTS``.
"""

import math
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NoReturn

from torch import Tensor

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.arithmetics import Ball, ball
from numeric.arithmetics.largest_entry import largest_entry
from numeric.formats import MODES, torch_dtype
from numeric.sides.variant import in_place_refused
from numeric.user_blocks.update_size import WithinReason
from numeric.user_blocks.user_block import Update
from numeric.user_blocks.user_code import contained, error_in_words

MOST_PRODUCTS = 64
"""Products v r that a matrix for each case may be the sum of. Eq. (1) is one."""
MOST_OPERATIONS = 1000
"""Operations of an update. Eq. (1) takes six."""
CHARACTERS_SHOWN = 60
"""Characters of an operation that a refusal shows."""


class OperandKind(Enum):
    """What an operand is."""

    WEIGHT = "W"
    COLUMN = "a column"
    ROW = "a row"
    MATRIX = "a matrix for each case"


@dataclass(slots=True)
class _Course:
    """How one run of the update went, written as it goes."""

    operations: int = 0
    refused: UnusableBlock | None = None
    """The first refusal, even if the update went on."""


@dataclass(frozen=True, slots=True)
class UpdateOperand:
    """A value in the update of which only this is known."""

    kind: OperandKind
    shape: tuple[int, int]
    words: str
    """As the update wrote it."""
    course: _Course = field(repr=False)
    products: int = 0
    """Of a matrix for each case, as the sum of how many products v r it is kept."""
    weights: int = 0
    """How often W is a summand of it."""
    had_weight: bool = False
    """Whether W ever was."""
    scalar: bool = False
    """Whether it is a number, r v, or made of such; a column of one entry is none."""

    @property
    def mT(self) -> "UpdateOperand":
        """The transpose."""
        words = f"{self._inner}.mT"
        if self.kind is OperandKind.WEIGHT:
            self._refuse(words, "W is read as the left factor of a column alone: write W @ v")
        if self.kind is OperandKind.MATRIX:
            self._refuse(words, "a matrix for each case is not transposed: write a @ v.mT for (v @ a.mT).mT")
        turned = OperandKind.ROW if self.kind is OperandKind.COLUMN else OperandKind.COLUMN
        return replace(self._made(words, turned, (self.shape[1], self.shape[0])), scalar=self.scalar)

    def __matmul__(self, other: object) -> "UpdateOperand":
        words, other = self._met("@", other)
        kinds = self.kind, other.kind
        if OperandKind.MATRIX in kinds or other.kind is OperandKind.WEIGHT:
            self._refuse(words, "no product reads a matrix for each case, nor W on the right: write (W @ v) @ r for W @ (v @ r), v @ (r @ x) for (v @ r) @ x")
        no_row = kinds in ((OperandKind.WEIGHT, OperandKind.ROW), (OperandKind.ROW, OperandKind.ROW))
        if no_row or (kinds == (OperandKind.COLUMN, OperandKind.COLUMN) and other.shape != (1, 1)):
            self._refuse(words, f"{self.kind.value} times {other.kind.value} is no product here: write W @ v, v @ r, r @ v or v @ s, with s of shape (1, 1)")
        if self.shape[1] != other.shape[0]:
            self._refuse(words, f"{self.shape} and {other.shape} do not fit")
        if kinds == (OperandKind.COLUMN, OperandKind.ROW):
            return replace(self._made(words, OperandKind.MATRIX, (self.shape[0], other.shape[1])), products=1)
        scalar = kinds == (OperandKind.ROW, OperandKind.COLUMN) or (self.scalar and other.scalar)
        return replace(self._made(words, OperandKind.COLUMN, (self.shape[0], other.shape[1])), scalar=scalar)

    def __add__(self, other: object) -> "UpdateOperand":
        return self._sum("+", other, 1)

    def __sub__(self, other: object) -> "UpdateOperand":
        return self._sum("-", other, -1)

    def __truediv__(self, other: object) -> "UpdateOperand":
        words, other = self._met("/", other)
        if self.kind is OperandKind.WEIGHT or self.had_weight:
            self._refuse(words, "W is read as the left factor of a column alone: write (W @ v) / s")
        if not other.scalar:
            one = ", and is no r @ v" if other.shape == (1, 1) else ""
            self._refuse(words, f"the divisor has shape {other.shape}{one}: divide by a number, or by a 1x1 value such as a.mT @ a")
        if other.words in ("0", "0.0", "-0.0"):
            self._refuse(words, "it divides by zero")
        return replace(self._made(words, self.kind, self.shape), products=self.products, scalar=self.scalar)

    def __radd__(self, other: object) -> "UpdateOperand":
        self._refuse(f"{other} + {self._inner}", "a Python number stands behind + and -, and a sum begins with its first summand, not with 0")

    def __rsub__(self, other: object) -> "UpdateOperand":
        self._refuse(f"{other} - {self._inner}", "a Python number stands behind + and -")

    def __mul__(self, other: object) -> "UpdateOperand":
        self._refuse(
            f"{self._inner} * {other.words if isinstance(other, UpdateOperand) else other}", "there is no product entry by entry: write v @ s, or x / s"
        )

    __rmul__ = __mul__

    def __neg__(self) -> "UpdateOperand":
        self._refuse(f"-{self._inner}", "write what it is subtracted from, or x / -1")

    def _sum(self, sign: str, other: object, factor: int) -> "UpdateOperand":
        words, other = self._met(sign, other)
        matrices = {OperandKind.WEIGHT, OperandKind.MATRIX}
        if self.kind is OperandKind.WEIGHT is other.kind:
            self._refuse(words, "W itself is no part of ΔW: return what is added to W, made of W @ v")
        if self.kind is not other.kind and not {self.kind, other.kind} <= matrices:
            self._refuse(words, f"{self.kind.value} and {other.kind.value} are not added: nothing is broadcast")
        if self.shape != other.shape:
            self._refuse(words, f"{self.shape} and {other.shape} are not added: nothing is broadcast")
        products, weights = self.products + other.products, self.weights + factor * other.weights
        if products > MOST_PRODUCTS:
            self._refuse(words, f"that is a sum of {products} products v @ r, and {MOST_PRODUCTS} are the most: add the columns v first")
        made = self._made(words, OperandKind.MATRIX if self.kind in matrices else self.kind, self.shape)
        had_weight = self.had_weight or other.had_weight
        return replace(made, products=products, weights=weights, had_weight=had_weight, scalar=self.scalar and other.scalar)

    def _met(self, sign: str, other: object) -> tuple[str, "UpdateOperand"]:
        """How the operation is written, and the other operand; a number is a 1x1 column."""
        if isinstance(other, UpdateOperand):
            return f"{self._inner} {sign} {other._inner}", other
        words = f"{self._inner} {sign} {other if isinstance(other, int | float) else type(other).__name__}"
        if isinstance(other, bool) or not isinstance(other, int | float) or sign == "@":
            self._refuse(words, "the other operand is to be made of W, delta and a, or a Python number behind +, - or /")
        if isinstance(other, int) and abs(other) >= 2**63:
            self._refuse(f"{self._inner} {sign} a whole number of {other.bit_length()} bits", "whole numbers have at most 63; write it as a float")
        if not math.isfinite(other) or abs(other) > 2.0**127:
            self._refuse(words, "a number has to be finite, and below 2^127 for every format to have it")
        return words, UpdateOperand(OperandKind.COLUMN, (1, 1), repr(other), self.course, scalar=True)

    def _made(self, words: str, kind: OperandKind, shape: tuple[int, int]) -> "UpdateOperand":
        self.course.operations += 1
        if self.course.operations > MOST_OPERATIONS:
            self._refuse(words, f"that is operation {MOST_OPERATIONS + 1} of the update, and {MOST_OPERATIONS} are the most")
        return UpdateOperand(kind, shape, words if len(words) <= CHARACTERS_SHOWN else words[: CHARACTERS_SHOWN - 1] + "…", self.course)

    @property
    def _inner(self) -> str:
        """The words as an operand of another operation."""
        return f"({self.words})" if " " in self.words else self.words

    def _refuse(self, words: str, why: str) -> NoReturn:
        shown = words if len(words) <= CHARACTERS_SHOWN else words[: CHARACTERS_SHOWN - 1] + "…"
        self.course.refused = self.course.refused or UnusableBlock(f"update(W, delta, a) computes {shown}: {why}.")
        raise self.course.refused


@largest_entry.register
def _(a: UpdateOperand) -> UpdateOperand:
    """Of what is exact, which a alone is."""
    if a.words != "a":
        a._refuse(f"largest_entry({a.words})", "it is known of a alone, which has no error")
    return replace(a._made("largest_entry(a)", OperandKind.COLUMN, (1, 1)), scalar=True)


def refuse_update(block: ContextualBlock, context: Tensor, query: Tensor, update: Update) -> None:
    """Refuse an update that some arithmetic, or some format, cannot run.  Raises UnusableBlock with the operation, or with what it gave."""
    z, a = (block.read(tokens, query).unsqueeze(-1) for tokens in (context, None))
    weights = [layer.weight.detach() for layer in block.first_linears]
    for W in weights:
        refuse_operations(update, (W.shape[0], W.shape[1]))
    for dtype in dict.fromkeys(torch_dtype(mode.update) for mode in MODES):
        for W in weights:
            _refuse_over_tensors(update, W.to(dtype), z.to(dtype) - a.to(dtype), a.to(dtype))
    W = block.first_weight.double()
    result = _run(update, "balls", *(ball(x.double().tolist()) for x in (W, (z - a)[0], a[0])))
    shape = (result.matrix.nrows(), result.matrix.ncols()) if isinstance(result, Ball) else None
    if shape != tuple(W.shape):
        raise UnusableBlock(f"update(W, delta, a) gave {shape or type(result).__name__} over balls; ΔW is {tuple(W.shape)}.")


def refuse_operations(update: Update, shape: tuple[int, int]) -> None:
    """Refuse what is no operation of every arithmetic, and a result that is no ΔW.  shape: (m, d)."""
    m, d = shape
    course = _Course()
    W = UpdateOperand(OperandKind.WEIGHT, (m, d), "W", course, weights=1, had_weight=True)
    delta, a = (UpdateOperand(OperandKind.COLUMN, (d, 1), name, course) for name in ("delta", "a"))
    try:
        result = _run(update, "operands of which only the sizes are known", W, delta, a)
    except UnusableBlock:
        if course.refused is None:
            raise
        raise course.refused from None  # what the user's code has made of it
    if course.refused is not None:
        raise course.refused
    if not isinstance(result, UpdateOperand) or result.shape != shape:
        raise UnusableBlock(f"update(W, delta, a) gave {result.shape if isinstance(result, UpdateOperand) else type(result).__name__}; ΔW is {shape}.")
    if result.kind is not OperandKind.MATRIX or result.weights:
        raise UnusableBlock(f"update(W, delta, a) gave {result.words}: return ΔW, which is added to W, a sum of products of a column and a row.")


def _refuse_over_tensors(update: Update, W: Tensor, delta: Tensor, a: Tensor) -> None:
    """W: (m, d); delta, a: (cases, d, 1), of one dtype."""
    name, wanted = f"tensors of {str(W.dtype).removeprefix('torch.')}", (len(a), *W.shape)
    with WithinReason(W, delta) as reason:
        result = _run(in_place_refused(update), name, W, delta, a)
    reason.ask()
    if not isinstance(result, Tensor) or result.shape != wanted or not result.is_floating_point():
        given = type(result).__name__ if not isinstance(result, Tensor) else tuple(result.shape) if result.shape != wanted else result.dtype
        raise UnusableBlock(f"update(W, delta, a) gave {given} over {name}; ΔW is {wanted} for {len(a)} cases.")


def _run(update: Update, words: str, *operands: Any) -> object:
    """What the update makes of the operands.  words: what they are."""
    try:
        with contained():
            return update(*operands)
    except UnusableBlock:
        raise
    except Exception as error:
        raise UnusableBlock(
            f"update(W, delta, a) does not run over {words}, with nothing but @, +, -, / and .mT: {error_in_words(error)}. W is (m, d), the others (d, 1)."
        ) from error
