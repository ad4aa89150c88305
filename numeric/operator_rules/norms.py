"""The rows of softmax and of the norms, by the rules of ``rules/normalisation.py`` along any axis, and of a batch norm that is not trained.

**Softmax** of the 16-bit formats along any axis but the last may store its powers before it divides them: ATen's kernel for such axes does, on a CPU.

**Batch norm.** y = (x - m)g + b, g = w/√D, D = V + ε, all four one number a channel, which may have radii. The machine's D̂ is off by γ_2 D, so ĝ by
ψ = (1 + ½γ_2/(1 - γ_2))(1 + 2kv)(1 + u) - 1, and it forms xĝ + (b - mĝ), or (x - m)ĝ + b; ĝ and b - mĝ may be held in the storage format, of roundoff u:

    introduced    |g|(|x - m|ψ + (γ_4 + u)(|x| + |m|)(1 + ψ)) + (γ_2 + u)|b| + underflow, then ω(ŷ)
    propagated    (|w| + r_w)Δ + r_w|x - m|/√D + r_b,   Δ = (r_x + r_m + ½|x - m| r_V/D_)/√D_,   D_ = D - r_V       mean value theorem

as D^-½ moves by at most ½ r_V D_^(-3/2), and 1/√D ≤ 1/√D_.
"""

import torch
from torch import Tensor

from numeric.arithmetics import Hazards, outward
from numeric.arithmetics.roundoff import gamma
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.columns import Arrangement, along, as_column, bounded, bounded_along
from numeric.operator_rules.doubts import Doubt, doubts_over, joint_doubts, marked, of_hazards
from numeric.operator_rules.functions import flushed, overflowing
from numeric.rules import down, elementary_error, sqrt_below, stored_error
from numeric.rules.normalisation import ROOT, Affine, Normalised, layer_normalised, rms_normalised, softmax_rule


def softmax_row(call: OperatorCall) -> list[Bounded]:
    """_softmax along an axis."""
    if call.result.numel() == 0:
        return [nothing(call.result)]
    dim, shape = int(call.number("dim")), call.result.shape
    arranged = along(dim)
    x = as_column(call, call.tensor("self"), arranged)
    return [bounded_along(dim, softmax_rule(None, x, arranged(call.result).unsqueeze(-1), stored=narrow(call) and not is_last(call, dim)), shape)]


def safe_softmax_row(call: OperatorCall) -> list[Bounded]:
    """_safe_softmax: the same, but 0 where all numbers of a row are -inf."""
    if call.given.get("dtype") not in (None, call.tensor("self").dtype):
        raise call.refuse("in another format")
    (found,) = softmax_row(call)
    x = call.tensor("self")
    if not x.numel() or not x.dim():
        return [found]
    closed = (x == -torch.inf).all(int(call.number("dim")), keepdim=True)
    return [Bounded(torch.where(closed, 0.0, found.radius), None if found.doubts is None else torch.where(closed, 0, found.doubts))]


def narrow(call: OperatorCall) -> bool:
    """Whether the format of computation is wider than the storage."""
    return call.model.opmath != call.model.storage


def is_last(call: OperatorCall, dim: int) -> bool:
    """Whether an axis is the last one."""
    return call.result.dim() == 0 or dim % call.result.dim() == call.result.dim() - 1


def nothing(x: Tensor) -> Bounded:
    """Of a result without entries."""
    return Bounded(torch.zeros(x.shape, dtype=torch.float64, device=x.device))


def layer_normalisation(call: OperatorCall) -> list[Bounded]:
    """native_layer_norm: the result, the mean, 1/√D."""
    width = _width(call, "normalized_shape")
    affine, doubts = _affine(call, lambda x: x.reshape(1, width))
    return _of_rows(call, width, affine, doubts, "input")


