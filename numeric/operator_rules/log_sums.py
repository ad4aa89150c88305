"""The rows of log-softmax and of log-sum-exp: ℓ_i = x_i - X - ln S, and X + ln S, with X = max x_j, S = Σe^(x_j - X) ≥ 1.

e_i, s and N_i are those of ``rules/normalisation.py``: |Ŝ - S| ≤ s, so ln Ŝ errs by λ = δ/(1 - δ), δ = s/S, and 2v k_ln(ln S + λ) = λ' more. With t_i = X - x_i

    log-softmax     v t_i + λ + λ' + v(t_i(1 + v) + ln S + λ + λ')      the difference, the logarithm, the difference of both
    log-sum-exp     λ + λ' + ω(ŷ)                                       and each step is stored: v is that of the storage on the way

Log-softmax of the 16-bit formats along the last axis stores S and ln S, on a CPU: u more in δ, and u(ln S + λ).
Blanchard, Higham and Higham, IMA J. Numer. Anal. 41 (2021), §4. Propagated: ln Σe^x_j moves by max r_j at most, as it
rises with each x_j, and by c where all do; so ℓ_i by r_i + max r_j.
"""

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, foretell_overflow, outward
from numeric.arithmetics.roundoff import gamma, rounding_error
from numeric.operator_rules.call import Bounded, OperatorCall
from numeric.operator_rules.columns import along, as_column, bounded, bounded_along
from numeric.operator_rules.functions import flushed
from numeric.operator_rules.norms import is_last, narrow, nothing
from numeric.rules import down, elementary_error, exp_above, up
from numeric.rules.enclosures import exp_below, finished, input_radius, log_size_above, lowered, magnitude, storage_error
from numeric.rules.normalisation import powers

_FAR = 2.0**11
"""At which e^-t is no float64 any more; t e^-t falls from 1 on, so it stands for everything beyond."""


def log_softmax(call: OperatorCall) -> list[Bounded]:
    """_log_softmax along an axis."""
    if call.result.numel() == 0:
        return [nothing(call.result)]
    dim = int(call.number("dim"))
    arranged = along(dim)
    x = as_column(call, call.tensor("self"), arranged)
    made, n, value = powers(x), x.numerics, arranged(call.result).unsqueeze(-1)
    v = n.opmath.unit_roundoff
    u = n.storage.unit_roundoff if narrow(call) and is_last(call, dim) else 0.0
    share = outward(made.denominator / made.sum_below, 1)
    level, lost = _logarithm(made.sum_above, outward(share + u * (1.0 + share), 2), u, x)
    own = outward(v * made.high + lost + v * outward(made.high * (1.0 + v) + level + lost, 3), 4)
    foretell_overflow(x.hazards, outward((made.high + level + lost).amax((-2, -1), keepdim=True) * (1.0 + 4.0 * v), 4), n.storage)
    radius = input_radius(x, made.flushed)
    inherited = outward(radius + radius.amax(-2, keepdim=True), 1)
    return [bounded_along(dim, finished(value, outward(own + inherited + storage_error(value, x, made.flushed), 2), x), call.result.shape)]


def _logarithm(total: Tensor, share: Tensor, stored: float, x: WithRadius) -> tuple[Tensor, Tensor]:
    """Upper bounds of ln S and of λ + λ'.  share: δ; stored: the roundoff with which the logarithm is stored on the way, if it is."""
    n = x.numerics
    level = log_size_above(total.clamp_min(1.0))
    moved = outward(share / down(1.0 - share).clamp_min(0.0), 1)
    of_log = 2.0 * n.opmath.unit_roundoff * elementary_error("log", n.device, n.storage.name).ulps
    of_log = of_log + stored * (1.0 + of_log)
    unit = n.storage.smallest_subnormal + flushed(n)
    return level, outward(moved + of_log * outward(level + moved, 1) + unit, 3)


def log_sum_exp(call: OperatorCall) -> list[Bounded]:
    """logsumexp over some axes."""
    given, dims = call.tensor("self"), call.given["dim"]
    assert isinstance(dims, list | tuple)
    if given.dim() == 0:
        summed: list[int] = []
    else:
        summed = sorted(dim % given.dim() for dim in dims) if dims else list(range(given.dim()))
    if call.result.numel() == 0 or given.numel() == 0:
        if call.result.numel():
            raise call.refuse("of no numbers")
        return [nothing(call.result)]
    kept = [dim for dim in range(given.dim()) if dim not in summed]
    width = int(torch.Size([given.shape[dim] for dim in summed]).numel())
    x = as_column(call, given, lambda t: t.permute([*kept, *summed]).reshape(-1, width))
    return [bounded(_summed(x, call.result.reshape(-1, 1, 1)), call.result.shape)]


def _summed(x: WithRadius, value: Tensor) -> WithRadius:
    """ln Σe^x_j of each column, by kernels of which each stores its result.  value: (rows, 1, 1)."""
    n, p = x.numerics, x.value.shape[-2]
    u, v, k = n.elementwise_roundoff, n.opmath.unit_roundoff, elementary_error("exp", n.device, n.storage.name).ulps
    centre, unit = x.value.double(), n.storage.smallest_subnormal + flushed(n)
    distance = centre.amax(-2, keepdim=True) - centre
    low, high = down(distance).clamp_min(0.0), up(distance)
    above, below = exp_above(-low), exp_below(-high)
    total, least = outward(above.sum(-2, keepdim=True), p), lowered(below.sum(-2, keepdim=True), p)
    argument = outward(u * high.clamp_max(_FAR) * exp_above(-low.clamp_max(_FAR) * (1.0 - u - 2.0**-51)), 2)
    powers_lost = outward(argument + (2.0 * k * v + u) * (above + argument) + (k + 1.0) * unit, 6)
    of_sum = gamma(p - 1, v) + u
    lost = outward(powers_lost.sum(-2, keepdim=True) * (1.0 + of_sum) + of_sum * total + unit, p + 4)
    level, of_log = _logarithm(total, outward(lost / least, 1), n.storage.unit_roundoff if n.storage != n.opmath else 0.0, x)
    size = magnitude(x).amax(-2, keepdim=True)
    foretell_overflow(x.hazards, outward(high.amax(-2, keepdim=True) * (1.0 + 2.0 * u), 2), n.storage, hides=True)
    foretell_overflow(x.hazards, outward((size + level + of_log) * (1.0 + 2.0 * u), 4), n.storage)
    inherited = input_radius(x).amax(-2, keepdim=True)
    return finished(value, outward(of_log + inherited + rounding_error(value, n) + flushed(n), 3), x)
