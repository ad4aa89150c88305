"""No two things are shown alike, nothing reads like an expression that is none, and what a name is short for is written out."""

import pytest

from symbolic.terms import Application, Family, Symbol
from symbolic.terms.binding import slope
from symbolic.terms.families import LAST, STEP, member, recursive_term
from symbolic.terms.legend import Legend, ShownAlike
from symbolic.terms.term import Defined, Trace
from tests.symbolic.symbolic_strategies import SYMBOLS

A, B, x, y = (SYMBOLS[name] for name in "ABxy")
P = Family("p", "d", "1")


def applied(name, text):
    return Application(name, (x,), ("d", "1"), text, text)


def summed(text, summand):
    return recursive_term(text, text, LAST, lambda: x - x, lambda previous, i: previous + summand)


@pytest.mark.parametrize(
    "pair",
    [
        (x, Symbol("z", ("d", "1"), "x", "x")),
        (x, Defined("x", "x", y)),
        (Defined("v", "v", x), Defined("v", "v", y)),
        (applied("f", "f"), applied("g", "f")),
        (Defined("v", "v", applied("f", "y")), y),
        (summed("S", x), summed("S", y)),
        (summed("p", x), member(P, LAST)),
        (Symbol("q", ("d", "1"), "pᵢ", "p_i"), member(P, STEP)),
    ],
)
def test_two_things_are_not_shown_alike(pair):
    legend = Legend()
    legend.add(pair[0])
    legend.add(pair[0])
    with pytest.raises(ShownAlike, match="is shown for two things"):
        legend.add(pair[1])


@pytest.mark.parametrize("text", ["Aᵀ", "A x", "-x", "0", "1/2", "", "‖x‖", "x = y", "[x", "rank", "⊙", "√", "tr"])
def test_a_name_does_not_read_like_an_expression(text):
    with pytest.raises(ShownAlike, match="reads like"):
        Legend().add(Symbol("z", ("d", "1"), text, "z"))


@pytest.mark.parametrize("text", ["A(C,x)", "A(c₁..cᵢ₊₁, x)", "W′", "ΔW_g", "f_θ", "N̂", "x₁"])
def test_a_name_may_be_an_elaborate_one(text):
    Legend().add(Symbol("z", ("d", "1"), text, "z"))


def test_the_variable_of_a_gradient_may_be_shown_like_something_outside_and_not_like_something_inside():
    """∇_A(tr(A)) A is usual; ∇_A(tr(A B)) with the variable in place of B, and with the free A, would read like another thing."""
    Legend().add(slope(Trace, B, "A", "A") @ A)
    with pytest.raises(ShownAlike):
        Legend().add(slope(lambda X: Trace(A @ X), B, "A", "A"))


def test_what_names_are_short_for_is_written_out():
    legend = Legend()
    legend.add(Defined("δ", r"\delta", Defined("v", "v", A @ x) - y) + summed("S", y))
    assert list(legend.definitions) == ["v = A x", "δ = v - y", "S₀ = x - x", "Sₖ = Sₖ₋₁ + y"]
    assert legend.definitions["δ = v - y"] == r"\delta = v - y"
