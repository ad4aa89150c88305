"""What the machine really does between two stored numbers, found by asking it.

Each probe runs the very kernels of a measurement, at its shapes, on operands whose exact result is representable in the
storage format and reached only by a machine of one kind. The error model (``error_model.py``) is chosen from the answers.

- *Accumulation*: a row that holds 1, -1 and many times u (the storage's roundoff) at random places. A partial sum
  1 + ku is exact in a wider accumulator and is rounded in the storage format, whatever the order of the sum.
- *Order*: the tree in which a kernel adds, revealed and confirmed bit for bit (``summation_order.py``).
- *Rounding*: 1, -1 and 1.5 units in the accumulator's last place after 1: cut off, the rest is lost.
- *Subnormals*: operands, products and results below the smallest normal number, whose exact value is representable.
- *Products*: 1 + 2u, whose last bit a kernel that shortens its operands (tf32) would drop, times 1.
- *Bias*: (1 + u) + u is 1 + 2u if the sum is rounded once and 1 if 1 + u is stored before the bias is added.
- *Batch*: whether a product of one case has the same bits as the same product among many.

A probe shows what it saw on its operands; that the kernel treats all operands alike is an assumption, and is called one
in the report.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric.formats.format import FORMATS, Format, format_named
from numeric.formats.mode import Context, Mode
from numeric.formats.storage import torch_dtype
from numeric.machine.error_model import ErrorModel
from numeric.machine.kernels import BARE, DENSE, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_PASS, PATCHED_WEIGHT, Bench, Kernel, kernels, outer_product, repeated
from numeric.machine.refinements import REFINEMENTS, Refinement
from numeric.machine.summation_order import Order, revealed
from symbolic.vocabulary.errors import CallError


class UnsupportedNumerics(CallError):
    """The machine computes in a way for which there is no error model."""


RADIUS_FORMAT = FORMATS[0]
"""Fp64: every radius is computed in it, whatever the format under test."""

CASES = 64
"""Different rows that a probe asks about; each is repeated until the batch has the size of a measurement's."""

BATCH = 512
"""Cases that a measurement hands to a kernel at once."""

Shapes = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One question that was put to the machine, and its answer, in words."""

    id: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class ProbedMode:
    """A mode with the error models that the machine showed, and what it answered."""

    mode: Mode
    update: ErrorModel
    """In which the update is computed."""
    layer: ErrorModel
    """In which the block's network runs."""
    answers: tuple[Answer, ...]

    @property
    def adapter(self) -> ErrorModel:
        """In which a factored patch is applied: it runs in the middle of the network."""
        return self.update if self.layer.operands is None else self.layer

    def without(self, refinements: Iterable[Refinement]) -> "ProbedMode":
        """The same machine, under bounds that do without these rules."""
        kept = REFINEMENTS - frozenset(refinements)
        return replace(self, update=replace(self.update, refinements=kept), layer=replace(self.layer, refinements=kept))

    @property
    def left_out(self) -> frozenset[Refinement]:
        """The rules that its bounds do without."""
        return REFINEMENTS - self.layer.refinements

    @property
    def name(self) -> str:
        """E.g. ``bf16+fp32``."""
        return self.layer.name

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.layer.device


