"""The row of attention in one kernel, ``_scaled_dot_product_flash_attention_for_cpu``: o = Σ p_j v_j, p = softmax of s_j = c q·k_j + m_j.

The kernel reads keys in blocks, adds e^(ŝ_j - M) v_j and e^(ŝ_j - M), M the largest score so far, multiplies both sums by e^(M_old - M_new) when
that grows, and divides at the end. v is the roundoff of the format of computation, d the entries of q, n the keys, b the blocks, ε the relative error of an
exponential.

    R      |c|(r_q(|k̂| + r_k) + |q̂|r_k) + r_m                                          what a score inherits: the product rule
    S      γ_(d+3)|c||q̂||k̂| + v(|c||q̂||k̂| + |m̂|)                                       what it loses, in any order: Higham §3.1
    θ      e^(2R + S + 4v(D + S)(b + 1)) ((1 + ε)(1 + v))^(b + 1) - 1                     of each e^(ŝ_j - M); D the largest distance of two scores
    Θ      (1 + θ)(1 + γ_(n+b+4))(1 + u)/((1 - θ)(1 - γ_(n+b))) - 1                       of each weight, u where the powers are stored before they meet V
    o      Θ Σ p_j|v̂_j| + (1 + Θ)(Σ p_j r_v + η Σ|v̂_j|) + ω(ô)

since each weight, and the sum by which it is divided, errs by a factor, and o is an average of the v_j; it never errs by more than 2 max(|v̂| + r_v)
and what is rounded. η is what an exponential may lose by underflow beside the largest, which is 1. The second result, ln Σe^s_j, moves by max R_j, loses the
exponent of θ, and the roundings of a sum and of a logarithm.

**The exponential** of the 16-bit formats is ATen's ``fexp_u20``, a polynomial of degree three without a documented error: the largest found is 1.15e-4,
relative, and a third more is assumed; its argument is rounded once more. That of the others is ``exp_u20``, 20 ulps.
"""

import math

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma, rounding_error
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import doubts_over, joint_doubts
from numeric.operator_rules.norms import nothing

ULPS = 20.0
"""Of ``exp_u20``; a library's own, which short rows take, errs by less."""
QUICK = 1.54e-4
"""The relative error of ``fexp_u20``."""
KEYS_AT_ONCE = 32
"""Keys of a block at least: torch 2.13 takes 512."""


def flash_attention(call: OperatorCall) -> list[Bounded]:
    """Queries (B, H, q, d), keys (B, H, n, d), values (B, H, n, e): the averages, and ln Σe^s of each query."""
    query, key, value = (call.entries(name) for name in ("query", "key", "value"))
    if call.result.numel() == 0 or key.value.numel() == 0:
        raise call.refuse("of nothing")
    if query.value.shape[:2] != key.value.shape[:2] or key.value.shape[:2] != value.value.shape[:2] or call.number("dropout_p") != 0.0:
        raise call.refuse("of heads that share keys, or with dropout")
    scores = _Scores(call, query, key)
    return _averaged(call, scores, value)


class _Scores:
    """Scores of each query and key, (B, H, q, n), and how far the kernel's are off."""

    def __init__(self, call: OperatorCall, query: Entries, key: Entries) -> None:
        n, d = call.model, query.value.shape[-1]
        given = call.given.get("scale")
        scale = 1.0 / math.sqrt(d) if given is None else call.number("scale")
        v, c = n.opmath.unit_roundoff, abs(scale) * (1.0 + 2.0**-50)
        mask = _mask(call, (query.value.shape[-2], key.value.shape[-2]))
        self.open = torch.isfinite(mask.value)
        if not bool((self.open | (mask.value == -torch.inf)).all()) or not bool(self.open.any(-1).all()):
            raise call.refuse("with a mask that closes all keys, or of other numbers than finite ones and -inf")
        added = torch.where(self.open, mask.value, 0.0)
        size = outward(c * outward(query.size @ key.size.mT, d), 1)
        self.value = torch.where(self.open, scale * (query.value @ key.value.mT) + added, -torch.inf)
        moved = outward(outward(query.radius @ key.above.mT, d + 1) + outward(query.size @ key.radius.mT, d), 1)
        self.inherited = torch.where(self.open, outward(c * moved + mask.radius, 2), 0.0)
        units = torch.full_like(size, c * d * n.opmath.half_subnormal + 2.0 * n.opmath.half_subnormal)
        if n.elementwise_flushes or n.flushing or n.storage != n.opmath:
            small = n.opmath.smallest_normal
            units = units + outward(c * (query.above.sum(-1, keepdim=True) + key.above.sum(-1).unsqueeze(-2) + d + 2.0) * 2.0 * small, d + 4)
        own = outward(gamma(d + 3, v) * size + v * (size + added.abs()), 3) + units + outward((size + added.abs()) * (2.0**-52 * (d + 3)), 1)
        self.lost = torch.where(self.open, own, 0.0)
        self.largest = outward(size + added.abs() + own, 2)
        self.doubts = joint_doubts([_over_entries(query.doubts, (-1,)), _over_keys(key.doubts), mask.doubts], self.value.shape)


