"""A row of the lists beside it: some mutants of a module that may go unnoticed, how many they are, and why."""

import re
from dataclasses import dataclass

from tests.numeric.mutants import Mutant

STEPS = "float64's own rounding: each count is taken three times, two would do, and what is left out in one place others make up for (``envelope.py``)"
ONE_SIDE = "float64's own: the other bound of the same function, or a relative 2^-50 more or less, is far within the steps of ``outward`` about it"
SECOND_ORDER = "second order: what the proof adds for the errors of errors; in the formats here it is less than what the terms of first order have to spare"
SIZE = "of a difference only the size is used, or its square"
SAME_RULE = "the same result in other words: the other branch gives it, too, or float64 comes to it by itself (a division by zero, an infinity)"


@dataclass(frozen=True, slots=True)
class Spared:
    """Some mutants of a module."""

    module: str
    pattern: str
    """A regular expression that is found in the mutant's words."""
    why: str
    matched: int
    """How many mutants of the module it fits, so that none that is written tomorrow is excused unseen."""

    def of(self, mutant: Mutant) -> bool:
        """Whether a mutant is one of these."""
        return self.module == mutant.module and re.search(self.pattern, str(mutant)) is not None
