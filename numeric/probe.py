"""What the machine really does between two stored numbers, found by asking it.

Each probe runs the very kernels of a measurement, at its shapes, on operands whose exact result is representable in the
storage format and reached only by a machine of one kind. The error model (``numerics.py``) is chosen from the answers.

- *Accumulation*: a row that holds 1 and -1 at random places and u (the storage's roundoff) elsewhere. A partial sum
  1 + ku is exact in a wider accumulator and is rounded in the storage format, whatever the order of the sum.
- *Subnormals*: operands, products and results below the smallest normal number, whose exact value is representable.
- *Products*: 1 + 2u, whose last bit a kernel that shortens its operands (tf32) would drop, times 1.
- *Bias*: (1 + u) + u is 1 + 2u if the sum is rounded once and 1 if 1 + u is stored before the bias is added.

A probe shows what it saw on its operands; that the kernel treats all operands alike is an assumption, and is called one
in the report.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import functional as F

from numeric.formats import FORMATS, Format
from numeric.numerics import Numerics
from symbolic.errors import CallError


class UnsupportedNumerics(CallError):
    """The machine computes in a way for which there is no error model."""


Kernel = Callable[[Tensor, Tensor], Tensor]

RADIUS_FORMAT = FORMATS[0]
"""Fp64: every radius is computed in it, whatever the format under test."""

CASES = 64
"""Different rows that a probe asks about; each is repeated until the batch has the size of a measurement's."""

BATCH = 512
"""Cases that a measurement hands to a kernel at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One question that was put to the machine, and its answer, in words."""

    id: str
    question: str
    answer: str


def torch_dtype(storage: Format) -> torch.dtype:
    """Torch's dtype of a format."""
    dtype = getattr(torch, storage.dtype)
    assert isinstance(dtype, torch.dtype)
    return dtype


def product_kernels() -> dict[str, Kernel]:
    """The matrix products of a measurement, on X (cases, p, k) and y (cases, k, 1), giving (cases, p, 1).

    ``shared`` products use X[0] for every case.
    """
    return {
        "batched product": lambda X, y: X @ y,
        "shared product": lambda X, y: X[0] @ y,
        "dense layer": lambda X, y: F.linear(y.squeeze(-1), X[0]).unsqueeze(-1),
        "dense layer under vmap": lambda X, y: vmap(lambda W, x: F.linear(x.unsqueeze(0), W).squeeze(0))(X, y.squeeze(-1)).unsqueeze(-1),
        "inner product": lambda X, y: X[:, :1] @ y,
    }


def outer_product(column: Tensor, row: Tensor) -> Tensor:
    """The batched product of a column and a row, as in v aᵀ.  column: (cases, p, 1); row: (cases, 1, k)."""
    return column @ row


