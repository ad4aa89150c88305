"""The row of the attention kernel against its definition in balls."""

from typing import Any

import pytest
import torch
from torch import Tensor

from numeric.operator_rules import Bounded, NoOperatorRule, attention
from numeric.operator_rules.table import OPERATOR_ROWS
from tests.numeric.operator_rules import references_attention
from tests.numeric.operator_rules.against_exact import Tally, compare
from tests.numeric.operator_rules.drawn_calls import Drawer
from tests.numeric.operator_rules.opinfo import samples
from tests.numeric.operator_rules.probed_modes import DTYPES, probed

SPREADS = (0.0, 1e-6, 1e-2)
FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
KINDS = ("moderate", "small", "zeros", "moderate", "tiny")
MANY = 25


def drawn(mode: str, seed: int) -> tuple[tuple[Any, ...], dict[str, Any], str]:
    """The arguments of a call, and which kind of numbers they hold."""
    kind = KINDS[seed % len(KINDS)]
    draw = Drawer(torch.Generator().manual_seed(seed), DTYPES[mode], kind)
    cases, heads, queries, keys, d = (draw.integer(1, most) for most in (2, 2, 4, 6, 5))
    if seed % 5 == 3 and kind == "moderate":
        keys = 40
    x = [draw.numbers((cases, heads, n, d)) for n in (queries, keys, keys)]
    named: dict[str, Any] = {"scale": (None, 0.3, 1.7)[draw.integer(0, 2)]}
    if draw.integer(0, 2) == 0:
        return (*x, 0.0, True), named, kind
    if draw.integer(0, 1) == 0:
        mask = draw.numbers((cases, heads, queries, keys))
        closed = torch.rand(mask.shape, generator=draw.generator) < 0.3
        closed[..., 0] = False
        named["attn_mask"] = mask.masked_fill(closed, -torch.inf)
    return (*x, 0.0, False), named, kind


def sweep(mode: str, seeds: range, spreads: tuple[float, ...]) -> Tally:
    """Calls of our own."""
    ordinary, extreme = Tally(), Tally()
    for seed in seeds:
        args, kwargs, kind = drawn(mode, seed)
        for spread in spreads:
            tally = ordinary if kind in ("moderate", "small") else extreme
            compare(FLASH, args, kwargs, references_attention.attention, probed(mode), tally, spread=spread, seed=seed)
    for tally in (ordinary, extreme):
        assert not tally.outside, tally.outside[:3]
        assert not tally.infinite
    assert not ordinary.needless, ordinary.needless[:3]
    return ordinary


@pytest.mark.parametrize("mode", ["bf16"])
def test_attention_of_our_own_stays_within_its_radii(mode: str) -> None:
    sweep(mode, range(2), (1e-2,))


@pytest.mark.soak
@pytest.mark.parametrize("mode", DTYPES)
def test_much_attention_stays_within_its_radii(mode: str) -> None:
    tally = sweep(mode, range(MANY), SPREADS)
    print(f"{mode} attention: {tally.samples} calls of ordinary numbers, {tally.entries} entries, {tally.worst:.3f} of a radius")


@pytest.mark.soak
@pytest.mark.parametrize("mode", DTYPES)
def test_the_samples_of_opinfo_stay_within_their_radii(mode: str) -> None:
    tally, refused = Tally(), 0
    for seed, (operator, args, kwargs) in enumerate(samples("nn.functional.scaled_dot_product_attention", DTYPES[mode])):
        if operator is FLASH:
            for spread in SPREADS:
                try:
                    compare(operator, args, kwargs, references_attention.attention, probed(mode), tally, spread=spread, seed=seed)
                except NoOperatorRule as why:
                    if "with dropout" not in str(why):
                        raise
                    refused += 1
    print(f"{mode} attention: {tally.samples} samples of op_db, {tally.entries} entries, {tally.worst:.3f} of a radius, {refused} refused")
    assert tally.samples
    assert not tally.infinite
    assert not tally.outside, tally.outside[:3]


def exponential(dtype: torch.dtype, exponents: Tensor) -> Tensor:
    """e^-s as the kernel has it, out of ln(1 + 511 e^-s), which it returns in fp32 at least."""
    query, keys, ones = torch.zeros(1, 1, 1, 8, dtype=dtype), torch.zeros(1, 1, 512, 8, dtype=dtype), torch.ones(1, 1, 512, 8, dtype=dtype)
    query[..., 0], keys[0, 0, 1:, 0] = 1.0, -1.0
    logs = torch.stack([FLASH(query, keys, ones, 0.0, False, scale=s)[1].double().squeeze() for s in exponents.tolist()])
    return torch.expm1(logs) / 511


@pytest.mark.parametrize("count", [150, pytest.param(30_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_the_exponential_errs_by_what_is_assumed(name: str, count: int) -> None:
    """Over three of its periods, ln 2 each; and that of the 16-bit formats by far more than 20 ulps, so it is another one."""
    exponents = torch.linspace(0.01, 2.2, count, dtype=torch.float64).float()
    worst = float((exponential(DTYPES[name], exponents) / torch.exp(-exponents.double()) - 1).abs().max())
    if name == "fp32":
        assert worst <= 2.0**-23 * attention.ULPS
    else:
        assert 2.0**-23 * attention.ULPS < worst <= attention.QUICK


def test_half_a_radius_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted negative."""

    def halved(call: Any) -> list[Bounded]:
        return [Bounded(each.radius / 2, each.doubts) for each in attention.flash_attention(call)]

    monkeypatch.setitem(OPERATOR_ROWS, "_scaled_dot_product_flash_attention_for_cpu.default", halved)
    with pytest.raises(AssertionError):
        sweep("bf16", range(4), (1e-2,))
