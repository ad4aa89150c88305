"""Rounding for readers never moves a number across a line that matters."""

import math

import pytest

from reports.text import numbers

INF, NAN = math.inf, math.nan
WRITTEN = {
    numbers.real: [
        *((None, "–"), (0.0, "0"), (0.123456, "0.123"), (1234.5, "1,234"), (-2.5, "−2.50"), (999_999.0, "1.00 × 10⁶")),
        *((3.2e-22, "3.20 × 10⁻²²"), (5e-324, "4.94 × 10⁻³²⁴"), (INF, "∞"), (-INF, "−∞"), (NAN, "NaN")),
    ],
    # A ratio is never rounded to one.
    numbers.ratio: [(0.12, "0.12"), (0.999, "0.999"), (0.99996, "0.99996"), (1.0, "1.00"), (1.0004, "1.0004"), (5.1, "5.1"), (NAN, "NaN"), (0.0, "0")],
    numbers.power_of_two: [
        *((1.0, "2⁰"), (0.999, "2⁰"), (2.0**-72, "2⁻⁷²"), (2.0**-72.44, "2⁻⁷²·⁴"), (5e-324, "2⁻¹⁰⁷⁴")),
        *((0.0, "0"), (INF, "∞"), (NAN, "NaN")),
    ],
    numbers.words: [("NormUnderflow", "norm underflow"), ("Singular", "singular"), ("‖a‖² = 0", "‖a‖² = 0"), ("no FMA", "no FMA")],
    # As computers write them.
    numbers.scientific: [(2.0**-52, "2.22e-16"), (1.0, "1.00e+00"), (-3.5e120, "-3.50e+120"), (0.0, "0.00e+00"), (INF, "∞"), (NAN, "NaN"), (None, "–")],
    numbers.binary_exponent: [(2.0**-52, "−52.0"), (1.0, "0.0"), (3.0, "1.6"), (5e-324, "−1074.0"), (0.0, "–"), (INF, "–"), (NAN, "–")],
}


@pytest.mark.parametrize(("write", "given", "text"), [(write, *row) for write, rows in WRITTEN.items() for row in rows])
def test_it_is_written_as_by_hand(write, given, text):
    assert write(given) == text


def test_the_neighbours_of_one_do_not_look_like_one():
    for number in (math.nextafter(1, 0), math.nextafter(1, 2)):
        assert float(numbers.ratio(number)) == number


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 10, "0 %"), (1, 10_000, "<1 %"), (9_999, 10_000, ">99 %"), (10, 10, "100 %"), (1, 3, "33 %"), (0, 0, "–")]
)
def test_a_share_is_all_or_nothing_only_when_it_is(part, whole, text):
    assert numbers.share(part, whole) == text


def test_counts_and_durations():
    assert [numbers.counted(number, "cell") for number in (0, 1, 131_072)] == ["0 cells", "1 cell", "131,072 cells"]
    assert [numbers.seconds(duration) for duration in (0.042, 12.34, 250.0)] == ["0.042 s", "12.3 s", "4 min 10 s"]


@pytest.mark.parametrize(
    ("number", "places", "text"),
    [(0.25, 3, "0.250"), (1234.56, 1, "1,234.6"), (1.0, 3, "1.000"), (0.0, 3, "0.000"), (-0.5, 1, "−0.5"), (INF, 1, "∞"), (None, 1, "–")],
)
def test_numbers_of_one_column(number, places, text):
    assert numbers.fixed(number, places) == text


@pytest.mark.parametrize(("number", "places"), [(0.99996, 3), (1.00004, 3), (0.00004, 3), (1.04, 1), (0.04, 1)])
def test_a_column_makes_no_number_look_like_a_0_or_a_1(number, places):
    """Rounded to the column's places, as f-strings do, each of these would."""
    assert float(f"{number:.{places}f}") in (0, 1)
    shown = numbers.fixed(number, places).replace(" × 10⁻⁵", "e-5")
    assert float(shown) not in (0, 1)
    assert (float(shown) < 1) is (number < 1)
