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
from numeric.machine import kernels as kernel_table
from numeric.machine import questions
from numeric.machine.bench import usual_call
from numeric.machine.error_model import FP64, ErrorModel, opmath_of
from numeric.machine.kernel_service import KernelFacts, KernelService, UnsupportedNumerics
from numeric.machine.kernels import BARE, BATCH, DENSE, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT, KernelAt
from numeric.machine.operands import KernelCall
from numeric.machine.refinements import REFINEMENTS, Refinement

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
    batch: int = BATCH
    """How many cases a cell hands to a kernel at once, and about which the machine was asked."""

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


def probe(  # the shapes are ``asked_shapes``, each under its name
    mode: Mode, *, shapes: Shapes, first: Shapes | None = None, bare: Shapes = (), device: str = "cpu", batch: int = BATCH
) -> ProbedMode:
    """Ask the machine how it computes in a mode, and choose the error models.

    shapes: the (m, d) of every dense layer of the network that will be used; first: those whose weight is patched, all of them if not given;
    bare: those that have no bias; batch: cases at once. The machine is asked about operands as torch makes them; about others when they
    are met. Raises UnsupportedNumerics.
    """
    first = shapes if first is None else first
    if questions.elementwise_flushes(FP64.storage, device):
        raise UnsupportedNumerics(
            f"on {device} fp64, in which radii are computed, flushes subnormal numbers, so a radius could come out too small; "
            "switch it off (torch.set_flush_denormal(False))."
        )
    known = {name: kernel for name, kernel in kernel_table.kernels().items() if not kernel.on_demand}
    others = [shape for shape in shapes if shape not in first] or shapes
    used_at = {DENSE: shapes, PATCHED_WEIGHT: first, BARE[DENSE]: bare}
    used_at[BARE[PATCHED_WEIGHT]] = tuple(shape for shape in bare if shape in first)

    def calls(names: Iterable[str], matrix: Format, vector: Format) -> list[KernelCall]:
        asked = [(known[name], shape) for name in names for shape in (used_at.get(name, others) if known[name].layer else first)]
        return list(dict.fromkeys(usual_call(kernel, *shape, (torch_dtype(matrix), torch_dtype(vector)), batch) for kernel, shape in asked))

    of_update = calls((name for name, row in known.items() if not row.layer), mode.update, mode.update)
    of_layers = calls((name for name, row in known.items() if row.layer), mode.weights, mode.activations)
    own, layer = mode.update_context(device), mode.while_running(device)
    label = "" if mode.id == mode.activations.name else mode.id
    if mode.uniform:
        model, answers = _model(mode, label, _service(label, mode.update, mode.operands, layer, device), of_update + of_layers)
        return ProbedMode(mode, model, model, tuple(answers), batch)
    if mode.operands is not None:  # a factored patch is applied by products under the same context
        of_layers += calls((INNER_PRODUCT, OUTER_PRODUCT), mode.update, mode.update)
    of_its_own = f"{mode.id}: update"
    update, some = _model(mode, of_its_own, _service(of_its_own, mode.update, None, own, device), of_update)
    layers, more = _model(mode, label, _service(label, mode.activations, mode.operands, layer, device), of_layers)
    return ProbedMode(mode, update, layers, (*some, *more), batch)


def _service(label: str, storage: Format, operands: Format | None, running: Context, device: str) -> KernelService:
    return KernelService(label or storage.name, storage, opmath_of(storage), operands, running, device)


def _model(mode: Mode, label: str, service: KernelService, calls: Sequence[KernelCall]) -> tuple[ErrorModel, list[Answer]]:
    """The error model of a service's kernels, as far as all calls share it, and the answers.  label: what its name says beside the formats."""
    service.ask(calls)
    facts = {call: service.known(call) for call in calls}
    sums = {call: row for call, row in facts.items() if call.kernel != OUTER_PRODUCT}
    patched = {name for name, row in kernel_table.kernels().items() if row.patched}
    model = ErrorModel(
        service.storage,
        min((row.accumulation for row in sums.values()), key=lambda row: row.significand_bits),
        service.opmath,
        frozenset(call.kernel for call, row in facts.items() if row.flushes),
        questions.elementwise_flushes(service.storage, service.device, service.running),
        any(row.apart for call, row in sums.items() if call.kernel not in patched),
        any(row.apart for call, row in sums.items() if call.kernel in patched),
        service.device,
        truncates=any(row.truncates for row in sums.values()),
        operands=service.operands,
        whole=frozenset(_at(call) for call, row in facts.items() if row.whole),
        bias_is_an_operand=mode.bias_is_an_operand,
        matrices=mode.weights if any(call.matrix.dtype != service.storage.dtype for call in sums) else None,
        orders={_at(call): row.order for call, row in sums.items() if row.order is not None},
        running=service.running,
        label=label,
        service=service,
    )
    return model, _answers(service, model, sums)


