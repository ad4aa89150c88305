"""What the gate exists for: a defect too small for a bound, and an error model that has lost a term, fail against a baseline.

Each is planted in a copy of the code, which then measures the same cells; against the baseline of the sound code with the same seed, and with another.
"""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.verify.calling import Answer, called, once, planted, verify

FORMATS = ("bf16", "fp16", "fp32")
CELLS = ["--block", "attention", *(word for name in FORMATS for word in ("--format", name)), "--variant", "formula", "--cases", "1024"]

IN_THE_UPDATE = (
    "numeric/sides/patches.py",
    "            weight = formulas.patched_weight(W, setting.variant.update(W, delta, a))\n            patch.parameters",
    """            from dataclasses import replace
            update = setting.variant.update(W, delta, a)
            update = replace(update, value=update.value * (1 + {"bf16": 2.0**-6, "fp16": 2.0**-10, "fp32": 2.0**-20}[probed.mode.id]))
            weight = formulas.patched_weight(W, update)
            patch.parameters""",
)

TERMS = {
    "the rounding of a result to storage": (
        "        rounding = outward(rounding + rounding_error(value, n, once=True), 2)\n",
        "        rounding = outward(rounding, 2)\n",
    ),
    "the rounding of a difference": (
        "            rounding = Envelope(parts=(sum_error(self.value, other.value, value, n),))\n",
        "            rounding = Envelope()\n",
    ),
    "the rounding of W + ΔW": (
        "self.radius + other.radius + entrywise_rounding(value, magnitude, n) + lost, magnitude + coarse, form)",
        "self.radius + other.radius + lost, magnitude + coarse, form)",
    ),
    "the rounding of a quotient": ("inherited.divided(low) + rounding, quotient + rounding, form)", "inherited.divided(low), quotient + rounding, form)"),
    "the rounding of an outer product": (
        "        radius = Envelope(outers=((rx, outward(y + ry, 1)), (x, ry))) + rounding\n",
        "        radius = Envelope(outers=((rx, outward(y + ry, 1)), (x, ry)))\n",
    ),
    "the error of a denominator": (
        "        inherited = self.radius + self.magnitude.scaled(outward(spread / size, 1))\n",
        "        inherited = self.radius\n",
    ),
    "the error that a matrix brings": ("    inherited = X.radius.apply(outward(size + spread, 1))\n", "    inherited = torch.zeros_like(absolute)\n"),
    "the error that a vector brings": ("        inherited = inherited + X.magnitude.apply(spread)\n", "        inherited = inherited + 0.0\n"),
}
"""In ``value_and_radius.py``."""


def measured(code: Path | None, seed: int, folder: Path) -> Path:
    """A run of the cells, whatever it exits with."""
    words = ["stress", *CELLS, "--scenario", "random", "--seed", str(seed), "--jobs", "1", "--out", str(folder / "run")]
    answer = verify(*words) if code is None else verify(*words, code=code, cwd=folder)  # elsewhere than in the checkout, whose code would be found first
    assert answer.status in (0, 1), answer.err
    return folder / "run"


@pytest.fixture(scope="module")
def baselines(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Of the sound code, with seeds 0 and 1; the run lies beside each."""

    def make(seed: int, folder: Path) -> Answer:
        run = measured(None, seed, folder)
        return called("baseline", str(run), "--out", str(folder / "baseline.json"), "--reason", "the sound code")

    return {seed: once(f"sound-{seed}", tmp_path_factory, partial(make, seed))[1] / "baseline.json" for seed in (0, 1)}


def failing(run: Path, baseline: Path) -> tuple[int, dict[str, list[str]]]:
    """The gate's status, and what it says of each format."""
    answer = called("gate", str(run), "--baseline", str(baseline), "--json")
    found = [row for row in json.loads(answer.out)["differences"] if row["standing"] == "regression"]
    return answer.status, {name: [row["what"] for row in found if f"/{name}/" in row["id"]] for name in FORMATS}


def test_the_sound_code_passes_with_either_seed(baselines: dict[int, Path]) -> None:
    for seed in (0, 1):
        for kept in baselines.values():
            assert failing(baselines[seed].parent / "run", kept) == (0, {name: [] for name in FORMATS})


def test_a_small_defect_of_the_update_fails_in_every_format(baselines: dict[int, Path], tmp_path: Path) -> None:
    """ΔW too large by 2⁻⁶ in bf16, 2⁻¹⁰ in fp16 and 2⁻²⁰ in fp32; the bounds themselves notice it in bf16 at most."""
    code = planted(tmp_path, *IN_THE_UPDATE)
    run = measured(code, 0, tmp_path)
    for kept in baselines.values():
        status, found = failing(run, kept)
        assert status == 1
        assert all(any("errors have grown" in what for what in found[name]) for name in FORMATS), found


@pytest.mark.soak
@pytest.mark.parametrize("term", TERMS)
def test_an_error_model_that_lost_a_term_fails(term: str, baselines: dict[int, Path], tmp_path: Path) -> None:
    code = planted(tmp_path, "numeric/arithmetics/value_and_radius.py", *TERMS[term])
    run = measured(code, 0, tmp_path)
    status, found = failing(run, baselines[1])
    assert status == 1
    assert found["bf16"], "without the operands of the baseline, what a term is worth decides"
    assert found["fp16"]
    status, found = failing(run, baselines[0])
    assert status == 1
    sharper = [name for name in FORMATS if any("smaller than" in what for what in found[name])]
    in_fp32 = term != "the rounding of a result to storage"  # which is rounded once, in its sum
    assert sharper == [name for name in FORMATS if name != "fp32" or in_fp32]
