"""Another machine, pretended: what is measured there without any refinement, as where no order of a sum is known, passes the gate, and the other way round.

A machine that computes otherwise is not at hand; the bounds that it would have are.
"""

import json
from pathlib import Path

import pytest

from reports.record import RunRecord
from reports.record.record_files import write_run
from tests.verify.calling import Answer, called, verify

CELLS = ["--block", "attention", "--format", "fp32", "--format", "bf16", "--scenario", "random", "--scenario", "near_zero", "--scenario", "recompute"]
NONE = ("summation-order", "unit-in-the-first-place", "exact-differences", "exact-products")


def measured(left_out: tuple[str, ...], seed: str, folder: Path) -> Answer:
    words = [word for name in left_out for word in ("--without", name)]
    return verify("stress", *CELLS, *words, "--cases", "1024", "--jobs", "1", "--seed", seed, "--out", str(folder / "run"))


def elsewhere(run: Path, where: str) -> None:
    """The run as one of a processor of that name, whose sums are in another order, and which says itself what its bounds are without refinements."""
    data = json.loads((run / "run.json").read_text(encoding="utf-8"))
    data["environment"]["processor"] = where
    for row in data["bounds"]["refinements"]:
        row["used"] = True
    for row in data["environment"]["probes"]:
        row["answer"] += f" {where}" if row["id"].endswith("/order") else ""
    for cell in data["cells"]:
        if cell["scenario"] == "random" and cell["unrefined"] is None:
            numbers = {"cases": cell["counts"]["holds"], "holds": cell["counts"]["holds"], "noticed": cell["mutant_caught"]}
            cell["unrefined"] = {**numbers, "resolution": cell["resolution"], "refined": cell["resolution"]}
    data.pop("totals")
    write_run(RunRecord.model_validate_json(json.dumps(data), strict=True), run)


@pytest.mark.soak
@pytest.mark.parametrize(("here", "there"), [((), NONE), (NONE, ())])
def test_a_machine_that_knows_more_or_less_of_its_sums_passes(here: tuple[str, ...], there: tuple[str, ...], tmp_path: Path) -> None:
    for name, left_out, seed in (("here", here, "0"), ("there", there, "3")):
        (tmp_path / name).mkdir()
        assert measured(left_out, seed, tmp_path / name).status == 0
        elsewhere(tmp_path / name / "run", name)
    kept = tmp_path / "kept.json"
    assert called("baseline", str(tmp_path / "here" / "run"), "--out", str(kept), "--reason", "why").status == 0
    answer = called("gate", str(tmp_path / "there" / "run"), "--baseline", str(kept), "--json")
    told = json.loads(answer.out)
    assert answer.status == 0, told["differences"]
    assert any("from elsewhere" in line for line in told["not_compared"])