def probe(mode: Mode, *, shapes: Shapes, first: Shapes | None = None, bare: Shapes = (), device: str = "cpu") -> ProbedMode:
    """Ask the machine how it computes in a mode, and choose the error models.

    shapes: the (m, d) of every dense layer of the network that will be used; first: those whose weight is patched, all of them if not given;
    bare: those that have no bias. Raises UnsupportedNumerics.
    """
    first = shapes if first is None else first
    if _elementwise_flushes(RADIUS_FORMAT, device):
        raise UnsupportedNumerics(
            f"on {device} fp64, in which radii are computed, flushes subnormal numbers, so a radius could come out too small; "
            "switch it off (torch.set_flush_denormal(False))."
        )
    update_context, layer_context, patched_context = mode.update_context(device), mode.layer_context(device), mode.patched_context(device)
    known = kernels()
    products = [(row, shape) for row in known.values() if not row.layer for shape in first]
    others = [shape for shape in shapes if shape not in first] or shapes
    used_at = {
        DENSE: shapes,
        PATCHED_WEIGHT: first,
        BARE[DENSE]: bare,
        BARE[PATCHED_WEIGHT]: tuple(shape for shape in bare if shape in first),
        BARE[PATCHED_PASS]: bare,
    }
    layers = [(row, shape) for row in known.values() if row.layer for shape in used_at.get(row.name, others)]
    label = "" if mode.id == mode.activations.name else mode.id

    def benches(wanted: list[tuple[Kernel, tuple[int, int]]], matrix: Format, results: Format, running: Context) -> list[Bench]:
        return [Bench(kernel, 1 if kernel.name == INNER_PRODUCT else p, k, torch_dtype(matrix), results, BATCH, device, running) for kernel, (p, k) in wanted]

    of_update = benches(products, mode.update, mode.update, update_context)
    of_layers = benches([asked for asked in layers if not asked[0].patched], mode.weights, mode.activations, layer_context)
    of_layers += benches([asked for asked in layers if asked[0].patched], mode.weights, mode.activations, patched_context)
    if mode.uniform:
        numerics, answers = _model(mode, label, mode.operands, of_update + of_layers, first, update_context, device)
        return ProbedMode(mode, numerics, numerics, tuple(answers))
    adapters = mode.operands is not None  # a factored patch is applied by products under the same context
    of_layers += benches([(known[INNER_PRODUCT], shape) for shape in first if adapters], mode.update, mode.activations, patched_context)
    update, some = _model(mode, f"{mode.id}: update", None, of_update, first, update_context, device)
    layer, more = _model(mode, label, mode.operands, of_layers, first if adapters else (), patched_context, device)
    return ProbedMode(mode, update, layer, (*some, *more))


def _model(
    mode: Mode, label: str, operands: Format | None, benches: list[Bench], outer: Shapes, running: Context, device: str
) -> tuple[ErrorModel, list[Answer]]:
    """The error model of some kernels that run under one context, and the answers.  outer: shapes of outer products."""
    storage = benches[0].results
    opmath = opmath_of(storage)
    matrices = next((mode.weights for bench in benches if bench.matrix != torch_dtype(storage)), None)
    whole = [bench for bench in benches if operands is not None and _takes_whole(bench, operands)]
    shortened = _names(bench for bench in benches if bench not in whole and _shortens(bench, operands))
    if shortened:
        raise UnsupportedNumerics(
            f"on {device} {label or storage.name} products are computed from shortened operands by: {shortened}. There is no error model for that; "
            "switch it off (torch.backends.cuda.matmul.allow_tf32 = False)."
        )
    probing = operands or storage
    wide = all(_accumulates_wide(bench, probing) for bench in benches)
    accumulation = opmath if wide else storage
    flushing = list(dict.fromkeys(bench.kernel.name for bench in benches if _product_flushes(bench, probing, accumulation)))
    if any(_outer_flushes(storage, probing, p, k, running, device) for p, k in outer):
        flushing.append(OUTER_PRODUCT)
    elementwise = _elementwise_flushes(storage, device, running)
    layers = [bench for bench in benches if bench.kernel.bias]
    apart = any(_bias_apart(bench, opmath) for bench in layers if not bench.kernel.patched)
    patched_apart = any(_bias_apart(bench, opmath) for bench in layers if bench.kernel.patched)
    orders, unknown = _orders(benches, operands, whole, apart=apart, patched_apart=patched_apart)
    taken_whole = {(bench.kernel.name, bench.rows, bench.columns) for bench in whole}
    if operands is not None:
        taken_whole |= {(OUTER_PRODUCT, p, k) for p, k in outer if _outer_takes_whole(storage, operands, p, k, running, device)}
    # A sum that was confirmed in its order was rounded to nearest; of the others it is asked.
    truncating = _names(bench for bench in unknown if _truncates(bench, probing, accumulation))
    numerics = ErrorModel(
        storage, accumulation, opmath, frozenset(flushing), elementwise, apart, patched_apart, device,
        truncates=bool(truncating), operands=operands, whole=frozenset(taken_whole), bias_is_an_operand=mode.bias_is_an_operand, matrices=matrices,
        orders=orders, running=running, label=label,
    )  # fmt: skip
    said = label or storage.name
    answers = [
        Answer(
            f"{said}/accumulation",
            f"In which format are {said} products summed?",
            f"{accumulation.name}" + ("" if opmath == storage else " or wider" if wide else ": a partial sum was rounded to storage"),
        ),
        Answer(
            f"{said}/order",
            f"In which order are {said} products summed?",
            _order_words(orders, unknown),
        ),
        Answer(
            f"{said}/product-subnormals",
            f"Do {said} products keep subnormal numbers?",
            "kept" if not flushing else "flushed to zero by: " + ", ".join(flushing),
        ),
        Answer(
            f"{said}/elementwise-subnormals",
            f"Do {said} sums and quotients keep subnormal numbers?",
            "flushed to zero" if elementwise else "kept",
        ),
        Answer(f"{said}/rounding", f"Are partial sums of {said} products rounded to nearest?", _rounding_words(truncating, unknown, probing, accumulation)),
    ]
    if operands is not None:
        answers.append(Answer(f"{said}/operands", f"Are the operands of {said} products rounded to {operands.name} first?", _operand_words(numerics.whole)))
    if layers:
        answers += [
            Answer(f"{said}/bias", f"Does a dense layer round Wx to {storage.name} before it adds the bias?", _bias_words(storage, opmath, apart)),
            Answer(f"{said}/patched-bias", "Does one with a weight or bias of its own for each case?", _bias_words(storage, opmath, patched_apart)),
            Answer(f"{said}/batch", "Has a dense layer's result for one case the same bits alone and among many?", _batch_words(layers)),
        ]
    return numerics, answers


