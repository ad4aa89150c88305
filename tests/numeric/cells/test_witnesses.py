"""A case that is kept can be run again bit for bit, and a file that is not as it was written is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from numeric.cells import Cell, Measurement, measure_cell
from numeric.cells.replay import recorded_ratio, replayed
from numeric.cells.witness import DamagedWitness, encoded, make_witness, read_witness, worst_case
from numeric.formats import MODES
from numeric.machine import ProbedMode
from numeric.scenarios import scenarios_named
from numeric.sides import block_in_format, in_format, judge, measure_sides, variants_named
from numeric.training import TrainedBlock
from symbolic import formulas
from symbolic.vocabulary import Verdict

WAYS = (("attention", "formula", "random"), ("attention-skip", "scaled", "near_zero"), ("attention", "factored", "recompute"))
ASKED = [(mode.id, *WAYS[0 if mode.inputs else number % 3]) for number, mode in enumerate(MODES) if "cpu" in mode.runs_on and mode.id != "fp16-reduced"]
ASKED += [("fp16-reduced", *WAYS[1]), ("fp32", *WAYS[2]), ("bf16", *WAYS[0])]
"""Each mode in one way, and a few in another."""


def measured(trained: TrainedBlock, probed: ProbedMode, variant: str, scenario: str, cases: int = 600) -> Measurement:
    (way,), (family,) = variants_named([variant]), scenarios_named([scenario])
    return measure_cell(Cell(trained, block_in_format(trained.model.block, probed), probed, way, family, cases), 0)


@pytest.mark.parametrize(("name", "block", "variant", "scenario"), dict.fromkeys(ASKED))
def test_the_gravest_case_comes_out_bit_for_bit_without_its_block(
    block: str, name: str, variant: str, scenario: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], tmp_path: Path
) -> None:
    found = measured(blocks[block], machine[name], variant, scenario)
    assert found.witness is not None
    path = tmp_path / "witness.safetensors"
    path.write_bytes(found.witness.to_bytes())
    witness = read_witness(path)
    again = replayed(witness)
    assert again.reproduces
    case = witness.facts.case
    assert witness.facts.verdict == found.judged.verdict[case]
    judged = found.was_judged
    assert max(found.judged.ratio[case], found.judged.output_ratio[case]) == np.maximum(found.judged.ratio, found.judged.output_ratio)[judged].max()
    # The verdict's bound has room for float64's own roundings: an ulp or two of the bound, and one of each difference it takes.
    kept = witness.tensors
    room = 2.0**-49 + 2.0**-51 * float(((kept["left"].double() - kept["right"].double()).abs() / kept["bound"]).max())
    assert found.judged.ratio[case] <= recorded_ratio(witness) <= found.judged.ratio[case] * (1 + room)
    assert again.certificate is None or again.certificate.inside


def test_a_violation_is_kept_before_any_case_that_is_none(
    blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong formula: its witness reproduces as long as the formula is wrong, and does not violate once it is right."""
    right = formulas.rank_one_update
    with monkeypatch.context() as planted:
        planted.setattr(formulas, "rank_one_update", lambda W, delta, a: right(W, delta, a) + right(W, delta, a) / 256.0)
        found = measured(blocks["attention"], machine["fp32"], "formula", "random")
        assert found.witness is not None
        assert found.witness.facts.verdict == Verdict.VIOLATED
        wrong = replayed(found.witness)
        assert wrong.reproduces
        assert wrong.verdict == Verdict.VIOLATED
        assert wrong.ratio > 1
    mended = replayed(found.witness)
    assert mended.same_left
    assert not mended.same_right
    assert mended.verdict == Verdict.HOLDS
    assert mended.recorded_ratio > 1


def test_the_gravest_is_a_violated_one_then_the_nearest_to_its_bound_then_any(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    judged = measured(blocks["attention"], machine["fp32"], "formula", "random", 512).judged
    ratio, verdict, reason = (
        np.array([0.1, 0.9, 2.0, 0.3]),
        np.array(["HOLDS", "HOLDS", "INCONCLUSIVE", "VIOLATED"], dtype=object),
        np.array(["", "", "R", ""], dtype=object),
    )
    four = replace(judged, ratio=ratio, output_ratio=np.zeros(4), verdict=verdict, reason=reason)
    assert worst_case(four, 4) == ((True, 0.3), 3)
    assert worst_case(four, 3) == ((False, 0.9), 1)
    assert worst_case(replace(four, reason=np.array(["R"] * 4, dtype=object), verdict=np.array(["INCONCLUSIVE"] * 4, dtype=object)), 2) == ((False, -1.0), 0)
    assert worst_case(four, 0) is None


@pytest.fixture
def kept(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode], tmp_path: Path) -> Path:
    found = measured(blocks["attention"], machine["fp32"], "formula", "random", 64)
    assert found.witness is not None
    path = tmp_path / "witness.safetensors"
    path.write_bytes(found.witness.to_bytes())
    return path


