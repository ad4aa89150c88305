"""W₀, W₁, ..., Wₙ of Appendix B and of Section 3 as a machine makes them, and how far each lies from the real one.

With aᵢ = A(cᵢ₊₁..cₙ,x), pᵢ = A(c₁..cᵢ,x), a = p₀ = aₙ and z = a₀ = pₙ as computed, and taken as exact:

    Appendix B    Wᵢ = Wᵢ₋₁Fᵢ,  Fᵢ = 1 + (aᵢ₋₁ - aᵢ)aᵢᵀ/‖aᵢ‖²,  Wₙ = W₀F₁⋯Fₙ        Eqs. (31), (33), (35)
    Section 3     Wᵢ = Wᵢ₋₁ - hΔᵢ₋₁,  Wₙ = W₀ - hΣΔᵢ                               Eqs. (15), (20)

**The bound.** Write Ŵₖ = Ŵₖ₋₁Fₖ + Lₖ, with the very Ŵₖ₋₁ that the machine held. |Lₖ| ≤ λₖ comes of running the shared formula of
one step over values and radii (``value_and_radius.py``), its operands exact. An exact step is linear in W, so by induction on i,

    Ŵᵢ - Wᵢ = Σ_{k≤i} Lₖ Fₖ₊₁⋯Fᵢ,        hence  |Ŵᵢ - Wᵢ| ≤ Σ_{k≤i} λₖ |Fₖ₊₁⋯Fᵢ|,               (1)

and no term of second order was dropped. The absolute value stands outside of the product, which is computed in float64 and
enclosed; inside, as a chain of radii has it, λₖ|Fₖ₊₁|⋯|Fᵢ| would grow exponentially. The invariant is carried along for nothing:
Fᵢaᵢ = aᵢ + (aᵢ₋₁ - aᵢ) = aᵢ₋₁, so Fₖ₊₁⋯Fᵢaᵢ = aₖ and

    Ŵᵢaᵢ - W₀a₀ = Σ_{k≤i} Lₖaₖ,          hence  |Ŵᵢaᵢ - W₀a₀| ≤ Σ_{k≤i} λₖ|aₖ|.                  (2)

In Section 3 a step adds what does not depend on W, so errors only add up: |Ŵᵢ - Wᵢ| ≤ Σλₖ and |Ŵᵢa - W₀pᵢ| ≤ Σλₖ|a|. The products
P̂ₖ = fl(P̂ₖ₋₁F̂ₖ) obey (1) with λₖ = |P̂ₖ₋₁|ρₖ + γ_d|P̂ₖ₋₁||F̂ₖ|, where |F̂ₖ - Fₖ| ≤ ρₖ; W₀P̂ᵢ is one product more.
Source: (1) is a running error analysis (Higham, "Accuracy and Stability of Numerical Algorithms", §3.3) of a linear recursion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import Enclosed, Hazards, exact, hazards, outward
from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.matrix_products import applied_above, chained, product_error, running_sums
from numeric.machine import FP64, ErrorModel
from symbolic import formulas

StepFormula = Callable[..., Any]
"""Makes Wᵢ of W₀, Wᵢ₋₁ and some vectors, in any arithmetic."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the contextual layer gave for some prompts, in the format."""

    prefix: Tensor
    """(prompts, n + 1, d, 1): pᵢ = A(c₁..cᵢ, x)."""
    suffix: Tensor
    """(prompts, n + 1, d, 1): aᵢ = A(cᵢ₊₁..cₙ, x)."""

    @property
    def tokens(self) -> int:
        """n."""
        return self.prefix.shape[1] - 1

    @property
    def alone(self) -> Tensor:
        """(prompts, n, d, 1): A(x), once for each token."""
        return self.prefix[:, :1].expand(-1, self.tokens, -1, -1)


@dataclass(frozen=True, slots=True)
class Path:
    """Weights after each token."""

    weights: Tensor
    """(prompts, n + 1, m, d), in the format."""
    strayed: Envelope
    """λₖ: how far step k may have strayed from an exact one; of (prompts·n) cases."""

    @property
    def strayed_by_step(self) -> Tensor:
        """λₖ entry by entry: (prompts, n, m, d)."""
        prompts, m, d = len(self.weights), *self.weights.shape[-2:]
        return self.strayed.dense(m, d, on=self.weights.device).expand(prompts * (self.weights.shape[1] - 1), m, d).unflatten(0, (prompts, -1))

    def carried(self, columns: Tensor) -> Tensor:
        """Σ_{k≤i} λₖ|xₖ|, the sum of (2).  columns: (prompts, n, d, 1), xₖ. Returns (prompts, n, m, 1)."""
        sums = self.strayed.apply(columns.double().abs().flatten(0, 1))
        return running_sums(sums.unflatten(0, (len(columns), -1)))