def probe(storage: Format, *, shapes: tuple[tuple[int, int], ...], device: str = "cpu") -> tuple[Numerics, list[Answer]]:
    """Ask the machine, and choose the error model.  shapes: the (m, d) of every dense layer that will be used."""
    opmath = _opmath(storage)
    if _elementwise_flushes(RADIUS_FORMAT, device):
        raise UnsupportedNumerics(
            f"on {device} fp64, in which radii are computed, flushes subnormal numbers, so a radius could come out too small; "
            "switch it off (torch.set_flush_denormal(False))."
        )
    shortened = [name for name, kernel in product_kernels().items() if any(_shortens(kernel, storage, p, k, device) for p, k in shapes)]
    if shortened:
        raise UnsupportedNumerics(
            f"on {device} {storage.name} products are computed from shortened operands by: {', '.join(shortened)}. There is no error model for that; "
            "switch it off (torch.backends.cuda.matmul.allow_tf32 = False)."
        )
    wide = all(_accumulates_wide(kernel, storage, p, k, device) for kernel in product_kernels().values() for p, k in shapes)
    accumulation = opmath if wide else storage
    flushing = [name for name, kernel in product_kernels().items() if any(_product_flushes(kernel, storage, accumulation, p, k, device) for p, k in shapes)]
    if any(_outer_flushes(storage, p, k, device) for p, k in shapes):
        flushing.append("outer product")
    elementwise = _elementwise_flushes(storage, device)
    apart = any(_bias_apart(storage, p, k, device) for p, k in shapes)
    patched_apart = any(_patched_bias_apart(storage, p, k, device) for p, k in shapes)
    numerics = Numerics(storage, accumulation, opmath, bool(flushing), elementwise, apart, patched_apart, device)
    sizes = ", ".join(f"{p}x{k}" for p, k in shapes)
    return numerics, [
        Answer(
            f"{storage.name}/accumulation",
            f"In which format are {storage.name} products of {sizes} summed?",
            f"{accumulation.name}" + ("" if opmath == storage else " or wider" if wide else ": a partial sum was rounded to storage"),
        ),
        Answer(
            f"{storage.name}/product-subnormals",
            f"Do {storage.name} products keep subnormal numbers?",
            "kept" if not flushing else "flushed to zero by: " + ", ".join(flushing),
        ),
        Answer(
            f"{storage.name}/elementwise-subnormals",
            f"Do {storage.name} sums and quotients keep subnormal numbers?",
            "flushed to zero" if elementwise else "kept",
        ),
        Answer(f"{storage.name}/bias", f"Does a dense layer round Wx to {storage.name} before it adds the bias?", _bias_words(storage, opmath, apart)),
        Answer(f"{storage.name}/patched-bias", "Does one with a weight or bias of its own for each case?", _bias_words(storage, opmath, patched_apart)),
    ]


def _opmath(storage: Format) -> Format:
    """The format in which torch computes an elementwise operation (its ``opmath_t``): fp32 for the 16-bit formats."""
    return storage if storage.significand_bits >= 24 else next(row for row in FORMATS if row.name == "fp32")


def _accumulates_wide(kernel: Kernel, storage: Format, p: int, k: int, device: str) -> bool:
    """Whether no partial sum is rounded to the storage format."""
    if k < 3:
        return False
    u = storage.unit_roundoff
    generator = torch.Generator().manual_seed(k * 1009 + p)
    rows = torch.full((CASES, p, k), u, dtype=torch.float64)
    places = torch.rand((CASES, p, k), generator=generator).argsort(-1)
    rows.scatter_(-1, places[..., :1], 1.0)
    rows.scatter_(-1, places[..., 1:2], -1.0)
    # At most 2^p entries of u, so that their sum is representable too.
    rows = torch.where((rows == u) & (rows.eq(u).cumsum(-1) > 2**storage.significand_bits), 0.0, rows)
    ones = torch.ones((CASES, k, 1), dtype=torch.float64)
    return _agrees(kernel, rows, ones, storage, device)


def _shortens(kernel: Kernel, storage: Format, p: int, k: int, device: str) -> bool:
    """Whether the last bit of an operand is lost in a product."""
    last = 1.0 + 2 * storage.unit_roundoff
    one = torch.zeros((CASES, k, 1), dtype=torch.float64)
    one[:, 0] = 1.0
    X = torch.full((CASES, p, k), last, dtype=torch.float64)
    return not (_agrees(kernel, X, one, storage, device) and _agrees(kernel, torch.ones_like(X), one * last, storage, device))