def _operand_words(whole: Collection[tuple[str, int, int]]) -> str:
    """In words, and which products take them as they are."""
    taken = ", ".join(f"{kernel} {p}x{k}" for kernel, p, k in sorted(whole))
    return f"yes, to nearest, but taken as they are by: {taken}" if taken else "yes, to nearest"


def _rounding_words(truncating: str, unknown: Sequence[Bench], operands: Format, accumulation: Format) -> str:
    if truncating:
        return f"cut off by: {truncating}"
    unasked = _names(bench for bench in unknown if bench.columns < 3 or _unit_of_truncation(operands, bench.results, accumulation) is None)
    return f"not asked, since no operands are fine enough, of: {unasked}; taken to be" if unasked else "yes"


def _names(benches: Iterable[Bench]) -> str:
    """The kernels' names, each once."""
    return ", ".join(dict.fromkeys(bench.kernel.name for bench in benches))


def _orders(
    benches: list[Bench], operands: Format | None, whole: Sequence[Bench], *, apart: bool, patched_apart: bool
) -> tuple[dict[tuple[str, int, int], Order], list[Bench]]:
    """The orders that are known, by kernel and shape, and the kernels of which none is."""
    known: dict[tuple[str, int, int], Order] = {}
    unknown = []
    for bench in benches:
        bias = bench.kernel.bias and not (patched_apart if bench.kernel.patched else apart)
        order = revealed(bench, bias=bias, operands=None if bench in whole else operands)
        if order is None:
            unknown.append(bench)
        else:
            known[bench.kernel.name, bench.rows, bench.columns] = order
    return known, unknown


def _order_words(orders: Mapping[tuple[str, int, int], Order], unknown: Sequence[Bench]) -> str:
    by_order: dict[str, list[str]] = defaultdict(list)
    for (kernel, p, k), order in orders.items():
        by_order[order.words].append(f"{kernel} {p}x{k}")
    parts = [f"{words}: {', '.join(names)}" for words, names in by_order.items()]
    if unknown:
        parts.append(f"not known, so any order is allowed for: {', '.join(f'{b.kernel.name} {b.rows}x{b.columns}' for b in unknown)}")
    return "; ".join(parts)


def opmath_of(storage: Format) -> Format:
    """The format in which torch computes an elementwise operation (its ``opmath_t``): fp32 for the 16-bit formats."""
    return storage if storage.significand_bits >= 24 else format_named("fp32")


def _accumulates_wide(bench: Bench, operands: Format) -> bool:
    """Whether no partial sum is rounded to the storage format."""
    p, k = bench.rows, bench.columns
    if k < 3:
        return False
    u = operands.unit_roundoff
    generator = torch.Generator().manual_seed(k * 1009 + p)
    count = CASES if bench.kernel.own_matrix else 1
    rows = torch.zeros((count, p, k), dtype=torch.float64)
    places = torch.rand((count, p, k), generator=generator).argsort(-1)
    rows.scatter_(-1, places[..., :1], 1.0)
    rows.scatter_(-1, places[..., 1:2], -1.0)
    # At most 2^p entries of u, so that their sum is representable too; at random places, so that there are some in every block of a sum.
    rows.scatter_(-1, places[..., 2 : 2 + 2**operands.significand_bits], u)
    return bench.agrees(rows, torch.ones((CASES, k, 1), dtype=torch.float64))


