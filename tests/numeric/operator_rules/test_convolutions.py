"""The row of convolutions against its sums in balls: every backend that a CPU chooses here, depthwise and causal ones among them."""

from fractions import Fraction as F  # noqa: N817 - the formula is read more easily
from typing import Any

import numpy as np
import pytest
import torch

from numeric.operator_rules import Bounded, BoundedWalk, KnownTensors, NoOperatorRule, convolutions
from numeric.operator_rules.doubts import Doubt
from numeric.operator_rules.models import models_of
from numeric.operator_rules.table import OPERATOR_ROWS
from tests.numeric.operator_rules.against_exact import Tally, compare
from tests.numeric.operator_rules.drawn_calls import KINDS, Drawer
from tests.numeric.operator_rules.opinfo import samples
from tests.numeric.operator_rules.probed_modes import DTYPES, probed
from tests.numeric.operator_rules.references_convolutions import convolution
from tests.numeric.operator_rules.test_stated_sums import Unit, exact, held

SPREADS = (0.0, 1e-6, 1e-2)
CONVOLUTION = torch.ops.aten.convolution.default
OPINFO = tuple(f"nn.functional.conv{way}{n}d" for way in ("", "_transpose") for n in (1, 2, 3))
MANY = 35
"""Calls of our own: five of each kind of numbers."""


