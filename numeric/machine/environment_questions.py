"""Whether single numbers are still computed as they were: the processor's rounding mode, flushing, and torch's own switches.

Both belong to the process, and any library may change them: ``fesetround`` (1 + u/2 becomes 1 + 2u), ``torch.set_flush_denormal`` (a subnormal
number becomes 0), a shorter format for fp32 products, autocast. The machine is asked before a measurement how it computes, and its answer holds only while
nothing is changed, so single numbers are asked again, with direct answers in every dtype:

- *Rounding*: 1 + u/2 and its negative go to ±1, 1 - u/4 to 1, 1 + 3u/2 to 1 + 2u; 1 ÷ 3, (1 + 2u)², and a product of matrices whose result is 1 + u/2.
- *Flushing*: 3η + η, λ - η, λ · ¼, of η the smallest subnormal number and λ the smallest normal one.

u is the unit roundoff. Every number above is exact in its dtype, and every answer is compared with one that is made of integers.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from numeric.formats import Format, format_named, torch_dtype

ASKED = tuple(format_named(name) for name in ("fp64", "fp32", "bf16", "fp16"))

SHARE = 2**15
"""Numbers that torch gives to one thread at least; with so many for each, all threads are asked."""

TO_NEAREST = 0
"""FE_TONEAREST of the C libraries."""


class ChangedArithmetic(Exception):
    """The process computes otherwise than when the machine was asked, or than a radius needs."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a process computes at a moment."""

    misrounded: tuple[str, ...]
    """The formats in which something was not rounded to nearest."""
    flushed: tuple[str, ...]
    """The formats in which a subnormal number became zero."""
    switches: dict[str, object]
    """torch's own, by name."""


def arithmetic_now(device: str) -> Arithmetic:
    """Ask single numbers.  device: ``cpu`` or ``cuda``."""
    numbers = SHARE * torch.get_num_threads() if torch.get_num_threads() > 1 else 64
    misrounded = [row.name for row in ASKED if _misrounds(row, device, numbers)]
    if not _python_rounds():
        misrounded.append("Python's float")
    return Arithmetic(
        tuple(misrounded), tuple(row.name for row in ASKED if _flushes(row, device, numbers)), {switch.name: switch.read() for switch in SWITCHES}
    )


@contextmanager
def undisturbed(device: str = "cpu") -> Iterator[Callable[[], None]]:
    """Measure with torch's plain switches; what is yielded asks whether anything has changed since. It is asked at the end in any case.

    Raises ChangedArithmetic at the beginning if fp64, in which radii are computed, does not round to nearest or flushes; and from then on if something
    has changed. What was changed is put back, so that later measurements are not spoiled: one that finds it changed nevertheless raises it in its turn.
    """
    with plain_switches(device):
        before = arithmetic_now(device)
        if before.misrounded or "fp64" in before.flushed:
            raise ChangedArithmetic(f"{_words(before)}, before anything was measured: a library of this process has changed how the processor computes")

        def ask() -> None:
            now = arithmetic_now(device)
            if now != before:
                raise ChangedArithmetic(f"{_difference(before, now)}: something has changed how this process computes, and nothing here is known of that")

        try:
            yield ask
        except Exception as error:
            now = arithmetic_now(device)
            if now != before and not isinstance(error, ChangedArithmetic):  # then that is why it broke
                raise ChangedArithmetic(f"{_difference(before, now)}: something has changed how this process computes, and it broke") from error
            raise
        else:
            ask()
        finally:
            _put_back(before)


@contextmanager
def plain_switches(device: str = "cpu") -> Iterator[None]:
    """fp32 products in full precision, no autocast, no inference mode, fp32 as the default dtype, no compiler; the process's own are put back.

    Compiled code runs as it was written: kernels that a compiler makes are none that the machine was asked about.

    Within it a mode of computing switches on what it asks for, and nothing else is on.
    """
    dtype, precision = torch.get_default_dtype(), _precision()
    with ExitStack() as switches:
        for kind in dict.fromkeys(("cpu", device)):
            switches.enter_context(torch.autocast(kind, enabled=False))
        switches.enter_context(torch.inference_mode(False))
        if "torch._dynamo" in sys.modules:  # nothing was compiled before it is there, and to load it takes seconds
            switches.enter_context(torch.compiler.set_stance("force_eager"))
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            _set_precision(precision)
            torch.set_default_dtype(dtype)


@contextmanager
def whole_products() -> Iterator[None]:
    """fp32 products in full precision, whatever the process has on, and under whatever ``autocast`` it runs: for radii."""
    precision = _precision()
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        if not _is_whole(precision):
            torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            if not _is_whole(precision):
                _set_precision(precision)


def _filled(value: float, row: Format, device: str, shape: tuple[int, ...]) -> Tensor:
    return torch.full(shape, value, dtype=torch_dtype(row), device=device)


