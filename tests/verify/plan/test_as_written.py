"""What is planned of a block as it is written, and what is refused by name."""

from types import SimpleNamespace
from typing import Any

import pytest

from verify.plan.as_written import NotOfSuchABlock, WrittenPlan, bounded_formats, written_plan

NOTHING: dict[str, list[str] | None] = {"format": None, "variant": None, "scenario": None}


def plan(no_rule: str = "", device: str = "cpu", **asked: list[str]) -> WrittenPlan:
    own: Any = SimpleNamespace(name="mine", no_rule=no_rule, variants=("formula",), watched=SimpleNamespace(runs_at_once=True))
    return written_plan(own, {**NOTHING, **asked}, None, 512, device)


def test_it_is_bounded_where_the_machine_computes_in_a_format() -> None:
    assert plan().unbounded == ""
    assert bounded_formats() == ("fp64", "fp32", "bf16", "fp16", "fp32-ftz")
    assert (plan(format=["bf16"]).cases, plan().bounded_cases) == (512, 128)


@pytest.mark.parametrize(("block", "why"), [({"no_rule": "aten.foo.default"}, "no rule for aten.foo.default"), ({"device": "cuda"}, "and not on cuda")])
def test_where_there_is_no_bound_other_formats_are_refused_by_name(block: dict[str, str], why: str) -> None:
    assert why in plan(**block).unbounded  # type: ignore[arg-type]
    with pytest.raises(NotOfSuchABlock, match=why):
        plan(**block, format=["fp32"])  # type: ignore[arg-type]
    assert why in plan(**block, format=["fp64"]).unbounded  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [{"format": ["tf32"]}, {"format": ["fp8-e4m3"]}, {"variant": ["scaled"]}, {"scenario": ["huge"]}])
def test_what_is_not_measured_is_refused_by_name(asked: dict[str, list[str]]) -> None:
    with pytest.raises(NotOfSuchABlock, match="there is"):
        plan(**asked)
