"""How a machine computes in a format: what it accumulates in, and what it flushes.

A bound is only as true as its model of the machine, so the model is taken from probes (``probe.py``), never from a
flag or a manual. Every field that makes the model weaker makes the bound wider.
"""

from dataclasses import dataclass

from numeric.formats import Format


@dataclass(frozen=True, slots=True)
class Numerics:
    """A storage format together with what the kernels do between two stored numbers."""

    storage: Format
    accumulation: Format
    """The format of partial sums in a matrix product; ``storage`` itself unless the probe showed a wider one."""
    opmath: Format
    """The format in which an elementwise operation is computed before it is rounded to storage."""
    product_flushes: bool
    """Whether a matrix product may read or write subnormal numbers as zero."""
    elementwise_flushes: bool
    """Whether an elementwise operation may."""
    bias_rounded_apart: bool
    """Whether a dense layer may round Wx to storage before it adds the bias."""
    patched_bias_rounded_apart: bool
    """The same of a dense layer that takes a weight or a bias of its own for each case."""
    device: str

    @property
    def name(self) -> str:
        """E.g. ``bf16+fp32``: stored in bf16, accumulated in fp32."""
        wide = "" if self.accumulation == self.storage else f"+{self.accumulation.name}"
        return self.storage.name + wide

    @property
    def product_is_wide(self) -> bool:
        """Whether a product of two stored numbers is exact in the accumulator."""
        return self.accumulation.significand_bits >= 2 * self.storage.significand_bits

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
