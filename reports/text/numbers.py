"""Numbers for readers. Rounding never moves a number across a line that matters: 0.99996 is not shown as 1, nor 0.02 % as 0 %."""

import math
import re
from collections.abc import Iterable
from fractions import Fraction

_SUPERSCRIPTS = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")

LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹·", "−0123456789.")
"""For ``str.translate``: superscripts as the figures that a page or a picture raises by itself."""


def count(number: int) -> str:
    """131072 as 131,072."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: 1 cell, 2 cells."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def real(number: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, in decimal notation where that is short; ∞, NaN, and – for None."""
    if number is None:
        return "–"
    special = _not_finite(number)
    if special:
        return special
    if number == 0:
        return "0"
    exponent = math.floor(math.log10(abs(number)))
    text = f"{number:.{digits - 1}e}"
    mantissa, exponent = text.split("e")[0], int(text.split("e")[1])
    if -4 < exponent < 6:
        return f"{number:,.{max(0, digits - 1 - exponent)}f}".replace("-", "−")
    return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPTS)}".replace("-", "−")


def scientific(number: float | None) -> str:
    """A number as computers write it, 2.22e-16, with two figures in the exponent if they are enough: in a column the points stand above each other."""
    if number is None:
        return "–"
    return _not_finite(number) or f"{number:.2e}"


def fixed(number: float | None, places: int) -> str:
    """A number with so many places behind its point, for a column; with more where it would look like a 0 or a 1 that it is not."""
    if number is None or not math.isfinite(number):
        return real(number)
    text = f"{number:,.{places}f}"
    return ratio(number) if number not in (0, 1) and float(text.replace(",", "")) in (0, 1) else text.replace("-", "−")


def ratio(number: float | None) -> str:
    """Error over bound, with as many digits as it takes not to be mistaken for 1."""
    if number is None or not math.isfinite(number) or number == 1:
        return real(number)
    return next(text for digits in range(2, 18) if (text := real(number, digits)) and not _looks_like_one(text))


def share(part: int, whole: int) -> str:
    """A percentage that says 0 % only of none and 100 % only of all."""
    if whole == 0:
        return "–"
    exact = Fraction(100 * part, whole)
    if 0 < exact < 1:
        return "<1 %"
    if 99 < exact < 100:
        return ">99 %"
    return f"{round(exact)} %"


def power_of_two(number: float) -> str:
    """The number as a power of two, to a tenth in the exponent: 2⁻⁷²."""
    special = _not_finite(number)
    if special or number <= 0:
        return special or real(number)
    return two_to(math.log2(number))


def binary_exponent(number: float) -> str:
    """The power to which 2 is the number, to a tenth: −52.0 for the unit roundoff of float64, with its sign as a minus."""
    return f"{math.log2(number):.1f}".replace("-", "−") if 0 < number < math.inf else "–"


def two_to(exponent: float) -> str:
    """2 to a power, where the power itself may be too small or too large for a float."""
    text = f"{round(exponent, 1) + 0.0:.1f}".removesuffix(".0")  # + 0.0 turns -0.0 into 0.0
    return f"2{text.translate(_SUPERSCRIPTS)}"


def seconds(duration: float) -> str:
    """A duration: 0.04 s, 12.3 s, 4 min 10 s."""
    if duration < 60:
        return f"{real(duration, 2 if duration < 10 else 3)} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s"


def words(name: str) -> str:
    """A reason's name in words, NormUnderflow as norm underflow; anything that is not such a name as it is."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() if re.fullmatch(r"([A-Z][a-z]+)+", name) else name


def joined(parts: Iterable[str]) -> str:
    """Parts of a sentence: "a", "a and b", "a, b and c"; nothing for none."""
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _looks_like_one(text: str) -> bool:
    return text.strip("0") in ("1.", "1", ".") or text == "1"


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "" if math.isfinite(number) else "∞" if number > 0 else "−∞"
