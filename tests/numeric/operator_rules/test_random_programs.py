"""Random modules run three ways at once: every entry of what the machine computes lies within its radius of the exact one."""

from collections import Counter

import pytest
import torch

from numeric.formats import torch_dtype
from numeric.operator_rules import Bounded, table
from numeric.operator_rules.call import OperatorCall
from tests.numeric.operator_rules.against_exact import Tally
from tests.numeric.operator_rules.every_reference import REFERENCES
from tests.numeric.operator_rules.exact_walk import run_three_ways
from tests.numeric.operator_rules.probed_modes import probed as probed_mode
from tests.numeric.operator_rules.random_programs import random_program

FORMATS = ("fp64", "fp32", "bf16", "fp16", "fp32-ftz")
QUICK, ALL = range(4), range(1000)


def run(seeds: range, name: str) -> tuple[Tally, Counter[str]]:
    """So many random modules in a format, and how often each overload was met."""
    probed, tally, met = probed_mode(name), Tally(), Counter[str]()
    for seed in seeds:
        program, x = random_program(seed, torch_dtype(probed.mode.activations))
        met.update(run_three_ways(program, x, probed, REFERENCES, tally, f"module {seed} in {name}"))
    return tally, met


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_a_few_random_modules_lie_within_their_radii(name: str) -> None:
    tally, met = run(QUICK, name)
    assert tally.outside == []
    assert tally.samples == len(QUICK)
    assert len(met) > 5


@pytest.mark.soak
@pytest.mark.parametrize("name", FORMATS)
def test_a_thousand_random_modules_lie_within_their_radii(name: str) -> None:
    tally, met = run(ALL, name)
    counts = f"{tally.entries} entries, {tally.doubtful} in doubt, {tally.infinite} without a bound, worst {tally.worst:.3g}"
    print(f"{name}: {tally.samples} modules, {len(met)} overloads, {counts}")
    assert tally.outside == []
    assert tally.samples == len(ALL)


def test_a_row_that_loses_what_it_introduces_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted negative: the dense layer hands on nothing of its own roundings."""

    def without(call: OperatorCall) -> list[Bounded]:
        return [Bounded(torch.zeros((), dtype=torch.float64).expand(result.shape)) for result in call.results]

    for name in ("mm.default", "addmm.default", "bmm.default", "baddbmm.default"):
        monkeypatch.setitem(table.OPERATOR_ROWS, name, without)
    tally, _ = run(range(6), "fp32")
    assert tally.outside