def _unit_of_truncation(operands: Format, results: Format, accumulation: Format) -> float | None:
    """The smallest power of two S ≥ 1 such that 3uS, u the accumulator's roundoff, is a normal number; None if S would pass Ω."""
    step = 2 * accumulation.unit_roundoff
    unit = max(1.0, *(row.smallest_normal / step for row in (operands, results)))
    return unit if unit <= min(operands.largest, results.largest) else None


def _truncates(bench: Bench, operands: Format, accumulation: Format) -> bool:
    """Whether a partial sum is cut off: S + 3uS, u the accumulator's roundoff, is S + 4uS to nearest and S + 2uS if cut off."""
    p, k = bench.rows, bench.columns
    unit = _unit_of_truncation(operands, bench.results, accumulation)
    if k < 3 or unit is None:
        return False
    step = 2 * accumulation.unit_roundoff * unit
    generator = torch.Generator().manual_seed(k * 1013 + p)
    count = CASES if bench.kernel.own_matrix else 1
    rows = torch.zeros((count, p, k), dtype=torch.float64)
    places = torch.rand((count, p, k), generator=generator).argsort(-1)
    for place, value in enumerate((unit, 1.5 * step, -unit)):
        rows.scatter_(-1, places[..., place : place + 1], value)
    got = bench.run(repeated(rows, bench.matrices), torch.ones((bench.batch, k, 1), dtype=torch.float64), _no_bias(bench))
    return bool((got < 1.5 * step).any())


def _one_in_each_column(bench: Bench) -> Tensor:
    """Unit vectors, each column's in turn.  Returns (some, k, 1), no more than the batch."""
    cases = min(bench.batch, max(CASES, bench.columns))
    one = torch.zeros((cases, bench.columns, 1), dtype=torch.float64)
    one[torch.arange(cases), torch.arange(cases) % bench.columns, 0] = 1.0
    return one


def _takes_whole(bench: Bench, operands: Format) -> bool:
    """Whether the last bit of an operand of the storage counts, in whatever column, in a mode that rounds operands to a shorter format."""
    if bench.matrix != torch_dtype(bench.results) or bench.results.significand_bits <= operands.significand_bits:
        return False
    last = 1.0 + 2 * bench.results.unit_roundoff
    one = _one_in_each_column(bench)
    X = torch.full((1, bench.rows, bench.columns), last, dtype=torch.float64)
    return bench.agrees(X, one) and bench.agrees(torch.ones_like(X), one * last)


def _outer_takes_whole(storage: Format, operands: Format, p: int, k: int, running: Context, device: str) -> bool:
    """The same of the batched product of a column and a row."""
    if storage.significand_bits <= operands.significand_bits:
        return False
    for left, right in ((1.0 + 2 * storage.unit_roundoff, 1.0), (1.0, 1.0 + 2 * storage.unit_roundoff)):
        column, row = (
            torch.full(shape, x, dtype=torch.float64).to(device, torch_dtype(storage)) for shape, x in (((BATCH, p, 1), left), ((BATCH, 1, k), right))
        )
        with running():
            found = outer_product(column, row)
        if bool((found.double() != left * right).any()):
            return False
    return True


def _shortens(bench: Bench, operands: Format | None) -> bool:
    """Whether operands are rounded otherwise than the mode says: the last bit of one that should be kept is lost, or one is not rounded to nearest."""
    p, k = bench.rows, bench.columns
    kept = operands or bench.results
    last = 1.0 + 2 * kept.unit_roundoff
    one = _one_in_each_column(bench)
    X = torch.full((1, p, k), last, dtype=torch.float64)
    if not (bench.agrees(X, one) and bench.agrees(torch.ones_like(X), one * last)):
        return True
    if operands is None or bench.matrix != torch.float32:
        return False
    above = 1.0 + 1.25 * kept.unit_roundoff
    sides = [(torch.full_like(X, above), one)]
    if torch_dtype(bench.results) == torch.float32:
        sides.append((torch.ones_like(X), one * above))
    return any(bool((bench.run(repeated(x, bench.matrices), repeated(y, bench.batch), _no_bias(bench)) != last).any()) for x, y in sides)


