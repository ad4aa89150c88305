"""Wrong formulas planted where all arithmetics read them: the bound sees them, and so does the reference."""

import pytest

from numeric.machine import ProbedMode
from numeric.sides import Variant
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict
from tests.numeric.measuring import measured

CASES = 128
PLANTED = {
    "nothing": {},
    "a weight without its update": {
        "patched_weight": lambda W, update: W + (update - update),
        "factored_update": lambda v, a, x: (v - v) @ (formulas.transpose(a) @ x),
    },
    "an update subtracted": {
        "patched_weight": lambda W, update: W - update,
        "factored_update": lambda v, a, x: (v - (v + v)) @ (formulas.transpose(a) @ x / formulas.squared_norm(a)),
    },
    "a context vector the other way round": {"context_vector": lambda z, a: a - z},
    "a norm that is twice too large": {"squared_norm": lambda a: formulas.transpose(a) @ (a + a)},
}
"""The first is the control."""


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
@pytest.mark.parametrize("name", ["fp64", "bf16"])  # the sharpest and the bluntest of the common formats
@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_seen(
    planted: str, name: str, variant: Variant, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    for formula, wrong in PLANTED[planted].items():
        monkeypatch.setattr(formulas, formula, wrong)
    found = measured(blocks["attention"], machine[name], variant, cases=CASES)
    if planted == "nothing":
        assert found.verdict is Verdict.HOLDS
        return
    assert found.verdict is Verdict.VIOLATED
    assert found.counts[Verdict.VIOLATED] > CASES / 2
    assert not all(certificate.inside for certificate in found.certificates)
