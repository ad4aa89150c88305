"""Independent errors that are uniform on [-c, c]: their standard deviation, and how far from zero a sum of them is likely to be.

A variable that is uniform on [-c, c] is strictly sub-Gaussian: its variance c²/3 is a variance proxy, E exp(tX) ≤
exp(t²c²/6). *Proof.* E exp(tX) = sinh(tc)/(tc) = Σ_k (tc)^2k/(2k+1)!, exp(t²c²/6) = Σ_k (tc)^2k/(6^k k!), and (2k+1)! ≥ 6^k k!,
for (2k+3)(2k+2) ≥ 6(k+1). (Marchal and Arbel, "On the sub-Gaussianity of the Beta and Dirichlet distributions", Electron.
Commun. Probab. 22 (2017), where it is Beta(1, 1).) So Σ_k c_k ε_k has proxy σ² = Σ_k c_k² Var ε_k, and P(|e_i| > λσ_i) ≤ 2
exp(-λ²/2); over m entries the probability that one of them exceeds λσ_i is at most 2m exp(-λ²/2).
"""

import math

UNIFORM = 1.0 / math.sqrt(3.0)
"""Standard deviation of a uniform error over its largest size."""

FAILURE_PROBABILITY = 2.0**-10
"""Of a case: one in a thousand, so that a cell of some thousand cases could show that it is exceeded too often."""


def deviations_allowed(entries: int) -> float:
    """λ with 2·entries·exp(-λ²/2) = FAILURE_PROBABILITY: the bound is so many standard deviations."""
    return math.sqrt(2.0 * math.log(2.0 * entries / FAILURE_PROBABILITY))
