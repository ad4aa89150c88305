"""No rule gives less than its docstring states, at columns where each term counts; and none gives a quarter more."""

import math
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any
from unittest.mock import patch

import mpmath
import pytest
import torch
from torch import Tensor, nn

from numeric.arithmetics import exact, hazards
from numeric.formats import Format
from numeric.machine import ErrorModel
from numeric.rules import normalisation
from numeric.rules.normalisation import layer_norm_rule, rms_norm_rule, softmax_rule
from tests.numeric.rules.stated_bounds import BITS, normalised, softmax
from tests.numeric.rules.worst_kernels import LOW, ONE, TWO, coarse, model, tensor

FLUSHING = model(coarse("fp32", 10, lowest=-8), flushes=True)
OWN_FLUSH = model(coarse("bf16", 6, lowest=-20), coarse("fp32", 12, lowest=-10))
"""A 16-bit format whose kernels may take what is subnormal where they compute for zero."""
ON_A_GPU = replace(model(coarse("fp32", 16)), device="cuda")
FINE = model(coarse("fp32", 22, lowest=-30, highest=30))
STATED = {"one": ONE, "two": TWO, "low": LOW, "flushing": FLUSHING, "bf16": OWN_FLUSH, "gpu": ON_A_GPU, "fine": FINE}

COLUMNS = {
    1: [[0.0], [-3.0], [2.0**-7]],
    2: [[1.0, -1.0], [2.0, 1.0], [2.0**-9, 2.0**-10], [-0.25, 6.5], [2.0**14, -(2.0**13)]],
    3: [[3.0, 0.0, -3.0], [1.5, 1.5, 1.5], [2.0**-8, -(2.0**-11), 0.0], [-9.0, -8.0, -6.0]],
    8: [[1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0], [5.0, 5.125, 4.875, 5.0, 5.25, 4.75, 5.0, 5.0], [2.0**-8 * (j % 3 - 1.5) for j in range(8)]],
    17: [[(j * 7 % 17) / 4 - 1.0 for j in range(17)]],
}
WIDER = 1.25
"""A rule that gave so many times what is stated would be another rule."""
RADII = (0.0, 0.125)
AT = [("one", width) for width in COLUMNS] + [("low", 1), ("low", 8), ("fine", 17)] + [(of, 3) for of in ("two", "flushing", "bf16", "gpu")]
"""Models, each at widths at which its own terms count."""


def _radii(size: float, width: int) -> list[float]:
    return [size * (1 + j % 3) for j in range(width)]


@cache
def stated_softmaxes(of: str, width: int) -> tuple[list[list[float]], list[list[float]], list[list[float]], Tensor]:
    """Columns, radii, values and what is stated: (cases, width) float64, rounded down."""
    with mpmath.workprec(BITS):
        columns, radii = zip(*[(x, _radii(size, width)) for x, size in product(COLUMNS[width], (*RADII, 2.0**-8, 0.4))], strict=True)
        values = [[math.exp(t - max(x)) / math.fsum(math.exp(s - max(x)) for s in x) for t in x] for x in columns]
        rows = [softmax(STATED[of], x, r, y) for x, r, y in zip(columns, radii, values, strict=True)]
        return list(columns), list(radii), values, torch.tensor([[_below(t) for t in row] for row in rows], dtype=torch.float64)


def _below(t: mpmath.mpf) -> float:
    return math.nextafter(float(t), -math.inf) if mpmath.isfinite(t) else math.inf


def softmax_radius(of: str, width: int) -> tuple[Tensor, Tensor]:
    """What the rule gives, and what is stated."""
    columns, radii, values, stated = stated_softmaxes(of, width)
    x = exact(tensor(columns), STATED[of], hazards(len(columns)), radius=tensor(radii))
    return softmax_rule(nn.Softmax(dim=-1), x, tensor(values)).entry_radius.squeeze(-1), stated


@pytest.mark.parametrize(("of", "width"), AT)
def test_softmax_gives_what_is_stated(of: str, width: int) -> None:
    found, stated = softmax_radius(of, width)
    assert bool((found >= stated).all())
    assert bool((found < WIDER * stated).all()), "the planted one"


NORMS: dict[str, dict[str, Any]] = {
    "no parameters": {"elementwise_affine": False, "eps": 2.0**-6},
    "both parameters": {"eps": 2.0**-4},
    "a tiny ε": {"eps": 2.0**-26},
    "no ε of the format": {"eps": 2.0**-70},
    "no ε": {"eps": 0.0},
    "an ε of its own": {"eps": None},
}