def drawn(mode: str, seed: int) -> tuple[tuple[Any, ...], str]:
    """The arguments of a call, and which kind of numbers they hold."""
    kind = KINDS[seed % len(KINDS)]
    draw = Drawer(torch.Generator().manual_seed(seed), DTYPES[mode], kind)
    n, groups, each, transposed = draw.integer(1, 2), draw.integer(1, 3), draw.integer(1, 3), draw.integer(0, 3) == 0
    kernel, channels = tuple(draw.integer(1, 4 if n == 1 else 2) for _ in range(n)), groups * each
    out = groups * draw.integer(1, 2)
    x = draw.tensor((draw.integer(1, 2), channels, *(draw.integer(4, 6) for _ in range(n))))
    w = draw.tensor((channels, out // groups, *kernel) if transposed else (out, each, *kernel))
    bias = draw.tensor((out,)) if draw.integer(0, 1) else None
    stride, dilation, padding = ([draw.integer(low, high)] * n for low, high in ((1, 2), (1, 1 if transposed else 2), (0, 0 if transposed else 3)))
    if draw.integer(0, 2) == 0 and not transposed:  # as a Mamba's: each channel by itself, causal
        groups, w = channels, draw.tensor((channels, 1, *kernel))
        bias = None if bias is None else draw.tensor((channels,))
    return (x, w, bias, stride, padding, dilation, transposed, [0] * n, groups), kind


def transposed_by_onednn(why: str, transposed: bool) -> bool:
    """Whether that is what was refused: torch has no name for it."""
    return transposed and "by _ConvBackend.???" in why


def sweep(mode: str, seeds: range, spreads: tuple[float, ...]) -> Tally:
    """Calls of our own."""
    ordinary, extreme = Tally(), Tally()
    for seed in seeds:
        arguments, kind = drawn(mode, seed)
        for spread in spreads:
            tally = ordinary if kind in ("moderate", "small") else extreme
            try:
                compare(CONVOLUTION, arguments, {}, convolution, probed(mode), tally, spread=spread, seed=seed)
            except NoOperatorRule as why:
                if not transposed_by_onednn(str(why), arguments[6]):
                    raise
    for tally in (ordinary, extreme):
        assert not tally.outside, tally.outside[:3]
        assert not tally.infinite
    assert not ordinary.needless, ordinary.needless[:3]
    return ordinary


@pytest.mark.parametrize("mode", ["bf16"])
def test_convolutions_of_our_own_stay_within_their_radii(mode: str) -> None:
    sweep(mode, range(7), (1e-2,))


@pytest.mark.soak
@pytest.mark.parametrize("mode", DTYPES)
def test_many_convolutions_stay_within_their_radii(mode: str) -> None:
    tally = sweep(mode, range(MANY), SPREADS)
    print(f"{mode} convolution: {tally.samples} calls of ordinary numbers, {tally.entries} entries, {tally.worst:.3f} of a radius")


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # of a sample of PyTorch's
@pytest.mark.parametrize("mode", DTYPES)
def test_the_samples_of_opinfo_stay_within_their_radii(mode: str) -> None:
    tally, refused = Tally(), 0
    for entry in OPINFO:
        for seed, (operator, args, kwargs) in enumerate(samples(entry, DTYPES[mode])):
            if operator is CONVOLUTION and args[0].numel() * args[1].numel() <= 20_000:
                for spread in SPREADS:
                    try:
                        compare(operator, args, kwargs, convolution, probed(mode), tally, spread=spread, seed=seed)
                    except NoOperatorRule as why:
                        if not transposed_by_onednn(str(why), args[6]):
                            raise
                        refused += 1
    print(f"{mode} convolution: {tally.samples} samples of op_db, {tally.entries} entries, {tally.worst:.3f} of a radius, {refused} refused")
    assert tally.samples >= 20
    assert not tally.outside, tally.outside[:3]
    assert not tally.infinite


@pytest.mark.parametrize("groups", [1, 64])
def test_onednn_adds_bf16_products_in_fp32(groups: int) -> None:
    """1 + 63·2⁻⁹: a partial sum of 16 bits, 1 first, would stay 1, as each 2⁻⁹ is less than half a unit in its last place; wherever the 1 stands."""
    taps = 64
    for at in (0, 1, 31, 32, 62, 63):
        row = torch.full((taps,), 2.0**-9, dtype=torch.bfloat16)
        row[at] = 1.0
        w = torch.ones((64, 1, taps) if groups == 64 else (2, 1, taps), dtype=torch.bfloat16)
        x = row.expand(1, 64 if groups == 64 else 1, taps).contiguous()
        backend = torch._C._select_conv_backend(x, w, None, [1], [0], [1], False, [0], groups)
        assert str(backend).endswith(convolutions.ADDS_WIDE)
        assert torch.ops.aten.convolution(x, w, None, [1], [0], [1], False, [0], groups).unique().tolist() == [1.125]


def _fractions(x: torch.Tensor) -> Any:
    made = np.empty(x.shape, dtype=object)
    made[...] = np.vectorize(F, otypes=[object])(x.double().numpy())
    return made


@pytest.mark.parametrize("kind", ["moderate", pytest.param("tiny", marks=pytest.mark.soak)])
@pytest.mark.parametrize("mode", ["fp32", *(pytest.param(name, marks=pytest.mark.soak) for name in ("bf16", "fp16", "fp32-ftz"))])
@pytest.mark.parametrize(("groups", "padding"), [(1, 0), (3, 2)])
def test_radii_are_what_is_stated(mode: str, kind: str, groups: int, padding: int) -> None:
    """The docstring's formula in fractions, from both sides; oneDNN's in fp32 and bf16, ATen's own in fp16."""
    draw = Drawer(torch.Generator().manual_seed(3), DTYPES[mode], kind)
    x, w, b = draw.numbers((1, 3, 5)), draw.numbers((3, 3 // groups, 3)), draw.numbers((3,))
    knowledge, radii = KnownTensors(), [each.double().abs() * share for each, share in ((x, 0.01), (w, 0.02), (b, 1e-3))]
    for each, radius in zip((x, w, b), radii, strict=True):
        knowledge.put(each, Bounded(radius))
    call = (x, w, b, [1], [padding], [1], False, [0], groups)
    backend = str(torch._C._select_conv_backend(*call)).rsplit(".", 1)[-1]
    assert backend in convolutions.DIRECT
    with torch.no_grad(), BoundedWalk(models_of(probed(mode)), knowledge, probed(mode).mode.while_running("cpu")):
        made = CONVOLUTION(*call)
    known, unit, k = knowledge.of(made), Unit(probed(mode).layer), 3 * 3 // groups
    assert isinstance(known, Bounded)
    (x_size, w_size, b_size), z = map(_fractions, (x.abs(), w.abs(), b.abs())), _fractions(made)
    x_radius, w_radius, b_radius = (np.vectorize(unit.read, otypes=[object])(*map(_fractions, pair)) for pair in zip((x, w, b), radii, strict=True))

    def convolved(a: Any, c: Any, d: Any) -> Any:
        return convolution(a, c, d, *call[3:])

    zero, ones = np.full(3, F(0), dtype=object), [np.full(each.shape, F(1), dtype=object) for each in (x, w)]
    terms = convolved(x_size, w_size, b_size)
    stated = convolved(x_size + x_radius, w_radius, b_radius) + convolved(x_radius, w_size, zero)
    wide = backend == convolutions.ADDS_WIDE
    u = unit.v if wide or not unit.narrow else unit.u + 2 * unit.v
    stated = stated + unit.gamma(k + 1, u) * terms + (k + 1) * (unit.eta if wide else unit.underflow)
    if unit.flushed or mode == "bf16":
        small = F(unit.n.opmath.smallest_normal)
        stated = stated + (convolved(x_size + x_radius, ones[1], zero) + convolved(ones[0], w_size + w_radius + small, zero)) * small + (2 * k + 2) * small
    if unit.narrow:
        half = F(unit.n.storage.half_subnormal)
        stated = stated + (np.abs(z) + b_size.reshape(3, 1)) * 2 * unit.u + np.vectorize(unit.stored, otypes=[object])(z) + 2 * half
    held(exact(known.radius), list(stated.flatten()))


def test_what_a_sum_reads_is_in_doubt_with_it() -> None:
    """An entry of x spoils the sums that read it, of its group; one of the bias its channel."""
    x, w, b = torch.ones(1, 2, 5), torch.ones(2, 1, 2), torch.ones(2)
    for spoiled, where in ((x, (0, 1, 2)), (w, (1, 0, 0)), (b, (1,))):
        knowledge, doubts = KnownTensors(), torch.zeros(spoiled.shape, dtype=torch.uint8)
        doubts[where] = int(Doubt.UNDECIDED)
        knowledge.put(spoiled, Bounded(torch.zeros(spoiled.shape, dtype=torch.float64), doubts))
        with torch.no_grad(), BoundedWalk(models_of(probed("fp32")), knowledge):
            known = knowledge.of(CONVOLUTION(x, w, b, [1], [0], [1], False, [0], 2))
        assert isinstance(known, Bounded)
        assert known.doubts is not None
        right = torch.zeros(1, 2, 4, dtype=torch.uint8)
        right[0, 1, 1 : 3 if spoiled is x else None] = int(Doubt.UNDECIDED)
        if spoiled is not x:
            right[0, 1] = int(Doubt.UNDECIDED)
        assert torch.equal(known.doubts, right)


@pytest.mark.parametrize("mode", ["bf16"])
def test_half_a_radius_is_noticed(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted negative."""

    def halved(call: Any) -> list[Bounded]:
        return [Bounded(each.radius / 2, each.doubts) for each in convolutions.convolution(call)]

    monkeypatch.setitem(OPERATOR_ROWS, "convolution.default", halved)
    with pytest.raises(AssertionError):
        sweep(mode, range(28, 35), (0.0,))


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may add before it multiplies."""
    monkeypatch.setattr(torch._C, "_select_conv_backend", lambda *given: torch._C._ConvBackend.NnpackSpatial)
    arguments, _ = drawn("fp32", 0)
    with pytest.raises(NoOperatorRule, match=r"by _ConvBackend\.NnpackSpatial"):
        compare(CONVOLUTION, arguments, {}, convolution, probed("fp32"), Tally(), spread=0.0, seed=0)
