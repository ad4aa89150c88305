"""False statements that no instance up to size 3 shows, each made for one way in which a prover may take two things for one.

A factor (t-1)(t-2)(t-3), where t is a size or n, hides each from small instances; the derivation has to fail by itself.
"""

from collections.abc import Callable
from typing import Any

from symbolic.claim import Claim
from symbolic.statements import Formula, Function, Hypothesis, Matrix
from symbolic.terms import Family

X = Matrix("x", "d", "1")
Q, P = Family("q", "d", "1"), Family("p", "d", "1")


def finished(v: Any, d: Any) -> None:
    d.start()
    d.finish()


def statement(left: Any, right: Any, proof: Any = finished, **parts: Any) -> Claim:
    given = {"symbols": (X,), "hypotheses": (), "mutants": (), "scope": "all sizes, all n", **parts}
    return Claim(id="false", title="false", source="a trial", statement=Formula("x", "x"), left=left, right=right, proof=proof, **given)


def at_large_sizes(v: Any) -> Any:
    """Zero if d is 1, 2 or 3."""
    d = v.trace(v.identity("d"))
    return (d - 1) * (d - 2) * (d - 3)


def at_large_n(v: Any) -> Any:
    """Zero if n is 1, 2 or 3."""
    n = v.recursive("t", "t", v.n, lambda: v.number(0), lambda previous, i: previous + 1)
    return (n - 1) * (n - 2) * (n - 3)


def last(v: Any, k: Any, letter: Any = None) -> Any:
    """q_k by a recursion; of a given letter j the sequence that is q_j from its second member on."""
    return v.recursive("U", "U", k, lambda: v.zero("d"), lambda previous, i: v.q(i if letter is None else letter))


def total(v: Any, k: Any, summand: Callable[[Any], Any], name: str = "S") -> Any:
    return v.recursive(name, name, k, lambda: v.zero("d"), lambda previous, i: previous + summand(i))


def captured_by_a_recursion() -> Claim:
    """q_n = q_i: the sequence that is constantly q_i is not the sequence q."""

    def proof(v: Any, d: Any) -> None:
        d.part(0)
        finished(v, d)
        d.part(1)

        def both(k: Any) -> Any:
            return last(v, k), last(v, k, k)

        def step(at: Any) -> None:
            d.chain(both(at)[0], "by definition")
            d.then(both(at)[1], "by definition")

        d.induction("U = q", both, lambda: step(v.start), step)
        finished(v, d)

    return statement(
        lambda v: tuple(at_large_n(v) * last(v, v.n) for _ in v.indices),
        lambda v: tuple(at_large_n(v) * last(v, v.n, k) for k in v.indices),
        proof,
        families=(Q,),
    )


def captured_by_an_induction() -> Claim:
    """q_1 + ... + q_n = q_i + ... + q_i: the statement mentions an i, and the induction's is another."""

    def proof(v: Any, d: Any) -> None:
        i, _ = v.indices

        def both(k: Any) -> Any:
            return total(v, k, v.q), total(v, k, lambda _: v.q(i))

        def step(k: Any) -> None:
            d.chain(both(k)[0], "by definition")
            d.then(both(k - 1)[0] + v.q(k), "by definition")
            d.then(both(k - 1)[1] + v.q(k), "for k - 1")
            d.then(both(k)[1], "by definition")

        d.induction("the sums", both, lambda: d.chain(v.zero("d"), "empty"), step)
        for part in (0, 1):
            d.part(part)
            finished(v, d)

    return statement(
        lambda v: tuple(at_large_n(v) * total(v, v.n, v.q) for _ in v.indices),
        lambda v: tuple(at_large_n(v) * total(v, v.n, lambda _, k=k: v.q(k)) for k in v.indices),
        proof,
        families=(Q,),
    )


def captured_by_a_case_distinction() -> Claim:
    """All q are zero or none is: what one case says of q_i is not known of the induction's q_i, neither that it is not zero nor that it is."""

    def product(v: Any, name: str, factor: Callable[[Any], Any], k: Any) -> Any:
        return v.recursive(name, name, k, lambda: v.number(1), lambda previous, i: previous @ v.nonzero(factor(i)))

    def proof(v: Any, d: Any) -> None:
        here, _ = v.indices
        for vanishes in d.dichotomy("", "", v.nonzero(v.q(here)), zero=(v.nonzero(v.q(here)), v.number(0))):
            name, factor = ("Z", lambda k: v.number(1) - v.nonzero(v.q(k))) if vanishes else ("N", v.q)
            if vanishes:
                d.nonzero_by_map(factor(here), lambda x: x, v.number(1), "in this case it is 1")
            else:
                d.nonzero_by_map(v.q(here), v.nonzero, v.nonzero(v.q(here)), "of 0 it would be 0")

            def step(k: Any, name: str = name, factor: Callable[[Any], Any] = factor) -> None:
                d.chain(product(v, name, factor, k), "by definition")
                d.then(product(v, name, factor, k - 1), "the factor is 1 in this case")
                d.then(v.number(1), "for k - 1")

            both = lambda k, name=name, factor=factor: (product(v, name, factor, k), v.number(1))  # noqa: E731 - one line, used once
            d.induction("the product is 1", both, lambda: d.chain(v.number(1), "empty"), step)
            finished(v, d)

    return statement(
        lambda v: at_large_n(v) * (product(v, "N", v.q, v.n) - 1) * (product(v, "Z", lambda k: v.number(1) - v.nonzero(v.q(k)), v.n) - 1),
        lambda v: v.number(0),
        proof,
        families=(Q,),
    )


