"""One proof: what is known, what follows from it, and the lines written so far."""

from symbolic.derivation.derivation import Derivation
from symbolic.derivation.step import Step, StepFails

__all__ = ["Derivation", "Step", "StepFails"]