def test_a_truncated_witness_is_refused(kept: Path) -> None:
    content = kept.read_bytes()
    for length in (0, 4, len(content) // 2, len(content) - 1):
        kept.write_bytes(content[:length])
        with pytest.raises(DamagedWitness, match="breaks off"):
            read_witness(kept)
    with pytest.raises(DamagedWitness):
        read_witness(kept.parent / "absent")


def test_every_edited_byte_is_noticed(kept: Path) -> None:
    """In a tensor and in what is told of it, one bit is enough."""
    content = kept.read_bytes()
    for place in range(8, len(content), max(1, len(content) // 97)):
        kept.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DamagedWitness):
            read_witness(kept)


def test_a_witness_that_lacks_something_or_is_of_another_version_is_refused(kept: Path) -> None:
    witness = read_witness(kept)
    known = witness.facts.as_dict()
    for tensors, facts, said in (
        ({name: tensor for name, tensor in witness.tensors.items() if name != "bound"}, known, "lacks bound"),
        (witness.tensors, {name: fact for name, fact in known.items() if name != "place"}, "lacks place"),
        (witness.tensors, {name: fact for name, fact in known.items() if name != "numerics"}, "lacks numerics"),
        (witness.tensors, {**known, "schema_version": 99}, "schema_version 99"),
    ):
        kept.write_bytes(encoded(tensors, facts))
        with pytest.raises(DamagedWitness, match=said):
            read_witness(kept)
    save_file(load_file(kept), kept, metadata={"witness": json.dumps({})})
    with pytest.raises(DamagedWitness, match="is no witness"):
        read_witness(kept)


@pytest.mark.parametrize("block_id", ["attention", "attention-skip"])
def test_it_holds_what_was_measured(block_id: str, blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """Each tensor is that of the case: both bounds are sums of two radii, at either site."""
    probed = machine["fp32"]
    block = block_in_format(blocks[block_id].model.block, probed)
    (scenario,), (variant,) = scenarios_named(["recompute"]), variants_named(["formula"])
    drawn = in_format(block, scenario.draw(blocks[block_id], probed.mode.range, 64, torch.Generator().manual_seed(0)), probed)
    sides = measure_sides(block, drawn, variant, probed, scenario.attend)
    place = 5
    kept = make_witness(Cell(blocks[block_id], block, probed, variant, scenario, 64), sides, judge(sides), place, 0, 0).tensors
    left, right = sides.left, sides.right
    whole = {
        "W": block.first.weight,
        "b": block.first.bias,
        "z": sides.z[place],
        "a": sides.a[place],
        "again": sides.again[place],
        "moved": sides.moved[place],
        "left": left.first_layer.value[place],
        "right": right.first_layer.value[place],
        "bound": left.first_layer.radius[place] + right.first_layer.radius[place],
        "output_left": left.output.value[place],
        "output_right": right.output.value[place],
        "output_bound": left.output.radius[place] + right.output.radius[place],
    }
    assert set(kept) <= set(whole)
    for name, tensor in kept.items():
        assert torch.equal(tensor.double(), whole[name].double()), name
    assert bool((left.output.radius[place] > 0).all() and (right.output.radius[place] > 0).all())


@pytest.mark.parametrize(
    "changed",
    [
        {"place": 9999},
        {"place": -1},
        {"batch": 0},
        {"batch": "512"},
        {"without": None},
        {"a": torch.zeros(3)},
        {"b": torch.zeros(3)},
        {"W": torch.zeros(4)},
        {"W": torch.zeros((128, 32), dtype=torch.float64)},
        {"z": torch.zeros(32, dtype=torch.int64)},
        {"bound": torch.zeros(1)},
    ],
    ids=str,
)
def test_a_witness_whose_parts_do_not_fit_is_refused(changed: dict[str, object], kept: Path) -> None:
    witness = read_witness(kept)
    tensors = {**witness.tensors, **{name: value for name, value in changed.items() if isinstance(value, torch.Tensor)}}
    facts = {**witness.facts.as_dict(), **{name: value for name, value in changed.items() if not isinstance(value, torch.Tensor)}}
    kept.write_bytes(encoded(tensors, facts))
    with pytest.raises(DamagedWitness, match="fit together"):
        read_witness(kept)
