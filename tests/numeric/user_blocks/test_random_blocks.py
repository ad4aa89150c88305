"""Right updates of random blocks are never VIOLATED, in whatever way their operands lie in memory; wrong ones are, where the bound is narrow enough."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from torch import Tensor

from numeric.architecture import asked_shapes
from numeric.cells import Cell, Measurement, Subject, exclusion_reason, measure_cell, variant_of
from numeric.formats import Mode
from numeric.machine import probe
from numeric.scenarios import scenarios_named
from numeric.sides import block_in_format
from numeric.sides.variant import OWN, variants_named
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.random_blocks import Drawn, drawn_blocks

NARROW = 0.25
"""A bound of less than this share of the update's effect has to show an update that is wrong by half of that effect: ½ - ¼ > ¼."""


def half_too_large(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
    """The planted wrong update."""
    right = (W @ delta) @ a.mT / (a.mT @ a)
    return right + right / 2.0


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measured(subject: Subject, mode: Mode, variant: str, batch: int) -> Measurement | None:
    """One batch; None where the suite says that the combination is not measured."""
    row, (scenario,) = variant_of(subject, variant), scenarios_named(["random"])
    if exclusion_reason(subject.block, subject.model.block, mode, scenario, row) is not None:
        return None
    probed = probe(mode, **asked_shapes([subject.model.block]), batch=batch)
    return measure_cell(Cell(subject, block_in_format(subject.model.block, probed), probed, row, scenario, batch, certified=8), 0)


def checked(drawn: Drawn, counts: Counter[str]) -> None:
    subject = own_block("random", drawn.block(), update=half_too_large)
    with threads(drawn.threads):
        for mode in drawn.modes:
            for variant in (variants_named(None)[drawn.seed % 3].id, OWN):
                found = measured(subject, mode, variant, drawn.batch)
                if found is None:
                    counts["not measured"] += 1
                    continue
                if variant != OWN:
                    counts.update(f"right: {name}" for name in found.judged.verdict)
                    counts[f"in {mode.id}"] += 1
                    assert found.verdict is not Verdict.VIOLATED, f"{drawn}, {mode.id}, {variant}: {float(found.judged.ratio.max())}"
                    continue
                clear = found.was_judged & (found.judged.resolution < NARROW)
                counts["wrong: noticed"] += int(clear.sum())
                assert (found.judged.verdict[clear] == Verdict.VIOLATED.value).all(), f"{drawn}, {mode.id}: a wrong update was not noticed"
                counts["wrong: too wide to tell"] += int((found.was_judged & ~clear).sum())


@pytest.mark.soak
def test_a_few_small_blocks() -> None:
    counts: Counter[str] = Counter()

    @seed(20)
    @settings(max_examples=4, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(drawn_blocks(widest=24, modes=2))
    def holds(drawn: Drawn) -> None:
        checked(drawn, counts)

    holds()
    assert counts["right: HOLDS"] > 0
    assert counts["wrong: noticed"] > 0


@pytest.mark.soak
def test_forty_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()

    @seed(2025)
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(drawn_blocks())
    def holds(drawn: Drawn) -> None:
        checked(drawn, counts)

    holds()
    with capsys.disabled():
        print(f"\n{dict(sorted(counts.items()))}")
    assert sum(number for name, number in counts.items() if name.startswith("in ")) >= 100
    assert counts["wrong: noticed"] > 1000
    assert counts["right: HOLDS"] > 1000