def appendix_b_step(_: Any, W: Any, before: Any, a: Any) -> Any:
    """Wᵢ from Wᵢ₋₁, aᵢ₋₁ and aᵢ, and nothing of W₀.  Eq. (31)."""
    return formulas.patched_weight(W, formulas.rank_one_update(W, formulas.context_vector(before, a), a))


def section_3_step(first: Any, W: Any, before: Any, after: Any, a: Any) -> Any:
    """Wᵢ₊₁ from W₀, Wᵢ, pᵢ, pᵢ₊₁ and A(x).  Eq. (20)."""
    return formulas.gradient_step(W, formulas.token_effect(first, before, after, a), a)


def gradient_sum(first: Any, S: Any, before: Any, after: Any, a: Any) -> Any:
    """Δ₀ + ... + Δᵢ from Δ₀ + ... + Δᵢ₋₁."""
    return S + formulas.token_effect(first, before, after, a)


def appendix_b_path(W: Tensor, outputs: Outputs, n: ErrorModel, flags: Hazards) -> Path:
    """By the recursion, token by token.  W: (m, d), in the format; flags: of (prompts·n) cases."""
    return _path(W, W, appendix_b_step, (outputs.suffix[:, :-1], outputs.suffix[:, 1:]), n, flags)


def section_3_path(W: Tensor, outputs: Outputs, n: ErrorModel, flags: Hazards) -> Path:
    """Likewise."""
    return _path(W, W, section_3_step, (outputs.prefix[:, :-1], outputs.prefix[:, 1:], outputs.alone), n, flags)


def walked(first: Tensor, start: Tensor, step: StepFormula, vectors: Sequence[Tensor], n: ErrorModel) -> Tensor:
    """What the machine makes, step by step.  start: (p, q); vectors: each (prompts, steps, ...). Returns (prompts, steps + 1, p, q)."""
    states = [start.expand(len(vectors[0]), -1, -1)]
    with torch.no_grad(), n.running():
        for k in range(vectors[0].shape[1]):
            states.append(step(first, states[-1], *(vector[:, k] for vector in vectors)))
    return torch.stack(states, dim=1)


def _path(first: Tensor, start: Tensor, step: StepFormula, vectors: Sequence[Tensor], n: ErrorModel, flags: Hazards) -> Path:
    """The steps, and all of them once more at once, over values and radii, each from the weights that the machine held."""
    weights = walked(first, start, step, vectors, n)
    operands = (weights[:, :-1], *vectors)
    together = step(exact(first, n, flags), *(exact(x.flatten(0, 1), n, flags) for x in operands))
    if torch.equal(together.value, weights[:, 1:].flatten(0, 1)):
        return Path(weights, together.radius)
    # A larger batch added in another order, or something is not finite. The radius is then that of steps made one by one.
    radii = []
    for k in range(weights.shape[1] - 1):
        own = hazards(len(weights), weights.device)
        one = step(exact(first, n, own), *(exact(x[:, k], n, own) for x in operands))
        assert torch.equal(torch.nan_to_num(one.value), torch.nan_to_num(weights[:, k + 1])), "a step was made in two ways"
        for name in ("overflow", "underflow", "not_finite", "unforeseen"):
            getattr(flags, name).unflatten(0, (len(weights), -1))[:, k] |= getattr(own, name)
        radii.append(one.entry_radius.expand_as(one.value))
    return Path(weights, Envelope(parts=(torch.stack(radii, dim=1).flatten(0, 1),)))


