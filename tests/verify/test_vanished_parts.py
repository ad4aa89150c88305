"""What the gate makes of a run that lost any one of its parts, or of whose numbers any one is not a number: found by walking through the record.

The harmless ones are named, with the reason; whatever else is added to the record has to be noticed, or to be named here.
"""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.comparison.baseline_rows import Baseline
from reports.record import RunRecord, load_run
from tests.verify.calling import once
from tests.verify.doctoring import Data, real_run, settled
from verify.exit_status import gate_status

TOLD_NOWHERE_ELSE = "times, titles and remarks"
SHOWN = "shown, and judged by nothing"
HARMLESS_GONE = {
    "claims/*/steps/*": "a shorter proof is no worse",
    "claims/*/steps/*/hypothesis": TOLD_NOWHERE_ELSE,
    "claims/*/remark": TOLD_NOWHERE_ELSE,
    "claims/*/mutants/*/remark": TOLD_NOWHERE_ELSE,
    "claims/*/hypotheses/*": "a claim that assumes less shows more",
    "errata/*/to_measure": TOLD_NOWHERE_ELSE,
    "models/*/losses/*": SHOWN,
    "cells/*/worst_site": TOLD_NOWHERE_ELSE,
    "cells/*/batch": TOLD_NOWHERE_ELSE,
    "cells/*/cases_digest": "a record without it is refused as it is read",
    "cells/*/witness_digest": "a record without it is refused as it is read",
    "cells/*/reason": TOLD_NOWHERE_ELSE,
    "near_zero/*/levels/*": "how finely a radius is searched for depends on the draw; the ends and the widest gap do not",
    "bounds/assumptions/*": "bounds that take less for granted show more",
    "experiments/layers/*/vanishes_at": SHOWN,
    "experiments/static_patch/*/points/*/own": SHOWN,
    "experiments/static_patch/*/points/*/fresh": SHOWN,
    "experiments/static_patch/*/points/*/loss": SHOWN,
    "experiments/static_patch/*/points/*/distance": "refused where the vectors are dependent, and then there is none",
    "experiments/adversarial/*/random": SHOWN,
    "experiments/adversarial/*/ascent": SHOWN,
    "run/exit_status": "a run that is being written has none",
    "run/finished": "an unfinished run is held to what it has",
}
"""By the path in the record: why the gate need not notice that it is gone."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Baseline, Data]:
    answer, folder = once("a run to be doctored", tmp_path_factory, real_run)
    assert answer.status == 0, answer.err
    record = load_run(folder / "run")
    data = record.model_dump(mode="json")
    data.pop("totals")
    return baseline_of(record, Path(folder / "run")), data


def places(data: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Every place of a record; of a list the first and the last row, which stand for the others."""
    if path:
        yield path
    if isinstance(data, dict):
        for name, value in data.items():
            yield from places(value, *path, name)
    elif isinstance(data, list):
        for at in sorted({0, len(data) - 1} & {*range(len(data))}):
            yield from places(data[at], *path, at)


def one_of_each(data: Data) -> dict[str, tuple[str | int, ...]]:
    """The last place of each name."""
    return {name_of(path): path for path in places(data)}


def name_of(path: tuple[str | int, ...]) -> str:
    return "/".join("*" if isinstance(part, int) else part for part in path)


def without(data: Data, path: tuple[str | int, ...]) -> RunRecord | None:
    """The record without a row, or with null for a value; None if no record is like that."""
    changed = copy.deepcopy(data)
    at: Any = changed
    for part in path[:-1]:
        at = at[part]
    if isinstance(at, list):
        del at[path[-1]]
    elif at[path[-1]] is None:
        return None
    else:
        at[path[-1]] = None
    try:
        return settled(RunRecord.model_validate(changed))
    except ValidationError:
        return None


def test_what_vanishes_is_missed(whole: tuple[Baseline, Data]) -> None:
    kept, data = whole
    tried, passed = set(), set()
    for name, path in one_of_each(data).items():
        if name.startswith("environment/") or "/counterexample/" in name or (changed := without(data, path)) is None:
            continue  # the numbers that refute a statement are for who evaluates it again
        tried.add(name)
        if gate_status(differences(kept, changed), strict=False) == 0:
            passed.add(name)
    assert len(tried) > 50
    assert passed <= HARMLESS_GONE.keys(), sorted(passed - HARMLESS_GONE.keys())


NUMBERS_OF = ("cells", "near_zero", "experiments", "models")
"""How long something took is nobody's business. Elsewhere it is of a kind that cannot be NaN."""


def test_what_is_not_a_number_is_noticed(whole: tuple[Baseline, Data]) -> None:
    kept, data = whole
    record = RunRecord.model_validate(data)
    assert gate_status(differences(kept, record), strict=False) == 0
    passed, tried = set(), 0
    for path in one_of_each(data).values():
        if path[0] not in NUMBERS_OF or not isinstance(value_at(data, path), float):
            continue
        changed = copy.deepcopy(data)
        at: Any = changed
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = math.nan
        try:
            wrong = settled(RunRecord.model_validate(changed))
        except ValidationError:
            continue
        tried += 1
        if gate_status(differences(kept, wrong), strict=False) == 0:
            passed.add(name_of(path))
    assert tried > 60
    assert passed == set()


def value_at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data