def _product_flushes(bench: Bench, operands: Format, accumulation: Format) -> bool:
    """Whether a subnormal operand, product, partial sum or result came back as anything but itself."""
    p, k = bench.rows, bench.columns
    storage = bench.results
    normal, half = storage.smallest_normal, 2.0 ** (accumulation.min_exponent // 2 - 2)
    eta = max(storage.smallest_subnormal, operands.smallest_subnormal)  # 3η has to be a number of both
    questions = [(3 * eta, 1.0), (1.0, 3 * eta), (8.0, eta)]
    if normal / 4 >= operands.smallest_subnormal:
        questions.append((normal / 4, 1.0))
    if half >= max(normal, operands.smallest_normal):
        questions.append((half, half))  # two normal operands, and a product that is subnormal in the accumulator
    for left, right in questions:
        X = torch.zeros((CASES if bench.kernel.own_matrix else 1, p, k), dtype=torch.float64)
        y = torch.zeros((CASES, k, 1), dtype=torch.float64)
        for case in range(len(X)):
            X[case, :, case % k] = left
        X[0, :, :] = left  # the shared product and the shared dense layer see this matrix alone
        y[torch.arange(CASES), torch.arange(CASES) % k, 0] = right
        if not bench.agrees(X, y):
            return True
    return False


def _outer_flushes(storage: Format, operands: Format, p: int, k: int, running: Context, device: str) -> bool:
    """Whether the batched product of a column and a row, one product an entry, loses a subnormal operand or result."""
    normal, dtype = storage.smallest_normal, torch_dtype(storage)
    eta = max(storage.smallest_subnormal, operands.smallest_subnormal)
    for left, right in ((3 * eta, 1.0), (1.0, 3 * eta), (normal, 0.25), (8.0, eta)):
        column = torch.full((BATCH, p, 1), left, dtype=torch.float64).to(device, dtype)
        row = torch.full((BATCH, 1, k), right, dtype=torch.float64).to(device, dtype)
        with running():
            found = outer_product(column, row)
        if bool((found.double() != left * right).any()):
            return True
    return False


def _elementwise_flushes(storage: Format, device: str, running: Context = nullcontext) -> bool:
    eta, normal = storage.smallest_subnormal, storage.smallest_normal
    dtype = torch_dtype(storage)

    def vector(x: float) -> Tensor:
        return torch.full((CASES,), x, dtype=torch.float64).to(device, dtype)

    x, y, z, a, b, c, d, e = (vector(v) for v in (3 * eta, eta, normal, 4.0, 1.0, normal / 2, 8 * normal, 0.0625))
    with running():
        found = [x + y, x - y, z - y, z / a, x / b, z / c, d * e]
    expected = [4 * eta, 2 * eta, normal - eta, normal / 4, 3 * eta, 2.0, normal / 2]
    return any(bool((got.double() != right).any()) for got, right in zip(found, expected, strict=True))


def _bias_words(storage: Format, opmath: Format, apart: bool) -> str:
    if opmath == storage:
        return "covered: the bound allows any order of the sum"
    return "yes" if apart else "no"


def _bias_apart(bench: Bench, opmath: Format) -> bool:
    """Whether a dense layer stores Wx before it adds the bias: then 1 + u and u give 1, and together 1 + 2u."""
    p, k, storage = bench.rows, bench.columns, bench.results
    if k < 2 or opmath == storage:
        return False  # γ_{k+1} covers a sum of k+1 terms in any order
    u = storage.unit_roundoff
    W = torch.zeros((bench.matrices, p, k), dtype=torch.float64)
    W[:, :, 0], W[:, :, 1] = 1.0, u
    found = bench.run(W, torch.ones((bench.batch, k, 1), dtype=torch.float64), torch.full((p,), u, dtype=torch.float64))
    return bool((found != 1.0 + 2 * u).any())


def _batch_words(layers: Sequence[Bench]) -> str:
    """Which dense layers give a case other bits alone than among many."""
    different = []
    for bench in layers:
        if bench.kernel.name != DENSE:
            continue
        generator = torch.Generator().manual_seed(bench.columns)
        W = torch.randn((1, bench.rows, bench.columns), generator=generator, dtype=torch.float64)
        x = torch.randn((bench.batch, bench.columns, 1), generator=generator, dtype=torch.float64)
        b = torch.randn(bench.rows, generator=generator, dtype=torch.float64)
        among = bench.run(W, x, b)[:4]
        alone = torch.cat([replace(bench, batch=1).run(W, x[case : case + 1], b) for case in range(4)])
        if not torch.equal(among, alone):
            different.append(f"{bench.rows}x{bench.columns}")
    return "no: " + ", ".join(different) if different else "yes"


def _no_bias(bench: Bench) -> Tensor | None:
    return torch.zeros(bench.rows, dtype=torch.float64) if bench.kernel.bias else None
