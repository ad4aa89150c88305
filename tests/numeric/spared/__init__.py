"""The mutants that no test notices, and why none can, or need: one list a wing, by module and by what is changed."""

from tests.numeric.mutants import Mutant
from tests.numeric.spared import arithmetics, experiments, operator_rules, rules, sides
from tests.numeric.spared.row import STEPS, Spared

__all__ = ["SPARED", "Spared", "reason"]

SPARED: tuple[Spared, ...] = (*arithmetics.SPARED, *rules.SPARED, *sides.SPARED, *experiments.SPARED, *operator_rules.SPARED)


def reason(mutant: Mutant) -> str | None:
    """Why a mutant need not be noticed; None if there is no reason."""
    if mutant.steps:
        return STEPS
    return next((row.why for row in SPARED if row.of(mutant)), None)
