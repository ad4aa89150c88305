"""What the machine really does between two stored numbers, found by asking it.

Each probe runs the very kernels of a measurement, at its shapes, on operands whose exact result is representable in the
storage format and reached only by a machine of one kind (``questions.py``), and the order in which a kernel adds is revealed and confirmed
bit for bit (``summation_order.py``). The error model (``error_model.py``) is chosen from the answers.

A probe shows what it saw on its operands; that the kernel treats all operands alike is an assumption, and is called one
in the report.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from numeric.formats import Context, Format, Mode, torch_dtype
from numeric.machine import questions
from numeric.machine.error_model import FP64, ErrorModel, UnsupportedNumerics, opmath_of
from numeric.machine.kernels import BARE, BATCH, DENSE, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_PASS, PATCHED_WEIGHT, Bench, KernelAt, ProductKernel, kernels
from numeric.machine.refinements import REFINEMENTS, Refinement
from numeric.machine.summation_order import Order, revealed

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
    if questions.elementwise_flushes(FP64.storage, device):
        raise UnsupportedNumerics(
            f"on {device} fp64, in which radii are computed, flushes subnormal numbers, so a radius could come out too small; "
            "switch it off (torch.set_flush_denormal(False))."
        )
    update_context, layer_context, patched_context = mode.update_context(device), mode.while_running(device), mode.patched_context(device)
    known = kernels()
    products = [(row, shape) for row in known.values() if not row.layer for shape in first]
    others = [shape for shape in shapes if shape not in first] or shapes
    used_at = {DENSE: shapes, PATCHED_WEIGHT: first, BARE[DENSE]: bare, BARE[PATCHED_PASS]: bare}
    used_at[BARE[PATCHED_WEIGHT]] = tuple(shape for shape in bare if shape in first)
    layers = [(row, shape) for row in known.values() if row.layer for shape in used_at.get(row.name, others)]
    label = "" if mode.id == mode.activations.name else mode.id

    def benches(wanted: list[tuple[ProductKernel, tuple[int, int]]], matrix: Format, results: Format, running: Context) -> list[Bench]:
        return [Bench(kernel, 1 if kernel.name == INNER_PRODUCT else p, k, torch_dtype(matrix), results, BATCH, device, running) for kernel, (p, k) in wanted]

    of_update = benches(products, mode.update, mode.update, update_context)
    of_layers = benches([asked for asked in layers if not asked[0].patched], mode.weights, mode.activations, layer_context)
    of_layers += benches([asked for asked in layers if asked[0].patched], mode.weights, mode.activations, patched_context)
    if mode.uniform:
        numerics, answers = _model(mode, _Group(label, mode.operands, of_update + of_layers, first, update_context, device))
        return ProbedMode(mode, numerics, numerics, tuple(answers))
    adapters = mode.operands is not None  # a factored patch is applied by products under the same context
    of_layers += benches([(known[INNER_PRODUCT], shape) for shape in first if adapters], mode.update, mode.activations, patched_context)
    update, some = _model(mode, _Group(f"{mode.id}: update", None, of_update, first, update_context, device))
    layer, more = _model(mode, _Group(label, mode.operands, of_layers, first if adapters else (), patched_context, device))
    return ProbedMode(mode, update, layer, (*some, *more))


@dataclass(frozen=True, slots=True)
class _Group:
    """Kernels that run under one context, and of which one error model is made."""

    label: str
    """What the name of the model says beside the formats."""
    operands: Format | None
    benches: list[Bench]
    outer: Shapes
    """Of outer products."""
    running: Context
    device: str

    @property
    def name(self) -> str:
        """Of the way of computing."""
        return self.label or self.benches[0].results.name


def _model(mode: Mode, group: _Group) -> tuple[ErrorModel, list[Answer]]:
    """The error model of some kernels, and the answers."""
    benches, operands, running, device = group.benches, group.operands, group.running, group.device
    storage = benches[0].results
    opmath = opmath_of(storage)
    matrices = next((mode.weights for bench in benches if bench.matrix != torch_dtype(storage)), None)
    whole = [bench for bench in benches if operands is not None and questions.takes_whole(bench, operands)]
    shortened = _names(bench for bench in benches if bench not in whole and questions.shortens(bench, operands))
    if shortened:
        raise UnsupportedNumerics(
            f"on {device} {group.name} products are computed from shortened operands by: {shortened}. There is no error model for that; "
            "switch it off (torch.backends.cuda.matmul.allow_tf32 = False)."
        )
    probing = operands or storage
    accumulation = opmath if all(questions.accumulates_wide(bench, probing) for bench in benches) else storage
    flushing = {bench.kernel.name for bench in benches if questions.product_flushes(bench, probing, accumulation)}
    if any(questions.outer_flushes(storage, probing, p, k, running, device) for p, k in group.outer):
        flushing.add(OUTER_PRODUCT)
    layers = [bench for bench in benches if bench.kernel.bias]
    apart = {patched: any(questions.rounds_before_bias(bench, opmath) for bench in layers if bench.kernel.patched is patched) for patched in (False, True)}
    taken_whole = {bench.at for bench in whole}
    if operands is not None:
        taken_whole |= {KernelAt(OUTER_PRODUCT, p, k) for p, k in group.outer if questions.outer_takes_whole(storage, operands, p, k, running, device)}
    orders: dict[KernelAt, Order] = {}
    unknown = []
    for bench in benches:
        order = revealed(bench, bias=bench.kernel.bias and not apart[bench.kernel.patched], operands=None if bench in whole else operands)
        if order is None:
            unknown.append(bench)
        else:
            orders[bench.at] = order
    # A sum that was confirmed in its order was rounded to nearest; of the others it is asked.
    truncating = [bench for bench in unknown if questions.truncates(bench, probing, accumulation)]
    numerics = ErrorModel(
        storage,
        accumulation,
        opmath,
        frozenset(flushing),
        questions.elementwise_flushes(storage, device, running),
        apart[False],
        apart[True],
        device,
        truncates=bool(truncating),
        operands=operands,
        whole=frozenset(taken_whole),
        bias_is_an_operand=mode.bias_is_an_operand,
        matrices=matrices,
        orders=orders,
        running=running,
        label=group.label,
    )
    return numerics, _answers(group, numerics, unknown, truncating)


def _answers(group: _Group, n: ErrorModel, unknown: Sequence[Bench], truncating: Sequence[Bench]) -> list[Answer]:
    """What a model says, in words.  unknown: kernels whose order of summation is not known; truncating: those of them that cut off."""
    name, wide = group.name, n.accumulation == n.opmath
    accumulated = n.accumulation.name + ("" if n.opmath == n.storage else " or wider" if wide else ": a partial sum was rounded to storage")
    flushing = [kernel for kernel in dict.fromkeys([*(bench.kernel.name for bench in group.benches), OUTER_PRODUCT]) if kernel in n.flushing]
    flushed = "flushed to zero by: " + ", ".join(flushing) if flushing else "kept"
    answers = [
        Answer(f"{name}/accumulation", f"In which format are {name} products summed?", accumulated),
        Answer(f"{name}/order", f"In which order are {name} products summed?", _order_words(n.orders, unknown)),
        Answer(f"{name}/product-subnormals", f"Do {name} products keep subnormal numbers?", flushed),
        Answer(
            f"{name}/elementwise-subnormals", f"Do {name} sums and quotients keep subnormal numbers?", "flushed to zero" if n.elementwise_flushes else "kept"
        ),
        Answer(f"{name}/rounding", f"Are partial sums of {name} products rounded to nearest?", _rounding_words(n, unknown, truncating)),
    ]
    if n.operands is not None:
        answers.append(Answer(f"{name}/operands", f"Are the operands of {name} products rounded to {n.operands.name} first?", _operand_words(n.whole)))
    layers = [bench for bench in group.benches if bench.kernel.bias]
    if layers:
        answers += [
            Answer(f"{name}/bias", f"Does a dense layer round Wx to {n.storage.name} before it adds the bias?", _bias_words(n, apart=n.rounds_before_bias)),
            Answer(f"{name}/patched-bias", "Does one with a weight or bias of its own for each case?", _bias_words(n, apart=n.patched_rounds_before_bias)),
            Answer(f"{name}/batch", "Has a dense layer's result for one case the same bits alone and among many?", _batch_words(layers)),
        ]
    return answers


def _operand_words(whole: Collection[KernelAt]) -> str:
    """In words, and which products take them as they are."""
    taken = ", ".join(map(str, sorted(whole)))
    return f"yes, to nearest, but taken as they are by: {taken}" if taken else "yes, to nearest"


def _rounding_words(n: ErrorModel, unknown: Sequence[Bench], truncating: Sequence[Bench]) -> str:
    if truncating:
        return f"cut off by: {_names(truncating)}"
    operands = n.operands or n.storage
    unasked = _names(bench for bench in unknown if bench.columns < 3 or questions.unit_of_truncation(operands, bench.results, n.accumulation) is None)
    return f"not asked, since no operands are fine enough, of: {unasked}; taken to be" if unasked else "yes"


def _names(benches: Iterable[Bench]) -> str:
    """The kernels' names, each once."""
    return ", ".join(dict.fromkeys(bench.kernel.name for bench in benches))


def _order_words(orders: Mapping[KernelAt, Order], unknown: Sequence[Bench]) -> str:
    by_order: dict[str, list[str]] = defaultdict(list)
    for at, order in orders.items():
        by_order[order.words].append(str(at))
    parts = [f"{words}: {', '.join(names)}" for words, names in by_order.items()]
    if unknown:
        parts.append(f"not known, so any order is allowed for: {', '.join(str(bench.at) for bench in unknown)}")
    return "; ".join(parts)


def _bias_words(n: ErrorModel, *, apart: bool) -> str:
    if n.opmath == n.storage:
        return "covered: the bound allows any order of the sum"
    return "yes" if apart else "no"


def _batch_words(layers: Sequence[Bench]) -> str:
    """Which dense layers give a case other bits alone than among many."""
    different = [f"{bench.rows}x{bench.columns}" for bench in layers if bench.kernel.name == DENSE and not questions.same_alone(bench)]
    return "no: " + ", ".join(different) if different else "yes"
