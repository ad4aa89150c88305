"""Leaks and traps that a reviewer tried: bounds that are not reached, what is kept or written on the way, gradients, statistics."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from tests.numeric.operators.leaks import Leak, of, stream
from tests.numeric.operators.small_blocks import NETWORK, attended, mlp


def _bounded(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + torch.minimum(mlp(p, z), s.abs() + 40)  # leak: a bound that is not reached


def _bounded_by_the_query(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + torch.minimum(mlp(p, z), x.abs() + 40)


def _written_over(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    y = mlp(p, z)
    y[..., 0] = s[..., 0]  # leak: an entry is written over
    return s + y


def _written_by_the_query(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, p.w, p.b))
    h[..., 0] = x[..., 0]
    return s + F.linear(h, p.out, p.c)


def _listed(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    gate = torch.tensor(s.tolist(), dtype=s.dtype)
    return s + mlp(p, z) * gate  # leak: a list of numbers


def _listed_query(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + mlp(p, z) * torch.tensor(x.tolist(), dtype=x.dtype)


def _into_another(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    y = torch.empty_like(s)
    torch.add(s, mlp(p, z), out=y)  # leak: a sum into another tensor
    return y


def _added(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return torch.add(s, mlp(p, z))


def _kept(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    p.kept = s.clone()
    return s + mlp(p, z) * torch.sigmoid(p.kept)  # leak: kept in an attribute


def _kept_query(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    p.kept = x.clone()
    return s + mlp(p, z) * torch.sigmoid(p.kept)


def _pooled(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, p.w, p.b))  # leak: a maximum over tokens
    return s + F.linear(h + h.amax(1, keepdim=True), p.out, p.c)


def _pooled_features(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    h = F.gelu(F.linear(z, p.w, p.b))
    return s + F.linear(h + h.amax(-1, keepdim=True), p.out, p.c)


def _gradient(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    with torch.enable_grad():
        at = z.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(mlp(p, at).sum(), at)  # leak: a gradient by what W reads
    return s + slope


def _gradient_in_front(p: nn.Module, x: Tensor) -> Tensor:
    with torch.enable_grad():
        at = x.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(at.pow(3).sum(), at)
    s, z = stream(x + slope)
    return s + mlp(p, z)


def _checked(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    y = mlp(p, z)
    return s + torch.where(torch.isfinite(s), y, torch.zeros_like(y))  # leak: a check of the stream


def _own_check(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + torch.nan_to_num(mlp(p, z))


def _statistics(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    mean, deviation = s.mean(-1, keepdim=True), s.std(-1, keepdim=True)
    return s + deviation * mlp(p, (s - mean) / deviation)  # leak: the stream's deviation


def _query_statistics(p: nn.Module, x: Tensor) -> Tensor:
    s, z = stream(x)
    return s + x.std(-1, keepdim=True) * mlp(p, z)


MORE_TRAPS = (
    Leak("a bound that is not reached", of(_bounded, **NETWORK), refusals.NO_SUM, "minimum", of(_bounded_by_the_query, **NETWORK)),
    Leak("an entry is written over", of(_written_over, **NETWORK), refusals.NO_SUM, "copy_", of(_written_by_the_query, **NETWORK)),
    Leak("a list of numbers", of(_listed, **NETWORK), refusals.UNTRACKED, "mul.Tensor", of(_listed_query, **NETWORK)),
    Leak("a sum into another tensor", of(_into_another, **NETWORK), refusals.NO_SUM, "add.out", of(_added, **NETWORK)),
    Leak("kept in an attribute", of(_kept, **NETWORK), refusals.NO_SUM, "mul.Tensor", of(_kept_query, **NETWORK)),
    Leak("a maximum over tokens", of(_pooled, **NETWORK), refusals.TWO_TOKENS, "addmm", of(_pooled_features, **NETWORK)),
    Leak("a gradient by what W reads", of(_gradient, **NETWORK), refusals.SECOND_CUT, "mm", of(_gradient_in_front, **NETWORK)),
    Leak("a check of the stream", of(_checked, **NETWORK), refusals.DISCRETE, "where", of(_own_check, **NETWORK)),
    Leak("the stream's deviation", of(_statistics, **NETWORK), refusals.NO_SUM, "mul.Tensor", of(_query_statistics, **NETWORK)),
)
