"""Wrong formulas planted where all arithmetics read them: the bound sees them, and so does the reference."""

import pytest

from numeric.cells import Cell, Measurement, measure_cell
from numeric.machine import ProbedMode
from numeric.scenarios import scenarios_named
from numeric.sides import Variant, block_in_format
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict

CASES = 128


def measured(trained: TrainedBlock, probed: ProbedMode, variant: Variant) -> Measurement:
    return measure_cell(Cell(trained, block_in_format(trained.model.block, probed), probed, variant, scenarios_named(["random"])[0], CASES), 0)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("name", ["fp64", "bf16"])
class TestPlanted:  # in the sharpest and in the bluntest of the common formats
    def test_nothing(self, name, variant, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
        """The control."""
        assert measured(blocks["attention"], machine[name], variant).verdict is Verdict.HOLDS

    def test_a_weight_without_its_update(self, name, variant, blocks, machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formulas, "patched_weight", lambda W, update: W + (update - update))
        monkeypatch.setattr(formulas, "factored_update", lambda v, a, x: (v - v) @ (formulas.transpose(a) @ x))
        self.seen(measured(blocks["attention"], machine[name], variant))

    def test_an_update_subtracted(self, name, variant, blocks, machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formulas, "patched_weight", lambda W, update: W - update)
        monkeypatch.setattr(formulas, "factored_update", lambda v, a, x: (v - (v + v)) @ (formulas.transpose(a) @ x / formulas.squared_norm(a)))
        self.seen(measured(blocks["attention"], machine[name], variant))

    def test_a_context_vector_the_other_way_round(self, name, variant, blocks, machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formulas, "context_vector", lambda z, a: a - z)
        self.seen(measured(blocks["attention"], machine[name], variant))

    def test_a_norm_that_is_twice_too_large(self, name, variant, blocks, machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formulas, "squared_norm", lambda a: formulas.transpose(a) @ (a + a))
        self.seen(measured(blocks["attention"], machine[name], variant))

    @staticmethod
    def seen(found: Measurement) -> None:
        assert found.verdict is Verdict.VIOLATED
        assert found.counts[Verdict.VIOLATED] > CASES / 2
        assert not all(certificate.inside for certificate in found.certificates)
