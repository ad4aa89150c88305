"""Each row against torch's own constants, and against facts written by hand; rounding to a format against torch's casts."""

import math
import struct
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from numeric.formats import MODES, Format, format_named, modes_named, round_to
from numeric.formats.format import FORMATS, UnknownFormat

DTYPES = {"fp8-e4m3": torch.float8_e4m3fn, "fp8-e5m2": torch.float8_e5m2}


@pytest.mark.parametrize("row", [row for row in FORMATS if row.name != "tf32"], ids=lambda row: row.name)
def test_the_row_agrees_with_torch(row: Format) -> None:
    info = torch.finfo(DTYPES.get(row.name) or getattr(torch, row.dtype))
    assert row.unit_roundoff == info.eps / 2
    assert row.smallest_normal == info.smallest_normal
    assert row.largest == info.max
    assert row.smallest_subnormal == info.smallest_normal * info.eps


def test_the_numbers_that_everybody_knows() -> None:
    assert format_named("fp16").largest == 65504
    assert format_named("bf16").unit_roundoff == 1 / 256
    assert format_named("fp32").smallest_subnormal == 2.0**-149
    assert format_named("fp64").smallest_subnormal == 5e-324
    assert format_named("tf32").unit_roundoff == 2.0**-11
    assert (format_named("fp8-e4m3").largest, format_named("fp8-e5m2").largest) == (448, 57344)


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16), *DTYPES.items()])
def test_rounding_to_a_format_is_what_torch_does(name: str, dtype: torch.dtype) -> None:
    """A million numbers of all sizes; only past the range of e4m3 does torch saturate, where a NaN is wanted."""
    row = format_named(name)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1_000_000, generator=generator) * torch.exp2(torch.randint(-30, 18, (1_000_000,), generator=generator).float())
    ours, theirs = round_to(x, row), x.to(dtype).float()
    beyond = x.abs() > row.largest + row.unit_roundoff * 2.0**row.max_exponent  # half a step past Ω
    assert torch.equal(ours[~beyond], theirs[~beyond])
    assert not torch.isfinite(ours[beyond]).any()
    assert beyond.any() == (row.largest < 2**17)


@settings(max_examples=500, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_tf32_keeps_eleven_bits_and_rounds_to_the_nearest(x: float) -> None:
    row = format_named("tf32")
    found = Fraction(round_to(torch.tensor(x), row).item()) if abs(x) < 2.0**127 else None
    if found is not None:
        step = Fraction(2) ** (max(row.min_exponent, _exponent(x)) - row.significand_bits + 1)
        assert found % step == 0
        assert abs(found - Fraction(x)) <= step / 2


def plainly_rounded(x: float, row: Format) -> float:
    """A number to nearest, ties to even, over the rationals."""
    if not math.isfinite(x):
        return x
    step = Fraction(2) ** (max(row.min_exponent, math.frexp(x)[1] - 1) - row.significand_bits + 1)
    found = round(Fraction(x) / step) * step  # Python's round takes the even one of two
    if abs(found) > Fraction(row.largest):
        return math.nan if row.reserved else math.copysign(math.inf, x)
    return math.copysign(float(found), x)


ENDS = [row.largest * factor for row in FORMATS[2:] for factor in (1.0, -1.0, 1.0 + 2.0**-12, 1.0 - 2.0**-13) if row.largest * abs(factor) < 3.4e38]
ANY_FLOAT32 = st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack("f", struct.pack("I", bits))[0])


@pytest.mark.parametrize("row", FORMATS[2:], ids=lambda row: row.name)
@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_FLOAT32 | st.floats(-500.0, 500.0, width=32) | st.sampled_from([*ENDS, math.inf, -math.inf, math.nan, -0.0]), min_size=1, max_size=6))
def test_rounding_beside_any_other_numbers_is_what_the_rationals_say(row: Format, numbers: list[float]) -> None:
    """Bit for bit, signs of zero and all; numbers within the range alone, and with one that is past it, an infinity or a NaN."""
    x = torch.tensor(numbers, dtype=torch.float32)
    found, wanted = round_to(x, row), torch.tensor([plainly_rounded(each, row) for each in x.tolist()], dtype=torch.float32)
    same = found.view(torch.int32) == wanted.view(torch.int32)
    assert bool((same | (found.isnan() & wanted.isnan())).all()), (numbers, found, wanted)
    assert torch.equal(found.view(torch.int32)[x.isnan()], x.view(torch.int32)[x.isnan()]), "a NaN keeps its bits"


def test_nothing_is_rounded_to_nothing() -> None:
    assert round_to(torch.empty(0, 3), format_named("tf32")).shape == (0, 3)


def _exponent(x: float) -> int:
    _, exponent = torch.frexp(torch.tensor(x, dtype=torch.float64))
    return int(exponent) - 1


def test_an_unknown_format_names_the_near_miss() -> None:
    with pytest.raises(UnknownFormat, match='no format named "bf15"; did you mean "bf16"'):
        format_named("bf15")
    with pytest.raises(UnknownFormat, match=f'no format named "fp15".*"fp16".*shows all {len(MODES)}'):
        modes_named(["fp15"])
