"""A cell some of whose cases come to what has no rule: it did not run, it did not break, and it is no pass."""

from types import SimpleNamespace
from typing import Any

import pytest

from numeric.cells import measurement
from numeric.cells.measurement import BrokenCell, measure_variants
from numeric.operator_rules import NoOperatorRule
from symbolic.vocabulary import CellId, Verdict
from verify.engine.measuring import Measuring

CELL: Any = SimpleNamespace(
    subject=SimpleNamespace(block=SimpleNamespace(id="mine")),
    scenario=SimpleNamespace(id="random"),
    probed=SimpleNamespace(device="cpu"),
    variant=None,
    cases=1,
)


@pytest.mark.parametrize(("raised", "no_rule"), [(NoOperatorRule("aten.foo.default"), True), (ValueError("no"), False)])
def test_a_missing_rule_is_told_from_a_failure(raised: Exception, no_rule: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*given: object, **options: object) -> object:
        raise raised

    monkeypatch.setattr(measurement, "batches", lambda cell, generator: iter([None]))
    monkeypatch.setattr(measurement, "measured_sides", measured)
    (found,) = measure_variants([CELL], 0)
    assert isinstance(found, BrokenCell)
    assert found.no_rule == no_rule
    assert str(raised) in found.message


def test_its_row_is_skipped_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[tuple[Verdict, str]] = []
    monkeypatch.setattr("verify.records.cell_rows.unmeasured_cell", lambda cell, mode, machine, verdict, reason: rows.append((verdict, reason)))
    planned = SimpleNamespace(id=CellId("c", "b", "n", "v", "s"), machine=SimpleNamespace(mode=None), name="mine")
    it: Any = SimpleNamespace(_planned=SimpleNamespace(cells={1: planned}), _state=SimpleNamespace(cells={}, folder=None))
    Measuring._keep_cell(it, 1, BrokenCell("aten.foo.default", "", no_rule=True))
    assert rows == [(Verdict.SKIPPED, "no rule for aten.foo.default: some cases come to it")]
