"""What the machine's kernels do, by call: asked the first time that a call is met, and known from then on.

A model belongs to one call: kernel, dtypes, shapes, strides, alignment, batch and number of threads. A bound asks for the model of the operands
that it was handed. Orders of summation are kept between runs (``kept_orders.py``), and what one call showed is tried on the next, but as guesses: every
call is asked for the tree, and it is confirmed, before it is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from numeric.formats import Context, Format
from numeric.machine import kernels as kernel_table
from numeric.machine import questions
from numeric.machine.bench import Bench, usual_call
from numeric.machine.kept_orders import KeptOrders
from numeric.machine.kernels import OUTER_PRODUCT
from numeric.machine.operands import KernelCall
from numeric.machine.summation_order import revealed
from numeric.machine.summation_tree import Order
from symbolic.vocabulary import CallError

FEW = 8
"""With fewer terms than this the operands on which an order is confirmed round too seldom to show what holds their partial sums."""


class UnsupportedNumerics(CallError):
    """The machine computes in a way for which there is no error model."""


class ShortenedOperands(UnsupportedNumerics):
    """Some kernels round their operands otherwise than the mode says."""

    def __init__(self, where: str, kernels: tuple[str, ...]) -> None:
        super().__init__(
            f"on {where} products are computed from shortened operands by: {', '.join(kernels)}. There is no error model for that; "
            "switch it off (torch.backends.cuda.matmul.allow_tf32 = False)."
        )
        self.where, self.kernels = where, kernels

    def __reduce__(self) -> tuple[type["ShortenedOperands"], tuple[str, tuple[str, ...]]]:
        return ShortenedOperands, (self.where, self.kernels)


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What a call showed."""

    accumulation: Format
    """What partial sums are held in."""
    truncates: bool = False
    """Whether a partial sum may be cut off instead of rounded to nearest."""
    flushes: bool = True
    """Whether it may read or write subnormal numbers as zero."""
    whole: bool = False
    """Whether it takes its operands as they are, in a mode that rounds them first."""
    apart: bool = False
    """Whether Wx is rounded to storage before the bias is added."""
    order: Order | None = None
    """In which it adds, where that was confirmed."""


@dataclass(slots=True)
class KernelService:
    """The kernels that run in one arithmetic of a mode."""

    label: str
    """Of the arithmetic, e.g. ``bf16: update``."""
    storage: Format
    opmath: Format
    operands: Format | None
    """The format to which a product first rounds its operands."""
    running: Context
    """What is switched on while they run."""
    device: str
    facts: dict[KernelCall, KernelFacts] = field(default_factory=dict)
    """By call, all that were met."""
    kept: KeptOrders = field(default_factory=KeptOrders)

    def known(self, call: KernelCall) -> KernelFacts:
        """What is known of a call; the machine is asked if it is met for the first time. Raises UnsupportedNumerics."""
        facts = self.facts.get(call)
        if facts is None:
            facts = self.facts[call] = self._asked(call)
            self.kept.save()
        return facts

    def ask(self, calls: Iterable[KernelCall]) -> None:
        """Ask about many calls, and keep what was found once. Raises ShortenedOperands with every kernel that is so."""
        shortening: list[ShortenedOperands] = []
        for call in calls:
            try:
                self.facts[call] = self.facts.get(call) or self._asked(call)
            except ShortenedOperands as error:
                shortening.append(error)
        self.kept.save()
        if shortening:
            raise ShortenedOperands(shortening[0].where, tuple(dict.fromkeys(name for error in shortening for name in error.kernels)))

    def bench(self, call: KernelCall) -> Bench:
        """The call, ready to be asked."""
        kernel = kernel_table.kernels()[call.kernel]
        return Bench(kernel, call, self.storage, self.device, self.running)

    def _asked(self, call: KernelCall) -> KernelFacts:
        if call.kernel == OUTER_PRODUCT:
            return self._asked_of_outer(call)
        if not call.askable:
            # Operands that share a place in memory cannot hold what a question needs: any order, else as operands that torch has just made.
            bench = self.bench(call)
            usual = usual_call(bench.kernel, call.rows, call.columns, bench.dtypes, call.batch)
            return replace(self.known(usual), order=None)
        bench, operands = self.bench(call), self.operands
        products = questions.SingleProducts.of(bench, operands, (self.opmath, self.storage))
        whole = products.whole
        if products.shortened:
            raise ShortenedOperands(f"{self.device} {self.label}", (call.kernel,))
        asked, bias = operands or self.storage, bench.kernel.bias
        apart = bias and questions.rounds_before_bias(bench, self.opmath)
        summed = bias and not apart
        order = revealed(bench, bias=summed, operands=None if whole else operands, guess=self._guess(call, call.columns + summed))
        self.kept.keep(self.label, call, order)
        accumulation, truncates = self.opmath, False
        if order is not None and order.stored_strands and call.columns >= FEW:
            accumulation = self.storage  # strands are added in it, and rounded to nearest, as was seen bit for bit
        elif order is None or call.columns < FEW:
            accumulation = self._format_of(questions.accumulator_bits(bench, asked, self.opmath.significand_bits))
            truncates = questions.truncates(bench, asked, accumulation)
        return KernelFacts(accumulation, truncates, products.flush(accumulation), whole, apart, order)

    def _guess(self, call: KernelCall, leaves: int) -> Order | None:
        """What an earlier run found of the call, or else the last order of as many leaves that was found of another: kernels of one library are often alike."""
        found = (facts.order for facts in reversed(self.facts.values()))
        return self.kept.guess(self.label, call) or next((order for order in found if order is not None and order.leaves == leaves), None)

    def _asked_of_outer(self, call: KernelCall) -> KernelFacts:
        if not call.askable:
            return KernelFacts(self.storage)
        asked = self.operands or self.storage
        flushes = questions.outer_flushes(call, self.storage, asked, self.running, self.device)
        whole = self.operands is not None and questions.outer_takes_whole(call, self.storage, self.operands, self.running, self.device)
        return KernelFacts(self.opmath, flushes=flushes, whole=whole)

    def _format_of(self, bits: int) -> Format:
        """The format of an accumulator of so many bits."""
        same = [row for row in (self.opmath, self.storage) if row.significand_bits == bits]
        return same[0] if same else replace(self.opmath, name=f"{bits}-bit", title=f"an accumulator of {bits} bits", significand_bits=bits, native=False)
