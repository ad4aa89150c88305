import math

from reports.figures import radii_table
from tests.report_samples import sweep


def _swept(variant: str, predicted: float, measured: float, block: str = "attention"):
    return sweep(block=block, variant=variant, predicted_radius=predicted, measured_radius=measured)


def test_variants_stand_beside_one_another_and_are_compared_with_the_first():
    table = radii_table([_swept("formula", 2.0**-71, 2.0**-72), _swept("scaled", 2.0**-131, 2.0**-131)])
    assert table.variants == ("formula", "scaled")
    (row,) = table.rows
    first, second = row.variants
    assert first is not None
    assert second is not None
    assert (first.factor, first.further) == (0.5, None)
    assert (second.factor, second.further) == (1.0, 59)


def test_a_quotient_out_of_range_is_counted_in_powers_of_two():
    (row,) = radii_table([_swept("formula", 2.0**600, 2.0**600), _swept("scaled", 2.0**-1074, 2.0**-1074)]).rows
    assert row.variants[1] is not None
    assert row.variants[1].further == 1674


def test_a_variant_that_was_not_swept_is_no_number():
    rows = radii_table([_swept("formula", 1.0, 1.0), _swept("scaled", 1.0, 1.0), _swept("scaled", 0.5, 0.5, block="other")]).rows
    assert rows[1].variants[0] is None
    assert rows[1].variants[1] is not None
    assert rows[1].variants[1].further is None


def test_a_radius_that_is_zero_or_infinite_is_compared_with_nothing():
    (row,) = radii_table([_swept("formula", 0.0, 0.0), _swept("scaled", 1.0, math.inf)]).rows
    first, second = row.variants
    assert first is not None
    assert second is not None
    assert first.factor is None
    assert second.further is None