def norm(kind: type[nn.LayerNorm] | type[nn.RMSNorm], which: str, width: int) -> nn.LayerNorm | nn.RMSNorm:
    """Weights and biases of either sign, above 1 and below."""
    made = kind(width, **NORMS[which]).double().requires_grad_(False)
    if made.weight is not None:
        made.weight.copy_(torch.tensor([(-1.0) ** j * (0.25 + j % 4) for j in range(width)]))
        if isinstance(made, nn.LayerNorm):
            made.bias.copy_(torch.tensor([(-1.0) ** (j // 2) * (0.75 + j % 3) for j in range(width)]))
    return made


KINDS = (nn.LayerNorm, nn.RMSNorm)


@cache
def stated_norms(kind: type[nn.LayerNorm] | type[nn.RMSNorm], which: str, of: str, width: int) -> tuple[Any, ...]:
    module = norm(kind, which, width)
    columns, radii = zip(*[(x, _radii(size, width)) for x, size in product(COLUMNS[width], RADII)], strict=True)
    values = torch.nan_to_num(module(torch.tensor(columns, dtype=torch.float64)), nan=0.0).tolist()
    with mpmath.workprec(BITS):
        rows = [normalised(module, STATED[of], x, r, y) for x, r, y in zip(columns, radii, values, strict=True)]
        stated = torch.tensor([[_below(t) for t in row.radius] for row in rows], dtype=torch.float64)
        foretold = [torch.tensor([_below(getattr(row, name)) for row in rows], dtype=torch.float64) for name in ("inside", "result", "factor")]
    return list(columns), list(radii), values, stated, foretold, torch.tensor([row.lost for row in rows])


def ruled(kind: type[nn.LayerNorm] | type[nn.RMSNorm], which: str, of: str, width: int) -> tuple[Tensor, list[tuple[Tensor, Format, bool]], Tensor]:
    """What the rule gives, what it hands on as the largest magnitudes, and where it says that a denominator is lost."""
    columns, radii, values, *_ = stated_norms(kind, which, of, width)
    handed: list[tuple[Tensor, Format, bool]] = []

    def note(flags: object, largest: Tensor, storage: Format, *, hides: bool = False) -> None:
        handed.append((largest.expand(len(columns), 1, 1).flatten(), storage, hides))

    x = exact(tensor(columns), STATED[of], hazards(len(columns)), radius=tensor(radii))
    rule = layer_norm_rule if kind is nn.LayerNorm else rms_norm_rule
    with patch.object(normalisation, "foretell_overflow", note):
        found = rule(norm(kind, which, width), x, tensor(values))
    return found.entry_radius.squeeze(-1), handed, x.hazards.underflow


CASES = [(kind, which, *at) for kind in KINDS for which in NORMS for at in AT if kind is nn.RMSNorm or NORMS[which]["eps"] is not None]


@pytest.mark.parametrize(("kind", "which", "of", "width"), CASES)
def test_a_norm_gives_what_is_stated(kind: type[nn.LayerNorm] | type[nn.RMSNorm], which: str, of: str, width: int) -> None:
    *_, stated, foretold, lost = stated_norms(kind, which, of, width)
    found, handed, underflow = ruled(kind, which, of, width)
    assert bool((found >= stated).all())
    assert bool((found < WIDER * stated)[stated > 0].all()), "the planted one"
    n: ErrorModel = STATED[of]
    assert [(storage, hides) for _, storage, hides in handed] == [(n.opmath, True), (n.storage, False), (n.opmath, False)]
    for (largest, _, _), least in zip(handed, foretold, strict=True):
        assert bool((largest >= least).all())
        assert bool(((largest < WIDER * least) | torch.isinf(least) | (least <= 0)).all())
    assert bool((underflow >= lost).all())
    assert which == "no ε" or not bool(underflow.any())


def test_moments_are_enclosed_where_a_mean_leaves_little() -> None:
    """Columns about 1 whose deviations are of the size of what float64's own mean loses: |d|, |μ| and Σd² of the fractions."""
    for width in (3, 8, 17):
        rows = 1.0 + torch.randint(-8, 9, (60, width), generator=torch.Generator().manual_seed(width)).double() * 2.0**-52
        rows[::2] *= -3.0
        moments = normalisation._central_moments(exact(rows.unsqueeze(-1), FINE, hazards(60)))
        for case, row in enumerate(rows.tolist()):
            mean = sum(Fraction(t) for t in row) / width
            d = [abs(Fraction(t) - mean) for t in row]
            assert all(Fraction(above) >= t for above, t in zip(moments.deviation[case].flatten().tolist(), d, strict=True))
            assert Fraction(moments.mean[case].item()) >= abs(mean)
            assert Fraction(moments.below[case].item()) <= sum(t * t for t in d) <= Fraction(moments.above[case].item())


def test_moments_are_no_wider_than_what_a_mean_may_lose() -> None:
    """Far from zero, where float64's mean of whole numbers is exact: |d| is wider, and Σd² lower, by (n + 2)·2^-52·Σ|x|/n and not by a quarter more."""
    for row in ([2.0**40 + 1.0, 2.0**40 - 1.0], [2.0**40 + 3.0, 2.0**40 - 1.0, 2.0**40 - 2.0], [-(2.0**41), -(2.0**41) - 2.0, -(2.0**41) - 7.0]):
        moments = normalisation._central_moments(exact(tensor([row]), FINE, hazards(1)))
        mean, slack = sum(Fraction(t) for t in row) / len(row), (len(row) + 2) * sum(Fraction(abs(t)) for t in row) / len(row) / 2**52
        d, most = [abs(Fraction(t) - mean) for t in row], Fraction(WIDER) * slack
        assert mean == round(mean)
        assert most < min(t for t in d if t) / 2, "small beside what it is taken from"
        assert all(t + slack <= Fraction(above) <= t + most for above, t in zip(moments.deviation.flatten().tolist(), d, strict=True))
        assert Fraction(moments.mean.item()) >= abs(mean) + slack
        assert sum(max(t - most, 0) ** 2 for t in d) <= Fraction(moments.below.item()) <= sum(max(t - slack, 0) ** 2 for t in d)
