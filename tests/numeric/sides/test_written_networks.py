"""Random networks as people write them: what is measured of both sides lies within its radius of what their own module computes in float64."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from numeric.operator_rules import NoOperatorRule
from numeric.sides import judge
from tests.numeric.operators.random_networks import Random, Spec, specs
from tests.numeric.operators.small_blocks import watched
from tests.numeric.sides.test_written_sides import FORMATS, TOKENS, check_watched

ALL, PART = tuple(range(TOKENS)), (0, 3)
UNBOUNDED = ("multiplied by more than numbers and parameters", "a part of a parameter of each case's own")
"""What such a network may do that has no bound yet."""


def judged(spec: Spec, names: tuple[str, ...]) -> Counter[str]:
    """How many cases of each format are of each verdict."""
    block, found = watched(Random(spec), spec.first), Counter[str]()
    for name in names:
        for removed in (ALL, PART):
            try:
                verdicts = judge(check_watched(block, name, removed)).verdict
            except NoOperatorRule as why:
                if not any(words in str(why) for words in UNBOUNDED):
                    raise
                found[f"{name}: no rule"] += 1
                continue
            found.update(f"{name}: {verdict}" for verdict in verdicts)
    return found


@pytest.mark.soak
def test_forty_random_networks_lie_within_their_radii() -> None:
    found = Counter[str]()

    @given(specs)
    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    def draw(spec: Spec) -> None:
        found.update(judged(spec, FORMATS))

    draw()
    print(dict(sorted(found.items())))
    assert not any(count for words, count in found.items() if "VIOLATED" in words)
    assert found["fp32: HOLDS"] > found["fp32: VACUOUS"]
