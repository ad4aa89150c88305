"""A reference that lies is not used."""

import pytest
from flint import arb

from numeric.arithmetics import balls, check_reference, intervals
from numeric.arithmetics.balls import UnusableReference


def test_the_reference_of_this_machine_passes_its_own_test(monkeypatch: pytest.MonkeyPatch) -> None:
    check_reference()
    monkeypatch.setattr(balls, "version", lambda name: "0.8.0")
    with pytest.raises(UnusableReference, match=r"0\.8\.0 is too old"):
        check_reference()


@pytest.mark.parametrize("lie", [lambda x: arb(x) + 1, lambda x: arb(x, 1), lambda x: arb(abs(x))], ids=["shifted", "all too wide", "without its sign"])
def test_a_reference_that_lies_is_found(lie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balls, "arb", lie)
    with pytest.raises(UnusableReference, match="self-test"):
        check_reference()


def test_intervals_that_lie_are_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "overlaps", lambda found, ball: True)
    with pytest.raises(UnusableReference, match="mpmath"):
        check_reference()


def test_an_interval_and_a_ball_of_one_number_overlap_however_small_it_is() -> None:
    with intervals.working():
        for exponent in (-1074, -500, 0, 500):
            x = 2.0**exponent * 1.5 if exponent > -1074 else 2.0**-1074
            ((third,),) = (intervals.interval([[x]]) / 3.0).rows
            assert intervals.overlaps(third, arb(x) / 3)
            assert not intervals.overlaps(third, arb(x) / 3 * (1 + arb(2) ** -100))
            assert not intervals.overlaps(-third, arb(x) / 3)