def _misrounds(row: Format, device: str, numbers: int) -> bool:
    """Whether an operation of single numbers is rounded otherwise than to nearest."""
    u, p = row.unit_roundoff, row.significand_bits
    third = round(Fraction(2 ** (p + 1), 3)) / 2 ** (p + 1)  # integers, and a power of two
    sums = [(1.0, u / 2, 1.0), (-1.0, -u / 2, -1.0), (1.0, -u / 4, 1.0), (1.0, 1.5 * u, 1.0 + 2 * u)]
    one, three, above = (_filled(value, row, device, (numbers,)) for value in (1.0, 3.0, 1.0 + 2 * u))
    answers = [(_filled(x, row, device, (numbers,)) + _filled(y, row, device, (numbers,)), right) for x, y, right in sums]
    answers += [(one / three, third), (above * above, 1.0 + 4 * u)]
    line = torch.tensor([[1.0, u / 2]], dtype=torch.float64).to(device, torch_dtype(row))
    answers.append((line @ torch.ones_like(line).mT, 1.0))
    return any(bool((found.double() != right).any()) for found, right in answers)


def _flushes(row: Format, device: str, numbers: int) -> bool:
    """Whether an operation of single numbers loses a subnormal operand or result. Numbers are given and compared as bits, of which η is 1 and λ 2^(p-1)."""
    dtype, bits = torch_dtype(row), {8: torch.int64, 4: torch.int32, 2: torch.int16}[torch_dtype(row).itemsize]
    normal = 2 ** (row.significand_bits - 1)

    def of(pattern: int) -> Tensor:
        return torch.full((numbers,), pattern, dtype=bits, device=device).view(dtype)

    answers = [(of(3) + of(1), 4), (of(normal) - of(1), normal - 1), (of(normal) * _filled(0.25, row, device, (numbers,)), normal // 4)]
    return any(bool((found.view(bits) != right).any()) for found, right in answers)


def _python_rounds() -> bool:
    """The same of Python's own numbers, of which constants are made."""
    one, half, quarter = (2.0**exponent for exponent in (0, -54, -55))
    return one + half == 1.0 and -one - half == -1.0 and one - quarter == 1.0


Precision = tuple[str | None, ...]
"""How fp32 products are told to be computed: the word of torch's older function, None where only newer ones know it; then the newer ones' words."""


def _precision() -> Precision:
    try:
        word = torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set by the newer names alone, and torch refuses to answer by the older one
        word = None
    return (word, *(str(owner.fp32_precision) for owner in _owners()))


def _owners() -> list[Any]:
    """Where torch keeps how fp32 products are computed, since 2.9."""
    if not hasattr(torch.backends, "fp32_precision"):
        return []
    return [torch.backends, torch.backends.mkldnn, torch.backends.mkldnn.matmul, torch.backends.cuda.matmul]  # type: ignore[attr-defined]


def _is_whole(precision: Precision) -> bool:
    word, *newer = precision
    return word == "highest" and all(name in ("none", "ieee") for name in newer)


def _set_precision(found: Precision) -> None:
    word, *newer = found
    torch.set_float32_matmul_precision("highest" if word is None else word)
    for owner, name in zip(_owners(), newer, strict=True):
        owner.fp32_precision = name


@dataclass(frozen=True, slots=True)
class _Switch:
    """Something that torch can be told, and that what it computes may depend on."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _of_products(name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    products = torch.backends.cuda.matmul
    return lambda: getattr(products, name), lambda value: setattr(products, name, value)


SWITCHES = (
    _Switch("the precision of fp32 products", _precision, _set_precision),
    _Switch("reduced sums of bf16 products", *_of_products("allow_bf16_reduced_precision_reduction")),
    _Switch("reduced sums of fp16 products", *_of_products("allow_fp16_reduced_precision_reduction")),
    _Switch("autocast on a CPU", lambda: torch.is_autocast_enabled("cpu"), lambda value: torch.set_autocast_enabled("cpu", value)),
    _Switch("autocast on a GPU", lambda: torch.is_autocast_enabled("cuda"), lambda value: torch.set_autocast_enabled("cuda", value)),
    _Switch("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    _Switch("the demand for deterministic algorithms", torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    _Switch("the use of oneDNN", lambda: torch.backends.mkldnn.enabled, lambda value: setattr(torch.backends.mkldnn, "enabled", value)),
    _Switch("the number of threads", torch.get_num_threads, torch.set_num_threads),
)


def _words(found: Arithmetic) -> str:
    """What is wrong with it."""
    parts = []
    if found.misrounded:
        parts.append(f"{', '.join(found.misrounded)} operations are not rounded to nearest")
    if found.flushed:
        parts.append(f"subnormal numbers of {', '.join(found.flushed)} are flushed to zero")
    return " and ".join(parts)


def _difference(before: Arithmetic, now: Arithmetic) -> str:
    """What is otherwise now."""
    parts = []
    if (now.misrounded, now.flushed) != (before.misrounded, before.flushed):
        parts.append(_words(now) or "subnormal numbers are kept again")
    parts += [f"{name} is {value} and was {before.switches[name]}" for name, value in now.switches.items() if value != before.switches[name]]
    return "; ".join(parts)


def _put_back(before: Arithmetic) -> None:
    """The rounding mode and flushing of this thread, and torch's switches."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "fesetround"):
        libc.fesetround(TO_NEAREST)
    if not before.flushed:
        torch.set_flush_denormal(False)
    for switch in SWITCHES:
        if switch.read() != before.switches[switch.name]:
            switch.write(before.switches[switch.name])
