"""More leaks and traps, of the kinds that a look at modules, or at small differences alone, does not show."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from tests.numeric.operators.leaks import Leak, of, stream
from tests.numeric.operators.small_blocks import GATED, NETWORK, D, M, attended, gated, mlp, rms


def _sign(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * s.sign()  # leak: a sign


def _query_sign(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * x.sign()


def _mask(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z).masked_fill(s > 0, 0.5)  # leak: a comparison


def _own_mask(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.linear(z, p.w, p.b)
    return s + F.linear(h.masked_fill(h > 0, 0.5), p.out, p.c)


def _sort(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z).gather(-1, s.argsort(-1))  # leak: a sort


def _own_sort(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.linear(z, p.w, p.b)
    return s + F.linear(h.gather(-1, h.argsort(-1)), p.out, p.c)


def _rounded(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * (1 + s.round())  # leak: a rounding


def _length(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / x.shape[1] ** 0.5  # leak: a length


def _width(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / x.shape[-1] ** 0.5


def _norm_of_w(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / p.w.norm()  # leak: a norm of W


def _norm_of_another(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / p.b.norm()


def _number_of_w(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    size = float(p.w.max())  # leak: a Python number of W
    return s + mlp(p, z) / size


def _number_of_another(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) / float(p.b.max())


def _rounded_w(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, (8 * p.w).round() / 8, p.b))  # leak: W is quantised
    return s + F.linear(h, p.out, p.c)


def _rounded_other(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(F.gelu(F.linear(z, p.w, p.b)), (8 * p.out).round() / 8, p.c)


def _no_product(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = (z[..., None, :] * p.w).sum(-1)  # leak: W times z, entry by entry
    return s + F.linear(h, p.out, p.c)


def _linear(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.linear(F.linear(z, p.w), p.out, p.c)


def _over_cases(p: nn.Module, x: Tensor) -> Tensor:
    s, _ = stream(x)
    z = s - s.mean(0)  # leak: a mean over cases
    return s + mlp(p, z)


def _concatenated(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = torch.cat([F.gelu(F.linear(z, p.w, p.b)), s], -1)  # leak: concatenated
    return F.linear(h, p.wide)


def _concatenated_query(p: nn.Module, x: Tensor) -> Tensor:
    _, z = stream(x)
    return F.linear(torch.cat([F.gelu(F.linear(z, p.w, p.b)), x], -1), p.wide)


def _nonlinear_sum(p: nn.Module, x: Tensor) -> Tensor:
    a = attended(x)
    y = torch.tanh(mlp(p, rms(x + a)) + a)  # leak: a function between two sums
    return y + x + a


def _scalar_absorber(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    made = p.alpha * torch.tanh(F.linear(z, p.w))
    return s + made  # leak: one number cannot absorb


def _scale_absorber(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + p.g * torch.tanh(F.linear(z, p.w))


def _absorber_twice(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + gated(p, z) * torch.tanh(p.down.sum(-1))  # leak: the absorber is read twice


def _other_read_twice(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + gated(p, z) * torch.tanh(p.twice.sum(-1)) * torch.sigmoid(F.linear(x, p.twice))


def _other_operand(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    gate = F.silu(F.linear(z, p.gate))
    return s + F.linear(gate * F.linear(s, p.up), p.down)  # leak: another operand


def _same_operand(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + gated(p, z)


def _dropped(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + F.dropout(mlp(p, z), 0.5, p.training)  # leak: dropout in training mode


def _second_layer(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    s = s + F.linear(F.gelu(F.linear(z, p.w, p.b)), p.out, p.c)  # leak: attention behind the cut
    return s + attended(s)


def _second_network(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    s = s + F.linear(F.gelu(F.linear(z, p.w, p.b)), p.out, p.c)
    return s + torch.tanh(F.linear(s, p.q))


def training(build):  # type: ignore[no-untyped-def]
    return lambda: build().train()


def evaluated(build):  # type: ignore[no-untyped-def]
    return lambda: build().eval()


TRAPS = (
    Leak("a sign", of(_sign, **NETWORK), refusals.NO_SUM, "mul.Tensor", of(_query_sign, **NETWORK)),
    Leak("a comparison", of(_mask, **NETWORK), refusals.DISCRETE, "masked_fill", of(_own_mask, **NETWORK)),
    Leak("a sort", of(_sort, **NETWORK), refusals.DISCRETE, "gather", of(_own_sort, **NETWORK)),
    Leak("a rounding", of(_rounded, **NETWORK), refusals.NO_SUM, "mul.Tensor", of(_query_sign, **NETWORK)),
    Leak("a length", of(_length, **NETWORK), refusals.MOVING_NUMBER, "div.Tensor", of(_width, **NETWORK)),
    Leak("a norm of W", of(_norm_of_w, **NETWORK), refusals.NO_PRODUCT, "div.Tensor", of(_norm_of_another, **NETWORK)),
    Leak("a Python number of W", of(_number_of_w, **NETWORK), refusals.NUMBER_OF_W, "_local_scalar_dense", of(_number_of_another, **NETWORK)),
    Leak("W is quantised", of(_rounded_w, **NETWORK), refusals.NOT_ITS_ENTRIES, "addmm", of(_rounded_other, **NETWORK)),
    Leak("W times z, entry by entry", of(_no_product, **NETWORK), refusals.NO_PRODUCT, "mul.Tensor", of(_linear, **NETWORK)),
    Leak("a mean over cases", of(_over_cases, **NETWORK), refusals.MIXES_CASES, "mean", of(_linear, **NETWORK)),
    Leak("concatenated", of(_concatenated, **NETWORK, wide=(D, M + D)), refusals.NO_SUM, "cat", of(_concatenated_query, **NETWORK, wide=(D, M + D))),
    Leak("a function between two sums", of(_nonlinear_sum, **NETWORK), refusals.NOT_ONE_SUM, "add.Tensor", of(_linear, **NETWORK)),
    Leak("one number cannot absorb", of(_scalar_absorber, w=(D, D), alpha=(1,)), refusals.NO_ABSORBER, "add.Tensor", of(_scale_absorber, w=(D, D), g=(D,))),
    Leak(
        "the absorber is read twice",
        of(_absorber_twice, **GATED),
        refusals.NO_ABSORBER,
        "add.Tensor",
        of(_other_read_twice, **GATED, twice=(D, D)),
        ("gate", "up"),
    ),
    Leak("another operand", of(_other_operand, **GATED), refusals.OTHER_OPERAND, "mm", of(_same_operand, **GATED), ("gate", "up")),
    Leak("dropout in training mode", training(of(_dropped, **NETWORK)), refusals.NOT_REPEATABLE, "bernoulli_", evaluated(of(_dropped, **NETWORK))),
    Leak("attention behind the cut", of(_second_layer, **NETWORK), refusals.TWO_TOKENS, "addmm", of(_second_network, **NETWORK, q=(D, D))),
)