def root_mean_square(call: OperatorCall) -> list[Bounded]:
    """_fused_rms_norm: the result, 1/√D."""
    width = _width(call, "normalized_shape")
    affine, doubts = _affine(call, lambda x: x.reshape(1, width))
    return _of_rows(call, width, affine, doubts, "input", centred=False)


def group_normalisation(call: OperatorCall) -> list[Bounded]:
    """native_group_norm: the result, the mean, 1/√D, of each group of channels; D^-½ may be multiplied by w first."""
    if call.result.numel() == 0:
        return [nothing(each) for each in call.results]
    N, C, entries, groups = (int(call.number(name)) for name in ("N", "C", "HxW", "group"))

    def arranged(x: Tensor) -> Tensor:
        return x.reshape(1, C, 1).expand(N, C, entries).reshape(N * groups, C // groups * entries)

    affine, doubts = _affine(call, arranged, roundings=4)
    return _of_rows(call, C // groups * entries, affine, doubts, "input")


def _width(call: OperatorCall, name: str) -> int:
    sizes = call.given[name]
    assert isinstance(sizes, list | tuple)
    return int(torch.Size(sizes).numel())


def _affine(call: OperatorCall, arranged: Arrangement, *, roundings: int = 3) -> tuple[Affine, Tensor | None]:
    """w and b as the rule takes them, and the doubts of each row."""
    made: list[tuple[Tensor, Tensor | float]] = []
    found: list[Tensor | None] = []
    for name, otherwise in (("weight", 1.0), ("bias", 0.0)):
        given = call.given.get(name)
        if given is None:
            made.append((torch.full((1, 1, 1), otherwise, dtype=torch.float64, device=call.result.device), 0.0))
            continue
        read = call.entries_of(given)
        made.append((arranged(read.size).unsqueeze(-1), arranged(read.radius).unsqueeze(-1)))
        found.append(None if read.doubts is None else doubts_over(arranged(read.doubts), (-1,), keepdim=False))
    (weight, weight_radius), (bias, bias_radius) = made
    rows = torch.broadcast_shapes(*(each.shape for each in found if each is not None))
    return Affine(weight, bias, weight_radius, bias_radius, roundings), joint_doubts(found, torch.Size(rows))


def _of_rows(  # how rows are cut, and what they are multiplied by
    call: OperatorCall, width: int, affine: Affine, doubts: Tensor | None, name: str, *, centred: bool = True
) -> list[Bounded]:
    if call.result.numel() == 0:
        return [nothing(each) for each in call.results]
    x = as_column(call, call.tensor(name), lambda t: t.reshape(-1, width))
    value, eps = call.result.reshape(-1, width, 1), call.given["eps"]
    if eps is not None and call.number("eps") < 0.0:  # the rounding of V + ε would not be relative to it
        raise call.refuse(f"with eps = {eps}")
    if doubts is not None:
        _mark(x.hazards, doubts)
    own = None if eps is None else call.number("eps")
    made = layer_normalised(x, value, call.number("eps"), affine) if centred else rms_normalised(x, value, own, affine)
    statistics = (made.mean_radius, made.reciprocal_radius) if centred else (made.reciprocal_radius,)
    return [bounded(made.column, call.result.shape), *(_statistic(call, at, radius, made) for at, radius in enumerate(statistics, 1))]


def _mark(hazards: Hazards, doubts: Tensor) -> None:
    for doubt, where in ((Doubt.OVERFLOW, hazards.overflow), (Doubt.UNDERFLOW, hazards.underflow), (Doubt.NOT_FINITE, hazards.not_finite)):
        where |= (doubts & int(doubt)) != 0
    for doubt, where in ((Doubt.UNDECIDED, hazards.undecided), (Doubt.HIDDEN, hazards.hidden), (Doubt.UNFORESEEN, hazards.unforeseen)):
        where |= (doubts & int(doubt)) != 0


def _statistic(call: OperatorCall, at: int, radius: Tensor, made: Normalised) -> Bounded:
    value, doubts = call.results[at], of_hazards(made.column.hazards)
    n = call.models(value.dtype)
    stored = outward(radius.reshape(value.shape) + stored_error(value, n, flushed(n)), 1)
    return call.exactly(stored, None if doubts is None else doubts.reshape(value.shape), at=at)


def batch_normalisation(call: OperatorCall) -> list[Bounded]:
    """native_batch_norm and its kin, where they are not trained; what they return for a derivative is empty."""
    if call.given.get("training", False):
        raise call.refuse("of a batch that is trained on")
    if call.number("eps") < 0.0:
        raise call.refuse("with a negative eps")
    x, n = call.entries("input"), call.model
    m, V, w, b = (_channelwise(call, name) for name in ("running_mean", "running_var", "weight", "bias"))
    v, unit, eps = n.opmath.unit_roundoff, n.storage.smallest_subnormal + flushed(n), call.number("eps")
    held = n.elementwise_roundoff
    D = down(V.value + eps)
    least = down(D - V.radius)
    singular = ~((least > 0) & (V.value >= 0))
    D, least = (torch.where(singular, 1.0, each) for each in (D, least))
    beta = gamma(2, v)
    root = 2.0 * v * elementary_error(ROOT, n.device, n.storage.name).ulps
    psi = (1.0 + 0.5 * beta / (1.0 - beta)) * (1.0 + root) * (1.0 + held) * (1.0 + 2.0**-50) - 1.0 + 2.0**-50
    inverse, lowest = outward(1.0 / sqrt_below(D), 1), sqrt_below(least)
    g, distance, reach = outward(w.size * inverse, 1), outward((x.value - m.value).abs(), 1), outward(x.size + m.size, 1)
    terms = outward(g * outward(distance * psi + (gamma(4, v) + held) * reach * (1.0 + psi), 6), 1)
    own = outward(terms + (gamma(2, v) + held) * b.size + unit * (4.0 + 2.0 * reach + inverse), 4)
    moved = outward(outward(x.radius + m.radius + 0.5 * distance * outward(V.radius / least, 1), 4) / lowest, 1)
    propagated = outward(outward(w.size + w.radius, 1) * moved + w.radius * outward(distance * inverse, 1) + b.radius, 3)
    radius = torch.where(singular, torch.inf, outward(propagated + own + stored_error(call.result, n, flushed(n)), 2))
    largest = torch.maximum(outward(g.clamp_min(1.0) * reach * (1.0 + 16.0 * v) + b.size + own, 5), outward(inverse * w.size.clamp_min(1.0) * 2.0, 2))
    doubts = [x.doubts, *(each.doubts for each in (m, V, w, b)), marked(singular, Doubt.UNDERFLOW), overflowing(largest, n)]
    others = [nothing(each) if each.numel() == 0 else Bounded(call.radius(call.tensor(_statistic_of(call, each)))) for each in call.results[1:]]
    return [call.exactly(radius.expand(call.result.shape), joint_doubts(doubts, call.result.shape)), *others]


def _statistic_of(call: OperatorCall, x: Tensor) -> str:
    """Which running statistic a result is: it is named as overwritten, and is not."""
    for each, given in call.step.arguments():
        if given is x:
            return each.name
    raise call.refuse("that returns statistics of the batch")


def _channelwise(call: OperatorCall, name: str) -> Entries:
    """One number a channel, along axis 1; w = 1 and b = 0 where there are none."""
    given = call.given[name]
    if given is None:
        given = {"weight": 1.0, "bias": 0.0}.get(name)
    if given is None:
        raise call.refuse("without running statistics")
    read = call.entries_of(given)
    if read.value.dim() == 0:
        return read
    shape = (1, -1, *(1 for _ in call.result.shape[2:]))
    return Entries(read.value.reshape(shape), read.radius.reshape(shape), None if read.doubts is None else read.doubts.reshape(shape))
