"""A claim about every n, evaluated at one n that somebody wants to see, over exact rationals.

The proof is by induction and never looks at n; this does, and agrees: an illustration and an independent check, not a proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symbolic import formulas
from symbolic.claim import Claim, Problem
from symbolic.counterexamples.instances import settled
from symbolic.counterexamples.points import NUMBERS, at_random
from symbolic.exact import Irrational, Undefined
from symbolic.statements import listed
from symbolic.vocabulary import CallError

MOST_TOKENS = 4096
"""As in the longest context that is measured. The rationals grow with every token, and a call for more of them would not end."""

SMALLEST_SIZE = 2
"""Every other size of the instance: the smallest at which matrices do not commute."""


class NothingToShow(CallError):
    """The claim is about no n, or no instance of that length satisfies its hypotheses."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Both sides of a claim at one instance."""

    claim: str
    sizes: dict[str, int]
    left: list[list[list[str]]]
    """Each part of the left side, by rows; entries like "-3/2"."""
    right: list[list[list[str]]]

    @property
    def agree(self) -> bool:
        """Whether the sides are the same numbers."""
        return self.left == self.right


def show(claim: Claim, n: int) -> Shown:
    """The claim at n tokens, at the first random instance that satisfies its hypotheses. Raises NothingToShow.

    A claim about any one of n steps, which has no sequences, is shown at n instances, one a step.
    """
    if not claim.about_every_n:
        raise NothingToShow(f'{claim.id} is about no number of tokens; --n is for claims of scope "all sizes, all n".')
    if not 1 <= n <= MOST_TOKENS:
        raise NothingToShow(f"n is a number of tokens, from 1 to {MOST_TOKENS}, not {n}.")
    shapes = [(m.rows, m.columns) for m in claim.symbols] + [(f.rows, f.columns) for f in claim.families]
    free = {size for shape in shapes for size in shape if size != "1"}
    sizes = dict.fromkeys(sorted(free | set(claim.sizes)), SMALLEST_SIZE) | {"n": n}
    shown = [_sides(claim, sizes, step) for step in (range(1) if claim.families else range(n))]
    left, right = ([rows for sides in shown for rows in sides[number]] for number in (0, 1))
    return Shown(claim.id, sizes, left, right)


def _sides(claim: Claim, sizes: Mapping[str, int], seed: int) -> tuple[list[list[list[str]]], list[list[list[str]]]]:
    """Both sides, by parts, at the first random instance that satisfies the hypotheses. Raises NothingToShow."""
    problem = Problem(claim, claim.left, claim.right, claim.hypotheses, formulas)
    # Numbers other than zero: of many vectors that must not vanish, one soon would.
    for point in at_random(claim, sizes, NUMBERS[1:], seed):
        try:
            values = settled(problem, sizes, point)
            if values is None:
                continue
            left, right = ([part.rows() for part in listed(side(values))] for side in (claim.left, claim.right))
        except (Irrational, Undefined):
            continue
        return _text(left), _text(right)
    raise NothingToShow(f"no random instance of {claim.id} with n = {sizes['n']} satisfies its hypotheses; try a smaller n.")


def _text(parts: Sequence[Sequence[Sequence[object]]]) -> list[list[list[str]]]:
    return [[[str(entry) for entry in row] for row in rows] for rows in parts]
