"""What is planned of a block as it is written, and what is refused by name."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from numeric.formats import MODES
from verify.plan.as_written import NotOfSuchABlock, WrittenPlan, bounded_formats, written_plan

NOTHING: dict[str, list[str] | None] = {"format": None, "variant": None, "scenario": None}
NOWHERE = dict.fromkeys(bounded_formats(), "no rule for aten.foo.default")


def plan(no_rule: Mapping[str, str] | None = None, device: str = "cpu", **asked: list[str]) -> WrittenPlan:
    own: Any = SimpleNamespace(name="mine", no_rule=no_rule or {}, variants=("formula",), watched=SimpleNamespace(runs_at_once=True))
    return written_plan(own, {**NOTHING, **asked}, None, 512, device)


def test_it_is_bounded_in_every_format() -> None:
    assert plan().bounded == bounded_formats() == tuple(mode.id for mode in MODES)
    assert not plan().without
    assert (plan(format=["bf16"]).cases, plan().bounded_cases) == (512, 128)


def test_a_format_without_a_rule_is_not_bounded_and_the_others_are() -> None:
    why = "the block's own code fails in bf16: ValueError: no bf16"
    found = plan({"bf16": why})
    assert set(bounded_formats()) - set(found.bounded) == {"bf16"}
    assert found.without == {"bf16": why}
    with pytest.raises(NotOfSuchABlock, match=rf"no --format bf16 \({why}\); there is fp64, fp32, fp16, tf32"):
        plan({"bf16": why}, format=["bf16"])


@pytest.mark.parametrize(
    ("block", "why"), [({"no_rule": NOWHERE}, "no rule for aten.foo.default"), ({"device": "cuda"}, "no rule for blocks as they are written on cuda")]
)
def test_where_there_is_no_bound_other_formats_are_refused_by_name(block: dict[str, Any], why: str) -> None:
    assert plan(**block).bounded == ()
    assert all(why == reason for reason in plan(**block).without.values())
    with pytest.raises(NotOfSuchABlock, match=why):
        plan(**block, format=["fp32"])
    assert plan(**block, format=["fp64"]).bounded == (), "in float64 it is measured all the same"


@pytest.mark.parametrize("asked", [{"format": ["fp15"]}, {"format": ["BF16"]}, {"variant": ["scaled"]}, {"scenario": ["huge"]}])
def test_what_is_not_measured_is_refused_by_name(asked: dict[str, list[str]]) -> None:
    with pytest.raises(NotOfSuchABlock, match="there is"):
        plan(**asked)