def by_the_sum(W: Tensor, outputs: Outputs, n: ErrorModel, flags: Hazards) -> Enclosed:
    """W₀ - h(Δ₀ + ... + Δᵢ₋₁) for i = 1..n, and its distance from the real one.  Each (prompts, n, m, d)."""
    sums = _path(W, torch.zeros_like(W), gradient_sum, (outputs.prefix[:, :-1], outputs.prefix[:, 1:], outputs.alone), n, flags)
    radius = running_sums(sums.strayed_by_step)
    S = exact(sums.weights[:, 1:].flatten(0, 1), n, flags, radius=radius.flatten(0, 1))
    a = exact(outputs.alone.flatten(0, 1), n, flags)
    weights = formulas.gradient_step(exact(W, n, flags), S, a)
    return Enclosed(*(x.double().unflatten(0, (len(radius), -1)) for x in (weights.value, weights.entry_radius)))


@dataclass(frozen=True, slots=True)
class TokenFactors:
    """1 + hᵢAᵢ and their products, as the machine makes them."""

    each: Tensor
    """F̂ₖ: (prompts, n, d, d)."""
    products: Tensor
    """P̂ᵢ = F̂₁⋯F̂ᵢ: (prompts, n + 1, d, d)."""
    strayed: Tensor
    """λₖ of the products: (prompts, n, d, d) float64."""


def token_factors(outputs: Outputs, n: ErrorModel, flags: Hazards) -> TokenFactors:
    """Of Eqs. (33) to (35)."""
    each, radius = _factors(outputs, n, flags)
    one = torch.eye(each.shape[-1], dtype=each.dtype, device=each.device)
    products = walked(one, one, lambda _, P, F: P @ F, (each,), n)
    before = products[:, :-1]
    strayed = applied_above(before.double().abs(), radius) + product_error(before, each, products[:, 1:], n)
    return TokenFactors(each, products, outward(strayed, 1))


def _factors(outputs: Outputs, n: ErrorModel, flags: Hazards) -> tuple[Tensor, Tensor]:
    before, a = (exact(x.flatten(0, 1), n, flags) for x in (outputs.suffix[:, :-1], outputs.suffix[:, 1:]))
    d = outputs.suffix.shape[-2]
    one = exact(torch.eye(d, dtype=a.value.dtype, device=a.value.device), n, flags)
    factor = formulas.token_factor(one, formulas.context_vector(before, a), a)
    prompts = len(outputs.suffix)
    return factor.value.unflatten(0, (prompts, -1)), factor.entry_radius.expand_as(factor.value).unflatten(0, (prompts, -1))


def propagated(strayed: Tensor, outputs: Outputs, at: Sequence[int], flags: Hazards) -> Tensor:
    """Σ_{k≤i} λₖ|Fₖ₊₁⋯Fᵢ|, the sum of (1).  strayed: (prompts, n, p, d) float64; at: the i, rising. Returns (prompts, len(at), p, d)."""
    prompts, tokens, p, d = strayed.shape
    wide = Outputs(outputs.prefix.double(), outputs.suffix.double())
    F = Enclosed(*_factors(wide, FP64, flags))
    # One matrix after the other in the columns: Fₖ₊₁⋯Fᵢ for each i; begun as the identity, and left alone until k reaches i.
    one = torch.eye(d, dtype=torch.float64, device=strayed.device).repeat(1, len(at)).expand(prompts, -1, -1)
    total = torch.zeros((prompts, p, len(at) * d), dtype=torch.float64, device=strayed.device)
    value, radius = one.clone(), torch.zeros_like(one)
    for k in range(tokens, 0, -1):
        begun = slice(sum(i < k for i in at) * d, None)
        product = Enclosed(value[..., begun], radius[..., begun])
        total[..., begun] = outward(total[..., begun] + applied_above(strayed[:, k - 1], product.above), 1)
        product = chained(Enclosed(F.value[:, k - 1], F.radius[:, k - 1]), product, FP64)
        value[..., begun], radius[..., begun] = product.value, product.radius
    return total.unflatten(-1, (len(at), d)).movedim(-2, 1)


def by_the_product(W: Tensor, factors: TokenFactors, radius: Tensor, at: Sequence[int], n: ErrorModel) -> Enclosed:
    """W₀(1 + h₁A₁)⋯(1 + hᵢAᵢ), and its distance from the real one.  radius: of the products at those i, (prompts, len(at), d, d)."""
    products = factors.products[:, list(at)]
    with n.running():
        weights = W @ products
    inherited = applied_above(W.double().abs(), radius)
    return Enclosed(weights.double(), outward(inherited + product_error(W, products, weights, n), 1))
