"""A witness whose fields are of another type than they may be is refused in one line, whatever its checksum says."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from numeric.cells import Witness
from numeric.cells.replay import NotReplayable, replayed
from numeric.cells.witness import FACTS, PARTS, TENSORS, DamagedWitness, encoded, read_witness
from symbolic.vocabulary import CallError
from tests.numeric.user_blocks.sample_blocks import block, measured

WRONG: tuple[Any, ...] = (None, True, -1, 10**30, 0.5, "", "x", [], [None], [3], {}, {"x": []})
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


@cache
def witness() -> Witness:
    found = measured("formula", block()).witness
    assert found is not None
    return found


def refused_or_run(content: bytes, path: Path) -> str:
    """The refusal in words; empty if it was replayed. Anything but a wrong call passes through, and fails the test."""
    path.write_bytes(content)
    try:
        replayed(read_witness(path))
    except CallError as error:
        return str(error)
    return ""


def test_a_witness_as_it_was_written_is_replayed(tmp_path: Path) -> None:
    """The control of the refusals."""
    assert refused_or_run(witness().to_bytes(), tmp_path / "w") == ""


@pytest.mark.parametrize("name", [*PARTS, *FACTS[1:]])
def test_a_fact_of_another_type_is_refused(name: str, tmp_path: Path) -> None:
    right = witness().facts.as_dict()
    for number, wrong in enumerate(WRONG):
        if type(wrong) is type(right[name]) or (name == "versions" and isinstance(wrong, dict)):
            continue
        assert refused_or_run(encoded(witness().tensors, {**right, name: wrong}), tmp_path / f"{number}"), (name, wrong)


@pytest.mark.parametrize(
    ("name", "wrong"), [("batch", 10**30), ("batch", 0), ("place", -1), ("without", [3]), ("layers", [None]), ("layers", []), ("format", "x")]
)
def test_a_fact_of_the_right_type_with_a_value_that_cannot_be_is_refused(name: str, wrong: object, tmp_path: Path) -> None:
    assert refused_or_run(encoded(witness().tensors, {**witness().facts.as_dict(), name: wrong}), tmp_path / "w")


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("dtype", [*FLOAT8, torch.int64, torch.bool])
def test_a_tensor_of_another_dtype_is_refused(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = witness().tensors
    both = {each: tensors[each].to(dtype) for pair in (("W", "b"), ("z", "a"), ("left", "right")) if name in pair for each in pair} or {
        name: tensors[name].to(dtype)
    }
    path = tmp_path / "w"
    path.write_bytes(encoded({**tensors, **both}, witness().facts.as_dict()))
    with pytest.raises(DamagedWitness, match="do not fit together"):
        read_witness(path)


def test_an_own_update_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(encoded(witness().tensors, {**witness().facts.as_dict(), "variant": "own"}))
    with pytest.raises(NotReplayable):
        replayed(read_witness(path))


def test_equal_witnesses_are_equal_files() -> None:
    """The library's own header has its names in an order that changes from one call to the next."""
    assert len({witness().to_bytes() for _ in range(20)}) == 1