def one_index_for_every() -> Claim:
    """Every q_k is other than zero if q_1 and q_n are: a hypothesis about the first of the indices is none about all of them."""

    def proof(v: Any, d: Any) -> None:
        for part in (0, 1):
            d.part(part)
            finished(v, d)

    ends = Hypothesis("the ends", "e", nonzero=lambda v: [v.q(next(iter(v.indices))), v.q(v.n)])
    return statement(
        lambda v: tuple(at_large_n(v) * v.nonzero(v.q(k)) for k in v.indices),
        lambda v: tuple(at_large_n(v) for k in v.indices),
        proof,
        families=(Q,),
        hypotheses=(ends,),
    )


def family_and_recursion() -> Claim:
    """p_(n-1) + q_n with the sum of the q shown as p, and with a family p: they are not one."""
    return statement(
        lambda v: at_large_sizes(v) * total(v, v.n, v.q, "p"),
        lambda v: at_large_sizes(v) * v.recursive("p", "p", v.n, lambda: v.zero("d"), lambda previous, i: v.p(i - 1) + v.q(i)),
        families=(P, Q),
    )


def sums_of_sums() -> Claim:
    """Σ_k (q_k ⊙ Σ_l q_k) = Σ_k (q_k ⊙ Σ_l q_l): the inner index is not the outer one."""
    return statement(
        lambda v: at_large_n(v) * total(v, v.n, lambda k: v.q(k) * total(v, v.n, lambda _: v.q(k))),
        lambda v: at_large_n(v) * total(v, v.n, lambda k: v.q(k) * total(v, v.n, v.q)),
        families=(Q,),
    )


def nested_gradients() -> Claim:
    """∇_X tr(C ∇_Y tr(YX)) = 0: the inner letter is not the outer one, and the gradient is C."""

    def outer(v: Any) -> Any:
        return v.gradient(lambda X: v.trace(v.C @ v.gradient(lambda Y: v.trace(Y @ X), v.B, "X", "X")), v.A, "X", "X")

    symbols = tuple(Matrix(name, "d", "d") for name in "ABC")
    return statement(lambda v: at_large_sizes(v) * outer(v), lambda v: v.zero("d", "d"), symbols=symbols)


def hidden_in_a_sequence() -> Claim:
    """∇_X tr(X + ... + X) = 0: a sequence that is defined by the variable depends on it."""

    def slope(v: Any) -> Any:
        return v.gradient(lambda X: v.trace(v.recursive("S", "S", v.n, lambda: v.zero("d", "d"), lambda previous, i: previous + X)), v.A, "X", "X")

    return statement(lambda v: at_large_n(v) * slope(v), lambda v: v.zero("d", "d"), symbols=(Matrix("A", "d", "d"),), families=(Q,))


def fact_of_a_bound_letter() -> Claim:
    """∇_X tr(XᵀX) = 0 at A: that the variable is zero in one case is not known of the point."""

    def slope(v: Any) -> Any:
        return v.gradient(lambda X: v.trace(X.mT @ X), v.A, "X", "X")

    def proof(v: Any, d: Any) -> None:
        variable = slope(v).variable
        for vanishes in d.dichotomy("X", "X", variable, zero=(variable, v.zero("d", "d"))):
            if not vanishes:
                d.chain(v.zero("d", "d"), "of nothing")
            finished(v, d)

    return statement(lambda v: at_large_sizes(v) * slope(v), lambda v: v.zero("d", "d"), proof, symbols=(Matrix("A", "d", "d"),))


def map_that_looks() -> Claim:
    """[y ≠ 0] = 1 for every y: a map that treats zero otherwise shows nothing."""

    def proof(v: Any, d: Any) -> None:
        d.nonzero_by_map(v.y, lambda y: v.zero("d") if y == v.zero("d") else v.x, v.x, "a map of zero to zero")
        finished(v, d)

    nonzero = Hypothesis("x ≠ 0", r"x \neq 0", nonzero=lambda v: v.x)
    return statement(lambda v: at_large_sizes(v) * v.nonzero(v.y), at_large_sizes, proof, symbols=(X, Matrix("y", "d", "1")), hypotheses=(nonzero,))


def called(name: str, left: Any, right: Any) -> Callable[[], Claim]:
    """Any function of that name is the operation of that name."""

    def claim() -> Claim:
        f = Function(name, "1", "1", name, name, concrete=lambda x, *_: x.mT @ x)
        return statement(
            lambda v: at_large_sizes(v) * left(v._named[name], v),
            lambda v: at_large_sizes(v) * right(v._named[name], v),
            functions=(f,),
            hypotheses=(Hypothesis("x ≠ 0", r"x \neq 0", nonzero=lambda v: v.x),),
        )

    return claim


MISTAKEN: dict[str, Callable[[], Claim]] = {
    **{
        made.__name__: made
        for made in (
            captured_by_a_recursion,
            captured_by_an_induction,
            captured_by_a_case_distinction,
            one_index_for_every,
            family_and_recursion,
            sums_of_sums,
            nested_gradients,
            hidden_in_a_sequence,
            fact_of_a_bound_letter,
            map_that_looks,
        )
    },
    "called rank": called("rank", lambda f, v: f(2 * v.x), lambda f, v: f(v.x)),
    "called nonzero": called("nonzero", lambda f, v: f(v.x), lambda f, v: v.number(1)),
    "called sqrt": called("sqrt", lambda f, v: f(v.x.mT @ v.x) / f(v.x.mT @ v.x), lambda f, v: v.number(1)),
    "called √": called("√", lambda f, v: f(v.x.mT @ v.x) / f(v.x.mT @ v.x), lambda f, v: v.number(1)),
    "called ⊙": called("⊙", lambda f, v: f(v.x, v.x + v.x), lambda f, v: 2 * f(v.x, v.x)),
    "called positive": called("positive", lambda f, v: f(v.x.mT @ v.x), lambda f, v: v.positive(v.x.mT @ v.x)),
}
