"""claim -> proof: the derivation is checked, the mutants are refuted, and the prover itself is checked against exact instances.

A claim HOLDS only if every line of its derivation follows, exact instances at small sizes satisfy its hypotheses and agree with it, and
no mutant was proved. If an instance contradicts a derivation that goes through, or a mutant is proved, the prover is broken: ERROR. A claim whose
derivation fails is VIOLATED if a counterexample is found, with the step that failed as the reason, and INCONCLUSIVE if none is. A mutant goes the
same way: it is proved in vain by the claim's own derivation and by the normal form alone, and must then be refuted by numbers.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from types import SimpleNamespace

from symbolic import formulas
from symbolic.claim import Claim, Mutant, Problem
from symbolic.counterexamples import Counterexample, instances, points, search
from symbolic.derivation import Derivation, Step, StepFails
from symbolic.derivation.knowledge import assumptions
from symbolic.derivation.rendering import rendered_facts, rendered_statement
from symbolic.exact import Irrational, Undefined
from symbolic.statements import Expression, Formula, Function, Matrix, Values, listed
from symbolic.statements.values import TERMS
from symbolic.terms import Application, Family, Index, Shape, Symbol, Term, lift
from symbolic.terms.families import STEP_LETTERS, member
from symbolic.vocabulary import MissingHypothesis, ShapeMismatch, Verdict

NOT_SHOWN = "not shown"
OPERATIONS = frozenset(dir(Values)) | {"formulas", "used"}
"""What a claim's symbols cannot be called: ``v.rank`` is the operation."""
INSTANCES = 12
"""Exact instances at each of the smallest choices of sizes on which a proved claim is tried."""
LARGE_INSTANCES, ATTEMPTS = 40, 1_000
"""And at sizes drawn from 1 to 6, and how many are drawn for them at most."""


