"""The search for counterexamples: the smallest first, nothing where there is nothing, and nothing that a second evaluation does not confirm."""

from itertools import islice

import pytest

from symbolic import formulas, prover
from symbolic.claim import Claim, Problem
from symbolic.claims import load_claims
from symbolic.counterexamples import instances, points, recheck, search
from symbolic.exact import Exact, second_opinion
from symbolic.statements import Formula, Function, Hypothesis, Matrix
from symbolic.terms import Family

SYMBOLS = (Matrix("A", "d", "d"), Matrix("B", "d", "d"), Matrix("x", "d", "1"))
NOT_ZERO = Hypothesis("x ≠ 0", "x", nonzero=lambda v: v.x)


def problem(left, right, hypotheses=(), symbols=SYMBOLS, **changes):
    claim = Claim("test", "", "", symbols, tuple(hypotheses), Formula("", ""), left, right, lambda v, d: None, ())
    return Problem(claim, left, right, tuple(hypotheses), formulas, **changes)


def test_matrices_commute_at_size_one_and_not_at_size_two():
    found = search.find(problem(lambda v: v.A @ v.B, lambda v: v.B @ v.A))
    assert found.sizes == {"d": 2}
    assert sum(entry != "0" for rows in found.values.values() for row in rows for entry in row) == 2, "two entries other than 0 are needed, and enough"


def test_nothing_is_found_where_nothing_is():
    """Both passes go through all sizes, and come back empty."""
    assert search.find(problem(lambda v: v.A @ v.x, lambda v: v.A @ v.x)) is None


def test_a_rare_counterexample_at_the_smallest_size_is_found_in_the_second_pass():
    """x² = x fails for most numbers, but only those with x(x-1)(x+1)(x-2)(x+2) ≠ 0 count here, of which there are 3 and 1/2."""
    scalar = (Matrix("x", "1", "1"),)
    found = search.find(problem(lambda v: v.x @ (v.x - 1) @ (v.x + 1) @ (v.x - 2) @ (v.x + 2), lambda v: v.x - v.x, symbols=scalar))
    assert found.values == {"x": [["3"]]}


def test_two_values_are_preferred_to_an_undefined_side():
    found = search.find(problem(lambda v: v.x / (v.x.mT @ v.x), lambda v: v.x))
    assert found.values == {"x": [["2"]]}
    dropped = search.find(problem(lambda v: v.x / (v.x.mT @ v.x), lambda v: v.x, undefined=True))
    assert (dropped.left, dropped.right) == ([["undefined"]], [["0"]])


def test_what_the_sides_do_not_speak_of_is_left_out():
    found = search.find(problem(lambda v: v.A, lambda v: v.A.mT, [NOT_ZERO]))
    assert list(found.values) == ["A"]
    about = search.find(problem(lambda v: v.A @ v.x, lambda v: v.x, [NOT_ZERO]))
    assert set(about.values) == {"A", "x"}


def test_a_hypothesis_is_met_by_solving_for_a_symbol():
    equation = Hypothesis("Ax = Bx", "", equal=lambda v: (v.A @ v.x, v.B @ v.x), solve=("A", lambda v: v.B + (v.A - v.B) @ (v.identity("d") - v.identity("d"))))
    found = search.find(problem(lambda v: v.A @ v.x, lambda v: v.x, [equation, NOT_ZERO]))
    assert found.values["A"] == found.values["B"] or found.values["x"] != [["0"]]


def test_what_the_second_evaluation_does_not_confirm_is_not_returned(monkeypatch):
    """If the two arithmetics disagree, one of them is wrong, and nothing is refuted."""
    monkeypatch.setattr(second_opinion.Plain, "__matmul__", lambda self, other: self)
    commutes = problem(lambda v: v.A @ v.B, lambda v: v.A @ v.A)
    assert recheck.store(commutes, {"d": 1}, {"A": [[2]], "B": [[3]], "x": [[0]]}) is None


def test_sizes_that_must_agree_do():
    (claim,) = load_claims(["theorem-2.2"])
    assert all(sizes["k"] == sizes["m"] for sizes in points.all_sizes(claim))
    assert [sizes["m"] + sizes["d"] for sizes in points.all_sizes(claim)] == sorted(sizes["m"] + sizes["d"] for sizes in points.all_sizes(claim))


def test_points_come_by_weight():
    """All zero first, then a single 1."""
    (claim,) = load_claims(["rank"])
    first, second = islice(points.by_weight(claim, {"m": 1, "d": 1}), 2)
    assert first == {"W": [[0]], "a": [[0]], "z": [[0]]}
    assert sorted(rows[0][0] for rows in second.values()) == [0, 0, 1]


def test_a_family_has_a_member_for_every_index():
    symbols = (Matrix("x", "1", "1"),)
    claim = Claim("test", "", "", symbols, (), Formula("", ""), lambda v: v.x, lambda v: v.x, lambda v, d: None, (), families=(Family("c", "d", "1", first=1),))
    point = next(points.by_weight(claim, {"d": 2, "n": 3}))
    assert set(point) == {"x", "c_1", "c_2", "c_3"}
    values = instances.exact_values(Problem(claim, claim.left, claim.right, (), formulas), {"d": 2, "n": 3}, point)
    assert values.c(2) == Exact.of([[0], [0]])
    assert list(values.indices) == [1, 2, 3]


@pytest.mark.parametrize("id", ["theorem-2.2", "corollary-b.0.1", "minimality"])
def test_a_proved_claim_has_no_counterexample(id):
    (claim,) = load_claims([id])
    tried, against = prover.instances_tried(prover.problem_of(claim))
    assert (tried > 50, against) == (True, None)


def test_a_false_claim_has_one():
    """The planted negative of the test before."""
    (claim,) = load_claims(["theorem-2.2"])
    wrong = prover.problem_of(claim, claim.mutants[0])
    assert "instance" in prover.instances_tried(wrong)[1]


def test_what_holds_for_the_identity_alone_is_contradicted():
    """An opaque function may be any: a statement about it is tried on one that is not linear as well."""
    f = Function("f", "d", "1", "f", "f")
    claim = Claim("test", "", "", (Matrix("x", "d", "1"),), (), Formula("", ""), lambda v: v.f(v.x), lambda v: v.x, lambda v, d: None, (), functions=(f,))
    tried, against = prover.instances_tried(Problem(claim, claim.left, claim.right, (), formulas))
    assert tried > 0
    assert "instance" in against


def test_a_statement_of_several_parts_shows_the_first_that_differs():
    found = search.find(problem(lambda v: (v.x, v.A, v.B), lambda v: (v.x, v.A.mT, v.B)))
    assert found.left != found.right
    assert len(found.left) == 2
