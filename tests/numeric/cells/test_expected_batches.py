"""The expected bound is of some cases of the first of every eight batches: what it is there does not depend on that, and elsewhere nothing is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from numeric.machine import ProbedMode
from numeric.training import TrainedBlock
from symbolic.vocabulary import sampling
from tests.numeric.measuring import measured

BATCH, CASES = 8, 70


def test_it_is_there_in_the_first_of_eight_batches(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "EXPECTED_OF", 5)
    probed = replace(machine["fp32"], batch=BATCH)
    some = measured(blocks["attention"], probed, cases=CASES).judged
    asked = (np.arange(CASES) // BATCH % 8 == 0) & (np.arange(CASES) % BATCH < 5)
    assert asked.sum() == sampling.expected_cases(CASES, BATCH)
    assert 0 < asked.sum() < CASES
    assert np.array_equal(np.isfinite(some.expected), asked)
    assert np.array_equal(np.isnan(some.expected_ratio), ~asked)
    monkeypatch.setattr(sampling, "EXPECTED_EVERY", 1)
    monkeypatch.setattr(sampling, "EXPECTED_OF", BATCH)
    every = measured(blocks["attention"], probed, cases=CASES).judged
    assert np.isfinite(every.expected).all()
    assert np.array_equal(every.expected[asked], some.expected[asked])
    assert len(np.unique(some.norm_a)) == CASES, "no case is measured twice"
    large = measured(blocks["attention"], machine["fp32"], cases=CASES).judged
    assert np.array_equal(np.argsort(large.norm_a), np.argsort(some.norm_a)), "however many at once, they are the same cases"
    for number in ("error", "bound", "verdict", "wrong_noticed"):
        assert np.array_equal(getattr(every, number), getattr(some, number)), "it judges nothing"