def _at(call: KernelCall) -> KernelAt:
    return KernelAt(call.kernel, call.rows, call.columns)


def _answers(service: KernelService, n: ErrorModel, sums: Mapping[KernelCall, KernelFacts]) -> list[Answer]:
    """What a model says, in words.  sums: what each call showed that adds up."""
    name, wide = service.label, n.accumulation == n.opmath
    narrow = "a partial sum was rounded to storage" if n.accumulation == n.storage else "what the narrowest accumulator showed"
    accumulated = n.accumulation.name + ("" if n.opmath == n.storage and wide else " or wider" if wide else f": {narrow}")
    asked = dict.fromkeys([*(call.kernel for call in sums), OUTER_PRODUCT])
    flushing = [kernel for kernel in asked if kernel in n.flushing]
    flushed = "flushed to zero by: " + ", ".join(flushing) if flushing else "kept"
    answers = [
        Answer(f"{name}/accumulation", f"In which format are {name} products summed?", accumulated),
        Answer(f"{name}/order", f"In which order are {name} products summed?", _order_words(sums)),
        Answer(f"{name}/product-subnormals", f"Do {name} products keep subnormal numbers?", flushed),
        Answer(
            f"{name}/elementwise-subnormals", f"Do {name} sums and quotients keep subnormal numbers?", "flushed to zero" if n.elementwise_flushes else "kept"
        ),
        Answer(f"{name}/rounding", f"Are partial sums of {name} products rounded to nearest?", _rounding_words(n, sums)),
    ]
    if n.operands is not None:
        answers.append(Answer(f"{name}/operands", f"Are the operands of {name} products rounded to {n.operands.name} first?", _operand_words(n.whole)))
    if any(call.bias is not None for call in sums):
        layers = [call for call in sums if call.kernel == DENSE]
        answers += [
            Answer(f"{name}/bias", f"Does a dense layer round Wx to {n.storage.name} before it adds the bias?", _bias_words(n, apart=n.rounds_before_bias)),
            Answer(f"{name}/patched-bias", "Does one with a weight or bias of its own for each case?", _bias_words(n, apart=n.patched_rounds_before_bias)),
            Answer(f"{name}/batch", "Has a dense layer's result for one case the same bits alone and among many?", _batch_words(service, layers)),
        ]
    return answers


def _operand_words(whole: Collection[KernelAt]) -> str:
    """In words, and which products take them as they are."""
    taken = ", ".join(map(str, sorted(whole)))
    return f"yes, to nearest, but taken as they are by: {taken}" if taken else "yes, to nearest"


def _rounding_words(n: ErrorModel, sums: Mapping[KernelCall, KernelFacts]) -> str:
    truncating = [call for call, row in sums.items() if row.truncates]
    if truncating:
        return f"cut off by: {_names(truncating)}"
    operands, unknown = n.operands or n.storage, [call for call, row in sums.items() if row.order is None]
    unasked = _names(call for call in unknown if call.columns < 3 or questions.unit_of_truncation(operands, n.storage, n.accumulation) is None)
    return f"not asked, since no operands are fine enough, of: {unasked}; taken to be" if unasked else "yes"


def _names(calls: Iterable[KernelCall]) -> str:
    """The kernels' names, each once."""
    return ", ".join(dict.fromkeys(call.kernel for call in calls))


def _order_words(sums: Mapping[KernelCall, KernelFacts]) -> str:
    by_order: dict[str, list[str]] = defaultdict(list)
    for call, row in sums.items():
        if row.order is not None:
            by_order[row.order.words].append(str(_at(call)))
    parts = [f"{words}: {', '.join(names)}" for words, names in by_order.items()]
    unknown = [str(_at(call)) for call, row in sums.items() if row.order is None]
    if unknown:
        parts.append(f"not known, so any order is allowed for: {', '.join(unknown)}")
    return "; ".join(parts)


def _bias_words(n: ErrorModel, *, apart: bool) -> str:
    if n.opmath == n.storage:
        return "covered: the bound allows any order of the sum"
    return "yes" if apart else "no"


def _batch_words(service: KernelService, layers: Sequence[KernelCall]) -> str:
    """Which dense layers give a case other bits alone than among many."""
    different = [f"{call.rows}x{call.columns}" for call in layers if not questions.same_alone(service.bench(call))]
    return "no: " + ", ".join(different) if different else "yes"