def _product_flushes(kernel: Kernel, storage: Format, accumulation: Format, p: int, k: int, device: str) -> bool:
    """Whether a subnormal operand, product, partial sum or result came back as anything but itself."""
    eta, normal = storage.smallest_subnormal, storage.smallest_normal
    half = 2.0 ** (accumulation.min_exponent // 2 - 2)
    questions = [(3 * eta, 1.0), (1.0, 3 * eta), (normal / 4, 1.0), (8.0, eta)]
    if half >= normal:
        questions.append((half, half))  # two normal operands, and a product that is subnormal in the accumulator
    for left, right in questions:
        X = torch.zeros((CASES, p, k), dtype=torch.float64)
        y = torch.zeros((CASES, k, 1), dtype=torch.float64)
        for case in range(CASES):
            X[case, :, case % k] = left
        X[0, :, :] = left  # the shared product and the shared dense layer see this matrix alone
        y[torch.arange(CASES), torch.arange(CASES) % k, 0] = right
        if not _agrees(kernel, X, y, storage, device):
            return True
    return False


def _outer_flushes(storage: Format, p: int, k: int, device: str) -> bool:
    """Whether the batched product of a column and a row, one product an entry, loses a subnormal operand or result."""
    eta, normal, dtype = storage.smallest_subnormal, storage.smallest_normal, torch_dtype(storage)
    for left, right in ((3 * eta, 1.0), (1.0, 3 * eta), (normal, 0.25), (8.0, eta)):
        column = torch.full((BATCH, p, 1), left, dtype=torch.float64).to(device, dtype)
        row = torch.full((BATCH, 1, k), right, dtype=torch.float64).to(device, dtype)
        if bool((outer_product(column, row).double() != left * right).any()):
            return True
    return False


def _elementwise_flushes(storage: Format, device: str) -> bool:
    eta, normal = storage.smallest_subnormal, storage.smallest_normal
    dtype = torch_dtype(storage)

    def vector(x: float) -> Tensor:
        return torch.full((CASES,), x, dtype=torch.float64).to(device, dtype)

    small = vector(3 * eta)
    answers = [
        (small + vector(eta), 4 * eta),
        (small - vector(eta), 2 * eta),
        (vector(normal) - vector(eta), normal - eta),
        (vector(normal) / vector(4.0), normal / 4),
        (small / vector(1.0), 3 * eta),
        (vector(normal) / vector(normal / 2), 2.0),
        (vector(8 * normal) * vector(0.0625), normal / 2),
    ]
    return any(bool((got.double() != expected).any()) for got, expected in answers)


def _bias_words(storage: Format, opmath: Format, apart: bool) -> str:
    if opmath == storage:
        return "covered: the bound allows any order of the sum"
    return "yes" if apart else "no"


def _bias_operands(storage: Format, p: int, k: int, device: str) -> tuple[Tensor, Tensor, Tensor, float]:
    """W (BATCH, p, k), x (BATCH, k), b (p,) for which Wx = 1 + u and b = u; and 1 + 2u, the sum rounded once."""
    u, dtype = storage.unit_roundoff, torch_dtype(storage)
    W = torch.zeros((BATCH, p, k), dtype=torch.float64)
    W[:, :, 0], W[:, :, 1] = 1.0, u
    x = torch.ones((BATCH, k), dtype=torch.float64)
    b = torch.full((p,), u, dtype=torch.float64)
    return W.to(device, dtype), x.to(device, dtype), b.to(device, dtype), 1.0 + 2 * u


def _bias_apart(storage: Format, p: int, k: int, device: str) -> bool:
    """Whether a dense layer stores Wx before it adds the bias."""
    if k < 2 or _opmath(storage) == storage:
        return False  # γ_{k+1} covers a sum of k+1 terms in any order
    W, x, b, once = _bias_operands(storage, p, k, device)
    return bool((F.linear(x, W[0], b).double() != once).any())


def _patched_bias_apart(storage: Format, p: int, k: int, device: str) -> bool:
    """Whether a dense layer with a weight or a bias of its own for each case does."""
    if k < 2 or _opmath(storage) == storage:
        return False
    W, x, b, once = _bias_operands(storage, p, k, device)
    by_weight = vmap(lambda w, v: F.linear(v.unsqueeze(0), w, b))(W, x)
    by_bias = vmap(lambda v, c: F.linear(v.unsqueeze(0), W[0], c))(x, b.expand(BATCH, p))
    by_neither = vmap(lambda v: F.linear(v.unsqueeze(0), W[0], b))(x)
    return any(bool((got.double() != once).any()) for got in (by_weight, by_bias, by_neither))


def _agrees(kernel: Kernel, X: Tensor, y: Tensor, storage: Format, device: str) -> bool:
    """Whether the kernel reaches the exact result, which the operands were chosen to make representable."""
    dtype, repeats = torch_dtype(storage), BATCH // CASES
    got = kernel(X.to(device, dtype).repeat(repeats, 1, 1), y.to(device, dtype).repeat(repeats, 1, 1)).double().cpu()
    exact = kernel(X, y).repeat(repeats, 1, 1)
    return bool((got == exact).all())
