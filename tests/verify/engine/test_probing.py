"""The machine asked about each mode of a plan: a mode without an error model does not keep the others from being asked."""

import pytest

from numeric.blocks import blocks_named
from numeric.formats import Mode
from numeric.machine import ProbedMode, UnsupportedNumerics
from verify.engine import probing_jobs
from verify.engine.jobs import probe_mode
from verify.engine.probing_jobs import ProbedMachine, Probing
from verify.engine.processes import Workers
from verify.plan import Request, make_plan


def asked(monkeypatch: pytest.MonkeyPatch, *refused: str) -> ProbedMachine:
    def ask(mode: Mode, *rest: object) -> ProbedMode:
        if mode.id in refused:
            raise UnsupportedNumerics(f"{mode.id} is computed in base 3.")
        return probe_mode(mode, *rest)

    monkeypatch.setattr(probing_jobs, "probe_mode", ask)
    plan = make_plan(Request("stress", profile="quick", block=["attention"], format=["fp64", "fp16"], device="cpu", jobs=1))
    (row,) = blocks_named(["attention"])
    with Workers(1) as pool:
        return Probing(plan, [row.build(row.recipe)], pool, busy=False, step=lambda *_: None).results()


def test_the_others_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, "fp16")
    assert list(found.probed) == ["fp64"]
    assert found.refused == {"fp16": "UnsupportedNumerics: fp16 is computed in base 3."}
    assert found.complete
    assert {answer.id.split("/")[0] for answer in found.answers} >= {"fp64"}


def test_a_call_that_asks_for_nothing_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedNumerics, match="fp64 is computed in base 3"):
        asked(monkeypatch, "fp64", "fp16")
