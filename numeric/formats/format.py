"""Floating-point formats: one row each, everything else derived.

A binary format with p significand bits (the hidden one counted) and exponents e_min..e_max holds the numbers
±m·2^(e-p+1) with integer 0 ≤ m < 2^p. Round to nearest commits a relative error of at most u = 2^-p above the smallest
normal number 2^e_min, and an absolute error of at most η/2 below it, η = 2^(e_min-p+1).
Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §2.1-2.2; IEEE 754-2019, §3; Open Compute Project,
"OCP 8-bit Floating Point Specification (OFP8)", 2023, Table 1; NVIDIA, "A100 Tensor Core GPU Architecture", 2020, for tf32.
"""

from dataclasses import dataclass

from symbolic.vocabulary import CallError, chosen


class UnknownFormat(CallError):
    """No format of that name."""


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format."""

    name: str
    title: str
    significand_bits: int
    """p, the hidden bit counted."""
    min_exponent: int
    """e_min: the smallest normal number is 2^e_min."""
    max_exponent: int
    """e_max: the largest finite number is just under 2^(e_max+1)."""
    dtype: str
    """The name of the torch dtype whose tensors hold such numbers."""
    native: bool = True
    """Whether torch computes in it; otherwise it is only what numbers are rounded to before or after a computation in that dtype."""
    reserved: int = 0
    """How many of the largest significands stand for something else: fp8 e4m3 has one NaN there, and no infinity."""

    @property
    def unit_roundoff(self) -> float:
        """U = 2^-p, the largest relative error of one rounding to nearest."""
        return 2.0**-self.significand_bits

    @property
    def smallest_normal(self) -> float:
        """λ = 2^e_min."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """η = 2^(e_min-p+1)."""
        return 2.0 ** (self.min_exponent - self.significand_bits + 1)

    @property
    def half_subnormal(self) -> float:
        """An upper bound of η/2, the absolute error of one rounding to a subnormal number: half of fp64's η is no float64, and η stands for it."""
        return max(self.smallest_subnormal / 2, 2.0**-1074)

    @property
    def largest(self) -> float:
        """Ω = (2 - 2^(1-p))·2^e_max, if no significand is reserved."""
        return (2.0 - (1 + self.reserved) * 2.0 ** (1 - self.significand_bits)) * 2.0**self.max_exponent


FORMATS = (
    Format("fp64", "IEEE 754 binary64", 53, -1022, 1023, "float64"),
    Format("fp32", "IEEE 754 binary32", 24, -126, 127, "float32"),
    Format("bf16", "bfloat16", 8, -126, 127, "bfloat16"),
    Format("fp16", "IEEE 754 binary16", 11, -14, 15, "float16"),
    Format("tf32", "TensorFloat-32: the operands of a product", 11, -126, 127, "float32", native=False),
    Format("fp8-e4m3", "OFP8 E4M3 (no infinity)", 4, -6, 8, "float32", native=False, reserved=1),
    Format("fp8-e5m2", "OFP8 E5M2", 3, -14, 15, "float32", native=False),
)


def format_named(name: str) -> Format:
    """The format of that name. Raises UnknownFormat."""
    return chosen({row.name: row for row in FORMATS}, [name], "format", UnknownFormat)[0]