def _over_entries(doubts: Tensor | None, dims: tuple[int, ...]) -> Tensor | None:
    return doubts_over(doubts, dims, keepdim=True)


def _over_keys(doubts: Tensor | None) -> Tensor | None:
    found = _over_entries(doubts, (-1,))
    return None if found is None else found.mT


def _mask(call: OperatorCall, shape: tuple[int, int]) -> Entries:
    given, zero = call.given.get("attn_mask"), torch.zeros(shape, dtype=torch.float64, device=call.result.device)
    if given is not None:
        found = call.entries_of(given)
        return Entries(found.value, torch.where(torch.isfinite(found.value), found.radius, 0.0), found.doubts)
    if call.given.get("is_causal"):
        zero = zero.masked_fill(~torch.ones(shape, dtype=torch.bool, device=zero.device).tril(), -torch.inf)
    return Entries(zero, torch.zeros_like(zero), None)


def _averaged(call: OperatorCall, scores: _Scores, value: Entries) -> list[Bounded]:
    n, keys = call.model, value.value.shape[-2]
    v, blocks = n.opmath.unit_roundoff, math.ceil(keys / KEYS_AT_ONCE)
    reach = torch.where(scores.open, scores.value.abs(), 0.0).amax(-1, keepdim=True) * 2.0
    lost, inherited = scores.lost.amax(-1, keepdim=True), scores.inherited.amax(-1, keepdim=True)
    of_power = gamma(2 * (blocks + 1), 2.0 * v * ULPS if n.opmath == n.storage else QUICK)  # (1 + ε)(1 + v), as v ≤ ε
    argument = outward(lost + 4.0 * v * (reach + lost) * (blocks + 1.0), 4)
    kernel = outward((outward(torch.expm1(argument.clamp_max(1.0)), 4) + of_power) * (1.0 + of_power), 4)
    theta = outward(kernel + outward(torch.expm1((2.0 * inherited).clamp_max(1.0)), 4) * (1.0 + kernel), 3)
    unstored = n.storage.unit_roundoff if n.opmath != n.storage else 0.0
    growth = (1.0 + gamma(keys + blocks + 4, v)) * (1.0 + unstored) / (1.0 - gamma(keys + blocks, v)) * (1.0 + 2.0**-50)
    share = outward((1.0 + theta) * growth / (1.0 - theta).clamp_min(0.0) - 1.0 + 2.0**-50, 4)  # infinite where θ ≥ 1
    weights = outward(torch.softmax(scores.value, -1) * (1.0 + 2.0**-40), 1)  # float64's, whose error is of second order beside 2⁻⁴⁰
    average, spread = (outward(weights @ each, keys) for each in (value.size, value.radius))
    unit = n.opmath.smallest_normal + (n.storage.smallest_normal if n.storage != n.opmath or n.elementwise_flushes else 0.0)
    beside = outward(2.0 * unit * (value.size.sum(-2, keepdim=True) + value.above.amax(-2, keepdim=True) * keys), keys + 2)
    own = outward(share * average + (1.0 + share) * (spread + beside), 5)
    most = value.above.amax(-2, keepdim=True)
    own = torch.minimum(torch.where(torch.isnan(own), torch.inf, own), outward(2.0 * most * (1.0 + gamma(keys + blocks + 8, v)) * (1.0 + unstored) + beside, 2))
    last = rounding_error(call.result, n) + n.elementwise_underflow
    too_much = ~(outward(most * keys * 2.0, 1) < n.opmath.largest) | ~(scores.largest.amax(-1, keepdim=True) < n.opmath.largest)
    passes = too_much | ~(outward(most * (1.0 + 4.0 * n.storage.unit_roundoff), 2) < n.storage.largest)
    of_query = doubts_over(scores.doubts, (-1,), keepdim=True)
    found = call.within(outward(own + last, 2), passes, of_query, doubts_over(value.doubts, (-2,), keepdim=True))
    return [found, _logarithm(call, scores, outward(argument + 2.0 * of_power, 1), inherited)]


def _logarithm(call: OperatorCall, scores: _Scores, factor: Tensor, inherited: Tensor) -> Bounded:
    """ln Σe^s.  factor: of the logarithm of what each power errs by, -ln(1 - γ) ≤ 2γ; the rest is a sum of n terms, its logarithm, and two roundings."""
    result = call.results[1]
    if result.numel() == 0:
        return nothing(result)
    n, keys = call.models(result.dtype), scores.value.shape[-1]
    u = n.opmath.unit_roundoff
    level = outward(scores.largest.amax(-1, keepdim=True) + math.log(keys) + 1.0, 2)
    rounded = gamma(keys + 8, u) * 2.0 + 16.0 * u * level
    underflow = 4.0 * keys * n.opmath.smallest_normal
    radius = outward(factor + rounded + underflow + inherited, 5).squeeze(-1).expand(scores.value.shape[:-1])
    if result.shape != radius.shape:
        raise call.refuse("with a logarithm that lies otherwise")
    return call.exactly(radius, doubts_over(scores.doubts, (-1,), keepdim=False), at=1)
