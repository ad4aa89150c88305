"""Rounding for readers never moves a number across a line that matters."""

import math

import pytest

from reports import numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.123456, "0.123"),
        (1234.5, "1,234"),
        (-2.5, "−2.50"),
        (999_999.0, "1.00 × 10⁶"),
        (3.2e-22, "3.20 × 10⁻²²"),
        (5e-324, "4.94 × 10⁻³²⁴"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
    ],
)
def test_real(number, text):
    assert numbers.real(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.12, "0.12"), (0.999, "0.999"), (0.99996, "0.99996"), (1.0, "1.00"), (1.0004, "1.0004"), (5.1, "5.1"), (math.nan, "NaN"), (0.0, "0")]
)
def test_a_ratio_is_never_rounded_to_one(number, text):
    assert numbers.ratio(number) == text


def test_the_neighbours_of_one_do_not_look_like_one():
    for number in (math.nextafter(1, 0), math.nextafter(1, 2)):
        assert float(numbers.ratio(number)) == number


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 10, "0 %"), (1, 10_000, "<1 %"), (9_999, 10_000, ">99 %"), (10, 10, "100 %"), (1, 3, "33 %"), (0, 0, "–")]
)
def test_a_share_is_all_or_nothing_only_when_it_is(part, whole, text):
    assert numbers.share(part, whole) == text


POWERS = [(1.0, "2⁰"), (0.999, "2⁰"), (2.0**-72, "2⁻⁷²"), (2.0**-72.44, "2⁻⁷²·⁴"), (5e-324, "2⁻¹⁰⁷⁴"), (0.0, "0"), (math.inf, "∞"), (math.nan, "NaN")]


@pytest.mark.parametrize(("number", "text"), POWERS)
def test_power_of_two(number, text):
    assert numbers.power_of_two(number) == text


@pytest.mark.parametrize(("name", "text"), [("NormUnderflow", "norm underflow"), ("Singular", "singular"), ("‖a‖² = 0", "‖a‖² = 0"), ("no FMA", "no FMA")])
def test_a_reason_in_words(name, text):
    assert numbers.words(name) == text


def test_counts_and_durations():
    assert [numbers.counted(number, "cell") for number in (0, 1, 131_072)] == ["0 cells", "1 cell", "131,072 cells"]
    assert [numbers.seconds(duration) for duration in (0.042, 12.34, 250.0)] == ["0.042 s", "12.3 s", "4 min 10 s"]
