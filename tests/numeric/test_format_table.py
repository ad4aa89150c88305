"""Each row against torch's own constants, and against facts written by hand."""

import pytest
import torch

from numeric.formats import FORMATS, Format, UnknownFormat, format_named


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_the_row_agrees_with_torch(row: Format) -> None:
    info = torch.finfo(getattr(torch, row.dtype))
    assert row.unit_roundoff == info.eps / 2
    assert row.smallest_normal == info.smallest_normal
    assert row.largest == info.max
    assert row.smallest_subnormal == info.smallest_normal * info.eps


def test_the_numbers_that_everybody_knows() -> None:
    assert format_named("fp16").largest == 65504
    assert format_named("bf16").unit_roundoff == 1 / 256
    assert format_named("fp32").smallest_subnormal == 2.0**-149
    assert format_named("fp64").smallest_subnormal == 5e-324


def test_an_unknown_format_names_the_near_miss() -> None:
    with pytest.raises(UnknownFormat, match='no format named "bf15"; did you mean "bf16"'):
        format_named("bf15")
