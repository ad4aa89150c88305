"""Errata of the paper: what it says, the numbers at which that fails, and what is true instead.

An erratum adds no mathematics of its own. Its literal reading is a mutant of a claim, so that it is refuted by the same search and the same second
evaluation as every mutant; its correction is that claim, proved. Numbers 2 and 9 also have something to measure, which the numeric floor fills in.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Erratum:
    """One place of the paper that does not hold as it is printed."""

    number: int
    title: str
    where: str
    """Section and equation in the paper."""
    wording: str
    """What the paper says there, paraphrased, with its equation."""
    claim: str
    """The claim that is the corrected statement."""
    mutant: str
    """The mutant of that claim that is the literal reading."""
    correction: str
    """The corrected wording."""
    to_measure: str | None = None
    """What a measurement can add, in words."""


ERRATA: Sequence[Erratum] = (
    Erratum(
        number=1,
        title="Eq. (15) is off by one",
        where="Proposition 3.1, Eq. (15)",
        wording="Wᵢ = Wᵢ₋₁ - h∇Lᵢ(Wᵢ₋₁) with Δᵢ = W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x))A(x)ᵀ, so that the step to Wᵢ reads the token cᵢ₊₁; "
        "for i = n there is no such token, and Δ₀ is never used",
        claim="proposition-3.1",
        mutant="literal-equation-15",
        correction="Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ) for i = 0..n-1, as in the paper's own proof, Eq. (20)",
    ),
    Erratum(
        number=2,
        title="‖A(x)‖² is left out of the norm of the gradient",
        where="Section 4.3, the equation before Figure 2",
        wording="‖∇Lᵢ(W)‖₂ = ‖ΔWᵢ₊₁ - ΔWᵢ‖₂",
        claim="section-4.3-norms",
        mutant="literal-section-4.3",
        correction="‖∇Lᵢ‖ = ‖Δᵢ‖ = ‖A(x)‖²·‖ΔWᵢ₊₁ - ΔWᵢ‖",
        to_measure="‖A(x)‖² of the trained block: the factor by which the two sides of the printed equation differ",
    ),
    Erratum(
        number=3,
        title="x is missing on the right of Eq. (14)",
        where="Section 3, Eq. (14)",
        wording="T_{Wₙ}(x) = T_{W₀}(c₁, ..., cₙ)",
        claim="proposition-3.1-endpoint",
        mutant="literal-equation-14",
        correction="T_{Wₙ}(x) = T_{W₀}(c₁, ..., cₙ, x)",
    ),
    Erratum(
        number=4,
        title="The token whose effect Δᵢ measures is cᵢ₊₁",
        where="Section 3, after Proposition 3.1",
        wording="when cᵢ has no effect on the output, that is, when A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x) is zero, the update vanishes",
        claim="proposition-3.1-vanishing",
        mutant="effect-of-the-token-before",
        correction="when cᵢ₊₁ has no effect; exactly then, or if W₀ maps the effect to zero, Δᵢ = 0",
    ),
    Erratum(
        number=5,
        title="A(·) ≠ 0 is nowhere stated, and Appendix B needs it for every suffix",
        where="Theorem 2.2, Corollary 2.3.1, Proposition 3.1, Theorem A.2, Corollary B.0.1",
        wording="Wᵢ = Wᵢ₋₁ + (Wᵢ₋₁ΔA(cᵢ))A(cᵢ₊₁..cₙ,x)ᵀ/‖A(cᵢ₊₁..cₙ,x)‖² (31), with no hypothesis on what is divided by",
        claim="corollary-b.0.1",
        mutant="missing-suffix-hypothesis",
        correction="if A(cᵢ₊₁..cₙ,x) ≠ 0 for every i = 1..n; for Theorem 2.2 if A(C∖Y,x) ≠ 0; where it is zero an update exists only if WΔA = 0",
    ),
    Erratum(
        number=6,
        title="The rank of ΔW may be 0",
        where="Theorem 2.2 and Corollary 2.3.1",
        wording="ΔW is rank 1, since WΔA is a column vector and A(C∖Y,x)ᵀ is a row vector",
        claim="rank",
        mutant="always-one",
        correction="ΔW has rank at most 1, and rank 1 exactly if WΔA ≠ 0",
    ),
    Erratum(
        number=7,
        title="Definition A.1 is not the Pre-LN block",
        where="Appendix A, Definition A.1, Eq. (22)",
        wording="T(C,x) = x + A(C,x) + W′g_θ(WA(C,x) + b) + b′ encompasses the standard Pre-LN block of reference [26]; "
        "its network is fed with the normalised residual stream, and if A is read as the stream x is counted twice",
        claim="pre-ln",
        mutant="residual-counted-twice",
        correction="the Pre-LN block is v + W′g_θ(W N(v) + b) + b′ with v = x + A(C,x); ΔW at N(v) and Δb′ = v - v′ carry the context",
    ),
    Erratum(
        number=8,
        title="Tokens are positions, not values",
        where="Section 2, footnote 1, and Remark 2.4, Eq. (9)",
        wording="C∖Y is the set of all elements of C which are not in Y, and T_W(D∪Y,x) = T_{W+ΔW(Y)}(D,x) with D = C∖Y",
        claim="remark-2.4",
        mutant="values-not-positions",
        correction="C is a sequence, Y a set of its positions, D the other positions; then D∪Y is C, also with repeated tokens",
    ),
    Erratum(
        number=9,
        title='"Decrease and vanish" is a measurement, not a consequence',
        where="Section 4.3 and Figure 2",
        wording="the gradient updates decrease and vanish as the dynamics progresses towards the full context, as expected from a converging gradient descent",
        claim="proposition-3.1-vanishing",
        mutant="steps-always-shrink",
        correction="what is proved is that each step lowers its own loss Lᵢ, by h‖Δᵢ‖²; whether ‖Δᵢ‖ decreases with i depends on the contextual layer, "
        "and for a recurrent one it need not",
        to_measure="‖Δᵢ‖ against i for a contextual layer for which it does not decrease, e.g. a recurrent network",
    ),
)


def load_errata() -> list[Erratum]:
    """All errata, by number."""
    return list(ERRATA)
