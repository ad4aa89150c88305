"""False statements that no instance up to size 3 shows, each made for one way in which a prover may take two things for one: none is derived.

A factor (t-1)(t-2)(t-3), where t is a size or n, hides each from small instances; the derivation has to fail by itself.
"""

from collections.abc import Callable
from typing import Any

import pytest

from symbolic import prover
from symbolic.claim import Claim
from symbolic.counterexamples import points, search
from symbolic.statements import Formula, Function, Hypothesis, Matrix
from symbolic.terms import Family
from symbolic.terms.legend import Legend
from symbolic.vocabulary import Verdict

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
    """If one q_i is not zero, none is: what is known of an i in one case is not known of the induction's."""

    def all_nonzero(v: Any, k: Any) -> Any:
        return v.recursive("N", "N", k, lambda: v.number(1), lambda previous, i: previous @ v.nonzero(v.q(i)))

    def proof(v: Any, d: Any) -> None:
        for part, index in enumerate(v.indices):
            d.part(part)
            for vanishes in d.dichotomy("qᵢ", "q_i", v.q(index)):
                if not vanishes:

                    def step(k: Any) -> None:
                        d.chain(all_nonzero(v, k), "by definition")
                        d.then(all_nonzero(v, k - 1) @ v.nonzero(v.q(k)), "by definition")
                        d.then(all_nonzero(v, k - 1), "not zero in this case")
                        d.then(v.number(1), "for k - 1")

                    d.induction("Nₙ = 1", lambda k: (all_nonzero(v, k), v.number(1)), lambda: d.chain(v.number(1), "empty"), step)
                finished(v, d)

    return statement(
        lambda v: tuple(at_large_n(v) * v.nonzero(v.q(k)) for k in v.indices),
        lambda v: tuple(at_large_n(v) * (v.nonzero(v.q(k)) @ all_nonzero(v, v.n)) for k in v.indices),
        proof,
        families=(Q,),
    )


def left_in_its_first_case() -> Claim:
    """S_n = 0 whatever S sums up: the step is shown in the case that all is well, and the distinction is not ended."""

    def proof(v: Any, d: Any) -> None:
        cases = []

        def step(k: Any) -> None:
            cases.append(d.dichotomy("qₖ", "q_k", v.q(k), zero=(v.q(k), v.zero("d"))))
            next(cases[0])
            d.chain(total(v, k, v.q), "by definition")
            d.then(total(v, k - 1, v.q), "zero in this case")
            d.then(v.zero("d"), "for k - 1")

        d.induction("Sₙ = 0", lambda k: (total(v, k, v.q), v.zero("d")), lambda: d.chain(v.zero("d"), "empty"), step)
        finished(v, d)

    return statement(lambda v: at_large_n(v) * total(v, v.n, v.q), lambda v: v.zero("d"), proof, families=(Q,))


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


FALSE: dict[str, Callable[[], Claim]] = {
    **{
        made.__name__: made
        for made in (
            captured_by_a_recursion,
            captured_by_an_induction,
            captured_by_a_case_distinction,
            left_in_its_first_case,
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


@pytest.mark.parametrize("ambiguous", [False, True])
@pytest.mark.parametrize("name", FALSE)
def test_it_is_not_derived(name: str, ambiguous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some show two things alike, and are refused for that; they are not derived where that is allowed either."""
    if ambiguous:
        monkeypatch.setattr(Legend, "_name", lambda *_: None)
    claim = FALSE[name]()
    problem = prover.problem_of(claim)
    assert prover.derive(problem)[1] is not None
    assert not prover.decided(problem)


@pytest.mark.parametrize("name", FALSE)
def test_it_does_not_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the search, which would go through all instances up to size 3 in vain."""
    monkeypatch.setattr(search, "find", lambda problem: None)
    assert prover.prove(FALSE[name]()).verdict is not Verdict.HOLDS


@pytest.mark.parametrize("name", [name for name in FALSE if name.startswith("called")])
def test_the_name_of_a_function_proves_nothing_even_where_it_is_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of the name is the first defence; the second is that a function is never one of the operations."""
    monkeypatch.setattr(prover, "unreadable_names", lambda claim: [])
    monkeypatch.setattr(Legend, "_name", lambda *_: None)
    assert prover.derive(prover.problem_of(FALSE[name]()))[1] is not None


FALSE_AT_NUMBERS = [name for name in FALSE if name not in ("called sqrt", "called √")]  # the function of these two is not zero where it is made concrete


@pytest.mark.parametrize("name", FALSE_AT_NUMBERS)
def test_instances_contradict_it_at_sizes_drawn_up_to_6_and_not_at_the_small_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second defence: if the derivation went through, the prover would be reported as broken."""
    monkeypatch.setattr(prover, "derive", lambda problem: ((), None))
    proof = prover.prove(FALSE[name]())
    assert proof.verdict is Verdict.ERROR
    assert "contradicts it: the prover is broken" in str(proof.reason)
    monkeypatch.setattr(points, "at_random_sizes", lambda claim: iter(()))
    assert prover.prove(FALSE[name]()).verdict is Verdict.HOLDS, "hidden from every instance up to size 3"
