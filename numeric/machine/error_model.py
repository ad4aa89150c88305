"""How a machine computes in a format: what it accumulates in, in which order, and what it flushes.

A bound is only as true as its model of the machine, so the model is taken from probes (``probing.py``), never from a
flag or a manual. Every field that makes the model weaker makes the bound wider.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from numeric.formats import Format, format_named
from numeric.machine.kernel_service import KernelService
from numeric.machine.kernels import ALL_KERNELS, BARE, PATCHED_BIAS, PATCHED_WEIGHT, KernelAt
from numeric.machine.operands import KernelCall
from numeric.machine.refinements import REFINEMENTS, Refinement
from numeric.machine.summation_tree import Order

ASSUMPTIONS = (
    "A sum, difference, product, quotient or conversion of single numbers is correctly rounded in its format of computation (IEEE 754).",
    "A kernel treats all operands as it treated those of its probe: the same accumulator, order, rounding and handling of subnormal numbers.",
    "Fp64, in which radii are computed, rounds to nearest and keeps subnormal numbers; the latter is probed.",
)
"""What every bound takes for granted, and nobody proves; the report says so."""

LIBRARY = "An elementary function of the library errs by no more units in the last place than its table says; a sample is compared with ball arithmetic."
"""The same of a run that met a block with elementary functions."""


PATCHED = frozenset({PATCHED_WEIGHT, PATCHED_BIAS, BARE[PATCHED_WEIGHT]})
"""The kernels of patched layers."""


class Met(NamedTuple):
    """The arithmetic of one call."""

    numerics: "ErrorModel"
    order: Order | None
    """In which it adds, if that is known and may be used."""
    apart: bool
    """Whether Wx is rounded to storage before the bias is added."""


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """A storage format together with what the kernels do between two stored numbers."""

    storage: Format
    """The format of results."""
    accumulation: Format
    """The format of partial sums in a matrix product; ``storage`` itself unless the probe showed a wider one."""
    opmath: Format
    """The format in which an elementwise operation is computed before it is rounded to storage."""
    flushing: frozenset[str]
    """The kernels (``kernels.py``) that may read or write subnormal numbers as zero."""
    elementwise_flushes: bool
    """Whether an elementwise operation may."""
    rounds_before_bias: bool
    """Whether a dense layer may round Wx to storage before it adds the bias."""
    patched_rounds_before_bias: bool
    """The same of a dense layer that takes a weight or a bias of its own for each case."""
    device: str
    truncates: bool = False
    """Whether a partial sum may be cut off instead of rounded to nearest."""
    operands: Format | None = None
    """The format to which a matrix product first rounds its operands, if they are not of it already."""
    whole: frozenset[KernelAt] = frozenset()
    """Products that take their operands as they are all the same: a GPU has no such kernel at every shape."""
    bias_is_an_operand: bool = False
    """Whether a dense layer rounds its bias so too."""
    matrices: Format | None = None
    """The format of a layer's weights, where it is not the storage format."""
    orders: Mapping[KernelAt, Order] = field(default_factory=dict, repr=False)
    """The order in which a kernel sums, where it is known."""
    running: Callable[[], AbstractContextManager[object]] = field(default=nullcontext, repr=False, compare=False)
    """What must be switched on while a kernel of this arithmetic runs."""
    label: str = ""
    """What the name says beside the formats."""
    refinements: frozenset[Refinement] = REFINEMENTS
    """The rules that make bounds tighter; each can be left out, to compare."""
    service: KernelService | None = field(default=None, repr=False, compare=False)
    """Whom to ask about a call; without it all calls are as the fields say."""

    @property
    def name(self) -> str:
        """E.g. ``bf16+fp32``: stored in bf16, accumulated in fp32."""
        wide = "" if self.accumulation == self.storage else f"+{self.accumulation.name}"
        return (self.label or self.storage.name) + wide

    @property
    def product_is_exact(self) -> bool:
        """Whether a product of two operands is exact in the accumulator."""
        columns = (self.operands or self.storage).significand_bits
        matrices = (self.operands or self.matrices or self.storage).significand_bits
        return self.accumulation.significand_bits >= columns + matrices

    @property
    def sum_roundoff(self) -> float:
        """Relative error of one addition in a matrix product.

        Cut off instead of rounded, a partial sum loses less than a unit in its last place; and where several terms are added at
        once, each is cut off at the last place of the largest, which is twice that. Fasi, Higham, Mikaitis and Pranesh,
        "Numerical behavior of NVIDIA tensor cores", PeerJ Comput. Sci. 7 (2021).
        """
        return self.accumulation.unit_roundoff * (4.0 if self.truncates else 1.0)

    @property
    def elementwise_roundoff(self) -> float:
        """Relative error of one elementwise operation: (1+u)(1+u_op) - 1, bounded by u + 2u_op for u ≤ 1."""
        u = self.storage.unit_roundoff
        return u if self.opmath == self.storage else u + 2.0 * self.opmath.unit_roundoff

    @property
    def elementwise_underflow(self) -> float:
        """Absolute error of one elementwise product or quotient whose result is subnormal."""
        eta = self.storage.half_subnormal
        if self.opmath != self.storage:
            eta += self.opmath.half_subnormal
        return eta + (self.storage.smallest_normal if self.elementwise_flushes else 0.0)

    def met(self, call: KernelCall) -> Met:
        """The arithmetic of a call, about which the machine is asked if it was not met before. Raises UnsupportedNumerics."""
        kernel, rows, columns = call.kernel, call.rows, call.columns
        if self.service is None:
            apart = self.patched_rounds_before_bias if kernel in PATCHED else self.rounds_before_bias
            return Met(self.of(kernel, rows, columns), self.order(kernel, rows, columns), apart)
        facts = self.service.known(call)
        flushing = (self.flushing | {kernel}) if facts.flushes else self.flushing - {kernel}
        numerics = replace(self, accumulation=facts.accumulation, truncates=facts.truncates, flushing=flushing)
        if facts.whole:
            numerics = replace(numerics, operands=None, bias_is_an_operand=False)
        return Met(numerics, facts.order if self.refines(Refinement.SUMMATION_ORDER) else None, facts.apart)

    def of(self, kernel: str, rows: int, columns: int) -> "ErrorModel":
        """The arithmetic of a kernel at a shape: without a rounding of operands where it takes them whole."""
        return replace(self, operands=None, bias_is_an_operand=False) if KernelAt(kernel, rows, columns) in self.whole else self

    def order(self, kernel: str, rows: int, columns: int) -> Order | None:
        """The order in which a kernel sums at a shape, if it is known and may be used."""
        return self.orders.get(KernelAt(kernel, rows, columns)) if Refinement.SUMMATION_ORDER in self.refinements else None

    def refines(self, refinement: Refinement) -> bool:
        """Whether a refinement is switched on."""
        return refinement in self.refinements


def opmath_of(storage: Format) -> Format:
    """The format in which torch computes an elementwise operation (its ``opmath_t``): fp32 for the 16-bit formats."""
    return storage if storage.significand_bits >= 24 else format_named("fp32")


_FP64 = format_named("fp64")
FP64 = ErrorModel(_FP64, _FP64, _FP64, ALL_KERNELS, elementwise_flushes=False, rounds_before_bias=False, patched_rounds_before_bias=False, device="cpu")
"""A model of fp64 that asks nothing of the machine but what the probe demands of it: any order of sums, products that flush."""