@dataclass(frozen=True, slots=True)
class MutantOutcome:
    """What became of one mutant; anything but VIOLATED is a broken prover."""

    id: str
    description: str
    why: str
    statement: Formula | None
    """As it was compared; None if it cannot be written down, because sizes do not fit."""
    remark: Formula
    """The same in the words of the claim's file."""
    verdict: Verdict
    counterexample: Counterexample | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one claim."""

    claim: Claim
    verdict: Verdict
    reason: str | None
    """Why the verdict is not HOLDS; names the step or the hypothesis that fails."""
    counterexample: Counterexample | None
    """Where the claim itself fails, if it does."""
    scope: str
    """For what it was shown: "all sizes", "all sizes, all n", or "not shown"."""
    statement: Formula | None
    """As it was compared; None if it cannot be written down."""
    hypotheses: tuple[Formula, ...]
    """Likewise."""
    in_words: tuple[Formula, ...]
    """Hypotheses that no program looks at: they are built into the statement."""
    steps: tuple[Step, ...]
    mutants: tuple[MutantOutcome, ...]
    seconds: float


def prove(claim: Claim) -> Proof:
    """Prove a claim and refute its mutants, with the formulas as they are now. A check that breaks is an ERROR, never an exception."""
    begin = time.perf_counter()
    try:
        return _prove(claim, begin)
    except Exception as error:  # a formula that somebody is changing may raise anything
        reason = f"the check broke: {type(error).__name__}: {error}"
        shown = (None, (), tuple(Formula(h.text, h.latex) for h in claim.hypotheses))
        return Proof(claim, Verdict.ERROR, reason, None, NOT_SHOWN, *shown, (), (), time.perf_counter() - begin)


def _prove(claim: Claim, begin: float) -> Proof:
    problem = problem_of(claim)
    shown = (problem_in_terms(problem), *rendered_hypotheses(problem))
    steps, failure = derive(problem)
    mutants = tuple(refute(claim, mutant) for mutant in claim.mutants)
    if failure is not None:
        counterexample = search.find(problem)
        verdict = Verdict.VIOLATED if counterexample else Verdict.INCONCLUSIVE
        return Proof(claim, verdict, failure, counterexample, NOT_SHOWN, *shown, steps, mutants, time.perf_counter() - begin)
    verdict, reason = confirm(problem, mutants)
    return Proof(claim, verdict, reason, None, claim.scope if verdict is Verdict.HOLDS else NOT_SHOWN, *shown, steps, mutants, time.perf_counter() - begin)


def confirm(problem: Problem, mutants: Sequence[MutantOutcome]) -> tuple[Verdict, str | None]:
    """What a derivation that goes through is worth: nothing if numbers contradict it, if there are none, or if a mutant was proved like it."""
    tried, against = instances_tried(problem)
    proved = [outcome.id for outcome in mutants if outcome.verdict is Verdict.HOLDS]
    if against is not None:
        return Verdict.ERROR, f"the derivation goes through, but {against} contradicts it: the prover is broken"
    if proved:
        return Verdict.ERROR, f"the derivation goes through, but so does that of the mutant {proved[0]}: the prover is broken"
    if not tried:
        return Verdict.INCONCLUSIVE, "the derivation goes through, but no exact instance satisfies the hypotheses: the statement may be empty"
    return Verdict.HOLDS, None


def refute(claim: Claim, mutant: Mutant) -> MutantOutcome:
    """Try to prove a mutant, which must fail, and refute it."""
    problem = problem_of(claim, mutant)
    counterexample = None
    if derive(problem)[1] is None or decided(problem):
        verdict = Verdict.HOLDS
    else:
        counterexample = search.find(problem)
        verdict = Verdict.VIOLATED if counterexample else Verdict.INCONCLUSIVE
    return MutantOutcome(mutant.id, mutant.description, mutant.why, problem_in_terms(problem), mutant.statement, verdict, counterexample)


def problem_of(claim: Claim, mutant: Mutant | None = None) -> Problem:
    """A claim as it stands, with the formulas as they are now, or as a mutant changes it."""
    texts = [hypothesis.text for hypothesis in claim.hypotheses]
    assert len(set(texts)) == len(texts), f"{claim.id} has two hypotheses of one text, by which a mutant drops one"
    if mutant is None:
        return Problem(claim, claim.left, claim.right, claim.hypotheses, formulas)
    assert set(mutant.without) <= set(texts), f"{claim.id} has no hypothesis {mutant.without}"
    kept = tuple(hypothesis for hypothesis in claim.hypotheses if hypothesis.text not in mutant.without)
    changed = SimpleNamespace(**{**vars(formulas), **mutant.formulas})
    return Problem(claim, mutant.left or claim.left, mutant.right or claim.right, kept, changed, mutant.where, mutant.note, bool(mutant.without))


def derive(problem: Problem) -> tuple[tuple[Step, ...], str | None]:
    """The lines of the derivation that follow, and why the next one does not, or None if it is complete."""
    ambiguous = unreadable_names(problem.claim)
    if ambiguous:
        return (), f"step 1, the statement cannot be written down: {', '.join(ambiguous)} is no name of its own for a symbol"
    values = term_values(problem)
    try:
        uneven = unlike_indices(problem, values)
        derivation = begin(problem, values)
    except ShapeMismatch as error:
        return (), f"step 1, the statement cannot be written down: {error}"
    if uneven:
        return (), f"step 1, the statement cannot be written down: {uneven} does not say the same of every index"
    try:
        problem.claim.proof(values, derivation)
        derivation.done()
        if derivation.hypotheses != problem.hypotheses:
            raise StepFails("the proof assumes what the claim does not")
    except (StepFails, MissingHypothesis, ShapeMismatch) as error:
        return tuple(derivation.steps), str(error)
    return tuple(derivation.steps), None


def unreadable_names(claim: Claim) -> list[str]:
    """Names that could be taken for something else: for a size, for another symbol, for an operation, or for an expression."""
    parts: list[Matrix | Function | Family] = [*claim.symbols, *claim.functions, *claim.families]
    names, sizes = [part.name for part in parts], {size for part in parts for size in (part.rows, part.columns)}
    odd = {name for name in names if name.startswith("_") or not (name.isascii() and name.isidentifier())}
    odd |= {name for name in names for family in claim.families if name.startswith(f"{family.name}_") and name[len(family.name) + 1 :].isdigit()}
    return sorted(odd | {name for name in names if name in sizes or names.count(name) > 1 or name in OPERATIONS})


def unlike_indices(problem: Problem, values: Values) -> str | None:
    """Which side or hypothesis picks an index out of those that stand for all, or None: of two unknown ones it has to say what it says of each."""
    if not problem.claim.families:
        return None  # on numbers there are no indices to go through
    one, other = (Index(letter) for letter in STEP_LETTERS[:2])

    def said(read: Expression, *steps: Index) -> set[Term]:
        value = read(values.at_steps(*steps))
        return {lift(term) for term in listed(value)}

    readings = {"the left side": [problem.left], "the right side": [problem.right]}
    for hypothesis in problem.hypotheses:
        readings[hypothesis.text] = [read for read in (hypothesis.nonzero, hypothesis.no_zero_entry, hypothesis.equal) if read]
    for name, reads in readings.items():
        for read in reads:
            if said(read, one, other) != said(read, one) | said(read, other) or said(read, other, one) != said(read, one, other):
                return name
    return None


def problem_in_terms(problem: Problem) -> Formula | None:
    """The statement as it is compared, or None if it cannot be written down."""
    values = term_values(problem)
    try:
        facts = [fact for hypothesis in problem.hypotheses for fact in assumptions(hypothesis, values)]
        lefts, rights = (tuple(map(lift, listed(side(values)))) for side in (problem.left, problem.right))
        return rendered_statement(lefts, rights, facts)
    except ShapeMismatch:
        return None


def rendered_hypotheses(problem: Problem) -> tuple[tuple[Formula, ...], tuple[Formula, ...]]:
    """What the hypotheses say as it is assumed; and those that are there in words alone."""
    values = term_values(problem)
    facts = [(hypothesis, list(assumptions(hypothesis, values))) for hypothesis in problem.hypotheses]
    words = tuple(Formula(hypothesis.text, hypothesis.latex) for hypothesis, said in facts if not said)
    return tuple(rendered_facts(said) for _, said in facts if said), words


def begin(problem: Problem, values: Values) -> Derivation:
    """A derivation without a line, that knows the hypotheses."""
    derivation = Derivation(values, listed(problem.left(values)), listed(problem.right(values)))
    for hypothesis in problem.hypotheses:
        derivation.assume(hypothesis)
    return derivation


def decided(problem: Problem) -> bool:
    """Whether the normal form alone proves the statement, without any derivation."""
    values = term_values(problem)
    try:
        derivation = begin(problem, values)
        return not unlike_indices(problem, values) and all(
            derivation.known.follows(left, right) for left, right in zip(derivation.lefts, derivation.rights, strict=True)
        )
    except (MissingHypothesis, ShapeMismatch):
        return False


def instances_tried(problem: Problem) -> tuple[int, str | None]:
    """How many exact instances a statement was tried on, and the first at which it fails, in words: the prover's own check.

    Opaque functions are the identity at first, and then one that is not linear: a statement about every function must hold for both.
    """
    claim = problem.claim
    bent = replace(problem, claim=replace(claim, functions=tuple(function.bent for function in claim.functions)))
    total = 0
    for made in (problem, bent) if claim.functions else (problem,):
        small = [(_small(claim, sizes), INSTANCES) for sizes in islice(points.all_sizes(claim), 8)]
        for some, wanted in (*small, (islice(points.at_random_sizes(claim), ATTEMPTS), LARGE_INSTANCES)):
            tried, against = _try(made, some, wanted)
            total += tried
            if against is not None:
                return total, against
    return total, None


Instance = tuple[Mapping[str, int], points.Point]


def _small(claim: Claim, sizes: Mapping[str, int]) -> Iterator[Instance]:
    """Instances of these sizes."""
    return ((sizes, point) for point in chain(points.at_random(claim, sizes), points.by_weight(claim, sizes)))


def _try(problem: Problem, some: Iterable[Instance], wanted: int) -> tuple[int, str | None]:
    """How many of these instances, up to a number, say something, and the first at which the statement fails, in words."""
    tried = 0
    for sizes, point in some:
        try:
            values = instances.settled(problem, sizes, point)
            if values is None:
                continue
            if instances.differ(values, problem):
                return tried, f"the instance {sizes}, {point}"
        except (Irrational, Undefined):
            continue
        tried += 1
        if tried == wanted:
            break
    return tried, None


def term_values(problem: Problem) -> Values:
    """A claim's symbols and functions as terms."""
    symbols = {m.name: Symbol(m.name, (m.rows, m.columns), m.text or m.name, m.latex or m.name) for m in problem.claim.symbols}
    functions = {f.name: _opaque(f.name, (f.rows, f.columns), f.text, f.latex) for f in problem.claim.functions}
    families = {family.name: partial(member, family) for family in problem.claim.families}
    return Values(symbols, functions | families, problem.formulas, TERMS)


def _opaque(name: str, shape: Shape, text: str, latex: str) -> Callable[..., Term]:
    return lambda *arguments: Application(name, arguments, shape, text, latex)
