"""How wrong the elementary functions of the libraries may be, in units in the last place: a table of assumptions.

ulp(y) = max(2v·ufp(y), η) for the exact result y, v the roundoff and η the smallest subnormal number of the format in which
the function is evaluated: fp32 for the 16-bit formats, whose rows speak of the fp32 evaluation before its one rounding, with one exception.
Nothing here is proved: a row repeats what a library's documentation says, and ``library_probe.py`` confirms it by asking.

A kernel that computes a whole activation has an elementary function of its own inside it, often another one than the
function of that name: "erf of gelu" is a row of its own. Its error counts in units in the last place of 1.

Sources:

- oneMKL, "Vector Mathematics Performance and Accuracy Data": the mode HA, torch's, errs by at most 1 ulp. A square root, too,
  is one of its functions and need not be the correctly rounded one of IEEE 754 (it is not, by the probe: 0.75 ulps in fp32).
- SLEEF, "List of functions": a name that ends in u10 errs by at most 1.0 ulp, one in u35 by 3.5 ulps.
- CUDA C++ Programming Guide, "Mathematical Functions", tables of maximum ulp errors; a 0 there is IEEE 754's half an ulp.
- ATen's vec headers: ``exp_u20`` ("ULP=20"; it gives 0 where e^t is subnormal), and an fp32 erf by Abramowitz and Stegun, 7.1.26,
  whose absolute error is 1.5e-7, or 1.3 units in the last place of 1, to which five fused steps of Horner's scheme and a division add theirs.
- oneDNN's GELU: polynomials, one an interval, with no error documented. Of all fp32 numbers of magnitude 2^-6 to 8, the worst that was
  found errs by 5.8 units in the last place of 1 (x = -2.9732, with AVX-512); the row has a third more, and ``pytest -m soak`` asks all of them again.
- The C library, which scalar code calls, promises nothing: the GNU manual lists the errors that its own tests have shown. What was found of glibc 2.36
  in fp64, of 200,000 draws each: exp 0.51 ulps, erf 0.43 and tanh 0.84 units in the last place of 1 (tanh 2.1 ulps of its own, near 0.23).

A row holds for every code that a library may choose by how operands lie. GELU of fp32 is oneDNN's on whole contiguous tensors; ATen's vector code, with that
erf, column by column (5.5 units at x = 0.0424, its other roundings included); the C library's erf where entries lie apart (1.8). The probe asks in all layouts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from symbolic.vocabulary import CallError


class UnknownElementaryFunction(CallError):
    """No assumption is on record for that function, device and format."""


@dataclass(frozen=True, slots=True)
class ElementaryError:
    """One assumption."""

    function: str
    """The function, or the part of a kernel that stands for it."""
    device: str
    """``cpu`` or ``cuda``."""
    format: str
    """The storage format."""
    ulps: float
    """The largest error, in units in the last place of the exact result."""
    source: str
    """Who says so."""
    of_one: bool = False
    """Whether it counts in units in the last place of 1 instead."""
    in_storage: bool = False
    """Whether the function is evaluated in the storage format itself, whose ulps are meant then: what it computes on the way is stored."""
    flushes: bool = False
    """Whether the kernel may take what is subnormal in the format of computation for zero, whatever the machine does elsewhere.

    The conversion from fp32 to bf16 of AVX512-BF16 does, and every kernel of bf16 columns may use it. (Seen in oneDNN's GELU.)
    """


MKL = "oneMKL VM accuracy data, HA: 1 ulp; SLEEF u10: 1 ulp"
SLEEF = "SLEEF u10: 1 ulp"
WAVES = "SLEEF u35: 3.5 ulps, which ATen's vec headers call; oneMKL VM, HA: 1 ulp"
CUDA = "CUDA C++ Programming Guide, maximum ulp errors"
POLYNOMIALS = "SLEEF u10 in fp64; in fp32 the largest error found among all numbers of magnitude 2^-6 to 8, and a third more: oneDNN documents none"
STEGUN = "ATen's vec headers: Abramowitz and Stegun 7.1.26, evaluation included"
DIVIDED_ROOT = "ATen: 1/sqrt(x), two IEEE 754 operations, relative error (1+v)/(1-v) - 1: the division's half ulp and at most 1 from the root"
U20 = "ATen exp_u20: 20 ulps, below the smallest normal number 0"
WIDE, NARROW = ("fp64", "fp32"), ("bf16", "fp16")


def _rows(function: str, device: str, ulps: tuple[float, float], source: str, *, of_one: bool = False) -> Iterator[ElementaryError]:
    """The rows of one function.  ulps: evaluated in fp64, in fp32."""
    for name in (*WIDE, *NARROW):
        kernel = " of " in function and device == "cpu"
        yield ElementaryError(function, device, name, ulps[0] if name == "fp64" else ulps[1], source, of_one, flushes=kernel and name == "bf16")


def _erf() -> Iterator[ElementaryError]:
    """On a CPU: a library's for the wide formats; the vec headers' own for the narrow ones, which is absolute, so a tiny erf(x) has no correct digit."""
    for name in WIDE:
        yield ElementaryError("erf", "cpu", name, 1.0, MKL)
    for name in NARROW:
        yield ElementaryError("erf", "cpu", name, 5.0, STEGUN, of_one=True)


def _rsqrt() -> Iterator[ElementaryError]:
    """On a CPU: the scalar tail of a 16-bit tensor, and all of a short one, stores the square root before it divides."""
    for name in WIDE:
        yield ElementaryError("rsqrt", "cpu", name, 2.0, DIVIDED_ROOT)
    for name in NARROW:
        yield ElementaryError("rsqrt", "cpu", name, 2.0, DIVIDED_ROOT + ", in storage", in_storage=True)


def _exp_of(kernel: str) -> Iterator[ElementaryError]:
    """The exponential inside a CPU kernel: the kernels of the 16-bit formats may take the quick one."""
    for name in (*WIDE, *NARROW):
        quick = name in NARROW
        yield ElementaryError(f"exp of {kernel}", "cpu", name, 20.0 if quick else 1.0, U20 if quick else MKL, flushes=quick)


ELEMENTARY_ERRORS = (
    *_rows("exp", "cpu", (1.0, 1.0), MKL),
    *_erf(),
    *_rows("tanh", "cpu", (1.0, 1.0), MKL),
    *_rows("sqrt", "cpu", (1.0, 1.0), MKL),
    *_rsqrt(),
    *_rows("rsqrt of normalisation", "cpu", (2.0, 2.0), DIVIDED_ROOT),
    *_rows("sigmoid", "cpu", (4.0, 4.0), "ATen: 1/(1 + exp(-x)), e^-x to 1 ulp and two roundings: a relative error of 4v + O(v^2), under 4 ulps"),
    *_rows("exp2", "cpu", (1.0, 1.0), SLEEF),
    *_rows("expm1", "cpu", (1.0, 1.0), MKL),
    *_rows("log", "cpu", (1.0, 1.0), MKL),
    *_rows("log2", "cpu", (1.0, 1.0), MKL),
    *_rows("log1p", "cpu", (1.0, 1.0), MKL),
    *_rows("sin", "cpu", (3.5, 3.5), WAVES),
    *_rows("cos", "cpu", (3.5, 3.5), WAVES),
    *_rows("pow", "cpu", (1.0, 1.0), SLEEF),
    *_exp_of("softmax"),
    *_exp_of("silu"),
    *_rows("erf of gelu", "cpu", (1.0, 8.0), POLYNOMIALS, of_one=True),
    *_rows("tanh of gelu", "cpu", (1.0, 1.0), MKL, of_one=True),
    *_rows("exp", "cuda", (1.0, 2.0), CUDA),
    *_rows("erf", "cuda", (2.0, 2.0), CUDA),
    *_rows("tanh", "cuda", (2.0, 2.0), CUDA),
    *_rows("sqrt", "cuda", (0.5, 0.5), CUDA + " (0 of them: correctly rounded)"),
    *_rows("rsqrt", "cuda", (1.0, 2.0), CUDA),
    *_rows("rsqrt of normalisation", "cuda", (1.0, 2.0), CUDA),
    *_rows("sigmoid", "cuda", (4.0, 6.0), "1/(1 + exp(-x)): that of exp, and two roundings"),
    *_rows("exp2", "cuda", (1.0, 2.0), CUDA),
    *_rows("expm1", "cuda", (1.0, 1.0), CUDA),
    *_rows("log", "cuda", (1.0, 1.0), CUDA),
    *_rows("log2", "cuda", (1.0, 1.0), CUDA),
    *_rows("log1p", "cuda", (1.0, 1.0), CUDA),
    *_rows("sin", "cuda", (2.0, 2.0), CUDA),
    *_rows("cos", "cuda", (2.0, 2.0), CUDA),
    *_rows("pow", "cuda", (2.0, 4.0), CUDA),
    *_rows("exp of softmax", "cuda", (1.0, 2.0), CUDA),
    *_rows("exp of silu", "cuda", (1.0, 2.0), CUDA),
    *_rows("erf of gelu", "cuda", (10.0, 10.0), CUDA + ": erf 2 ulps, or normcdf 5 ulps, which counts twice in erf(t) = 2 Phi - 1", of_one=True),
    *_rows("tanh of gelu", "cuda", (2.0, 2.0), CUDA, of_one=True),
)
"""Every assumption."""


def elementary_error(function: str, device: str, storage: str) -> ElementaryError:
    """The assumption about a function.  storage: a format's name. Raises UnknownElementaryFunction."""
    for row in ELEMENTARY_ERRORS:
        if (row.function, row.device, row.format) == (function, device, storage):
            return row
    known = ", ".join(dict.fromkeys(row.function for row in ELEMENTARY_ERRORS if (row.device, row.format) == (device, storage)))
    raise UnknownElementaryFunction(
        f'nothing is on record for "{function}" on {device} in {storage}; there are rows for: {known or "nothing"}. Add one to ELEMENTARY_ERRORS.'
    )
