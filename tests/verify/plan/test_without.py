"""``verify stress --without``: the same cases under bounds that do without a refinement, and said wherever the run is told of."""

import json
import math
from pathlib import Path

from tests.verify.calling import verify

ONE_CELL = ["--block", "attention", "--format", "bf16", "--variant", "formula", "--scenario", "random", "--cases", "512", "--device", "cpu", "--jobs", "1"]
LEFT_OUT = ["unit-in-the-first-place", "exact-products"]


def test_a_bound_without_refinements_is_wider_and_says_so(tmp_path: Path) -> None:
    plain = json.loads(verify("stress", *ONE_CELL, "--out", str(tmp_path / "plain"), "--json").out)
    words = [word for name in LEFT_OUT for word in ("--without", name)]
    answer = verify("stress", *ONE_CELL, *words, "--out", str(tmp_path / "wide"), "--json")
    assert answer.status == 0
    wide = json.loads(answer.out)
    assert [row["id"] for row in wide["bounds"]["refinements"] if not row["used"]] == LEFT_OUT
    assert all(row["used"] for row in plain["bounds"]["refinements"])
    ((narrow_cell,), (wide_cell,)) = plain["cells"], wide["cells"]
    assert wide_cell["error"] == narrow_cell["error"]
    assert wide_cell["bound"]["median"] > narrow_cell["bound"]["median"]
    assert wide["run"]["command"].endswith("--without unit-in-the-first-place --without exact-products --cases 512")
    page = (tmp_path / "wide" / "report" / "index.html").read_text(encoding="utf-8")
    assert "The bounds did without unit-in-the-first-place and exact-products" in page
    assert "The bounds did without" not in (tmp_path / "plain" / "report" / "index.html").read_text(encoding="utf-8")
    replayed = verify("replay", str(tmp_path / "wide" / wide_cell["witness"]), "--device", "cpu", "--json")
    assert replayed.status == 0
    found = json.loads(replayed.out)
    assert found["reproduces"] is True
    # The radii are computed among other cases, so float64 may round them otherwise; a refinement is worth far more.
    assert math.isclose(float(found["ratio"]), float(found["recorded_ratio"]), rel_tol=2.0**-40)


def test_they_are_listed() -> None:
    rows = json.loads(verify("list", "refinements", "--json").out)
    assert {row["id"] for row in rows} >= set(LEFT_OUT)
