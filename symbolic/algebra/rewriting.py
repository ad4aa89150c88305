"""Equations as rules of calculation: a word may be replaced by what it is assumed to equal, wherever it occurs.

A rule u -> p replaces the word u inside words, scalars and traces, and its transpose by pᵀ. Each replacement is sound, since it substitutes
equals for equals. Nothing is claimed about completeness: two terms may be equal under the assumptions without meeting.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symbolic.algebra.normal_form import Inverse, Monomial, Polynomial, Scalar, of_scalars, of_word
from symbolic.algebra.words import Word, transposed

FUEL = 1_000
"""More replacements than any claim needs; a set of rules that uses them up runs in a circle, which is a bug of the claim."""


@dataclass(frozen=True, slots=True)
class RewriteRule:
    """A word and what it may be replaced by."""

    word: Word
    by: Polynomial


def rule_of(left: Polynomial, right: Polynomial) -> RewriteRule | None:
    """The rule left -> right; if the left side is not a single word, the equation's last word goes to the rest. None for 0 = 0."""
    if len(left.terms) == 1:
        ((scalars, word), value), by = left.terms[0], right
    else:
        difference = left - right
        if not difference.terms:
            return None
        (scalars, word), value = difference.terms[-1]
        by = Polynomial(left.shape, ((((scalars, word), value)),), left.known) - difference
    if not word and len(scalars) == 1:
        ((generator, exponent),) = scalars
        if isinstance(generator, Scalar) and exponent == 1 and not generator.cyclic:
            scalars, word = (), generator.word
    assert word, f"not a rule of calculation: {left} = {right}"
    assert not scalars, f"not a rule of calculation: {left} = {right}"
    return RewriteRule(word, by * (1 / value))


def rewrite(polynomial: Polynomial, rules: Sequence[RewriteRule]) -> Polynomial:
    """Apply the rules until none applies."""
    both = [turned for rule in rules for turned in _both_ways(rule)]
    if not both:
        return polynomial
    for _ in range(FUEL):
        for key, value in polynomial.terms:
            replaced = next(_replacements(polynomial, *key, both), None)
            if replaced is not None:
                polynomial = polynomial - Polynomial(polynomial.shape, ((key, value),), polynomial.known) + replaced * value
                break
        else:
            return polynomial
    raise AssertionError("these rules of calculation run in a circle")


def _both_ways(rule: RewriteRule) -> Iterator[RewriteRule]:
    yield rule
    turned = RewriteRule(transposed(rule.word), rule.by.mT)
    if turned.word != rule.word and all(word != turned.word for (_, word), _ in rule.by.terms):
        yield turned


def _replacements(polynomial: Polynomial, scalars: Monomial, word: Word, rules: Sequence[RewriteRule]) -> Iterator[Polynomial]:
    known = polynomial.known
    for rule in rules:
        for start in _places(word, rule.word):
            before, after = word[:start], word[start + len(rule.word) :]
            left, right = of_word(before, (polynomial.shape[0], rule.by.shape[0]), known), of_word(after, (rule.by.shape[1], polynomial.shape[1]), known)
            yield left @ rule.by @ right * of_scalars(scalars, known)
        for position, (generator, exponent) in enumerate(scalars):
            if isinstance(generator, Inverse):
                continue
            rest = scalars[:position] + (((generator, exponent - 1),) if exponent > 1 else ()) + scalars[position + 1 :]
            for replaced in _in_scalar(generator, rule, polynomial):
                yield of_word(word, polynomial.shape, known) * replaced * of_scalars(rest, known)


def _in_scalar(generator: Scalar, rule: RewriteRule, polynomial: Polynomial) -> Iterator[Polynomial]:
    known = polynomial.known
    turns = range(len(generator.word)) if generator.cyclic else (0,)
    for turn in turns:
        word = generator.word[turn:] + generator.word[:turn]
        for start in _places(word, rule.word):
            before, after = word[:start], word[start + len(rule.word) :]
            if generator.cyclic:
                yield (rule.by @ of_word(after + before, (rule.by.shape[1], rule.by.shape[0]), known)).trace()
            else:
                yield of_word(before, ("1", rule.by.shape[0]), known) @ rule.by @ of_word(after, (rule.by.shape[1], "1"), known)


def _places(word: Word, part: Word) -> Iterator[int]:
    return (k for k in range(len(word) - len(part) + 1) if word[k : k + len(part)] == part)
