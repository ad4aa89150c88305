"""Digests of the numbers that a record shows: what is computed again from the same operands, on the same machine, comes out the same.

A baseline is to be small, so it keeps no curve and no table, but a digest of each field of a row. Numbers enter it with SHOWN_DIGITS
digits: a sum that is added in another order is the same number, and one that is another by a millionth is not. Times have no part in it.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from reports.record import RunRecord
from reports.record.as_written import InDoubleRecord
from reports.record.experiments import AdversarialRecord
from reports.record.row import Row

SHOWN_DIGITS = 6
"""Of a number in a digest; a change in its last bits would have to cross a border between two such numbers to be told."""

DIGEST_LENGTH = 8
"""Hexadecimal digits of a digest: two others are taken for the same once in 2^32 times."""

ROW_NAMES = ("block", "format", "variant", "scenario")
"""Fields of a row that say what it is of: those of which its name here says as much are no numbers of it."""

NOT_COMPARED = ("seconds", "cached", "seed")
"""Fields that depend on the clock, or on what was there before; and the seed of a search, by which it is known whether its numbers can be compared."""

OF_A_BLOCK = ("parameters", "steps", "validation_loss", "zero_loss", "losses")
"""What is measured of a trained block, or follows from its recipe; the weights have their own digest."""


ON_ANY_MACHINE = {
    "trained blocks": ("parameters", "steps"),
    "as written": ("parameters", "width", "first", "absorber", "absorbs_as", "claims", "unproved"),
}
"""Fields that follow from a recipe or a block alone, by how the names of their rows begin. Where W is read depends on the versions of libraries, too."""


def digest(value: object) -> str:
    """Of numbers, words, and lists and tables of them.  value: as JSON has it."""
    return hashlib.sha256(json.dumps(_rounded(value), ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def digests_of(row: Row, names: Collection[str]) -> dict[str, str]:
    """Of some fields of a row, by their names; those that are null have none."""
    data = row.model_dump(mode="json", include=set(names))
    return {name: digest(data[name]) for name in names if data[name] is not None}


def shown_numbers(record: RunRecord) -> dict[str, dict[str, str]]:
    """Of each trained block and each experiment, by its name."""
    return {name: digests_of(row, fields) for name, row, fields in _rows(record)}


def digest_of_weights(shown: Mapping[str, Mapping[str, str]], block: str) -> str | None:
    """The digest of the weights of a block as it is written, of which no recipe is known; None for other blocks."""
    return shown.get(written_as(block), {}).get("weights")


def written_as(block: str) -> str:
    """The name of what was found in a block as it is written."""
    return f"as written/{block}"


def on_a_seed(record: RunRecord) -> set[str]:
    """Names of those whose operands depend on the run's seed."""
    return {name for name, row, _ in _rows(record) if isinstance(row, AdversarialRecord | InDoubleRecord)}


def _rows(record: RunRecord) -> Iterator[tuple[str, Row, Collection[str]]]:
    found = record.experiments
    rows: list[tuple[str, Row, Collection[str]]] = [(f"trained blocks/{row.block}", row, OF_A_BLOCK) for row in record.models]
    if found.figure_1:
        rows.append((f"Figure 1/{found.figure_1.block}", found.figure_1, ()))
    rows += [(f"Figure 2/{row.block}", row, ()) for row in found.layers]
    if found.figure_3:
        rows.append((f"Figure 3/{found.figure_3.block}", found.figure_3, ()))
    for dynamics in found.dynamics:
        rows += [(f"implicit dynamics/{dynamics.block}/{row.format}", row, ()) for row in dynamics.formats]
    rows += [(f"one update/{row.block}", row, ()) for row in found.static_patch]
    rows += [(f"patched stack/{row.block}", row, ()) for row in found.stacks]
    if found.post_norm:
        rows.append((f"post-norm/{found.post_norm.block}", found.post_norm, ()))
    rows += [(written_as(row.block), row, ()) for row in found.watched]
    rows += [(f"float64/{row.name}", row, ()) for row in found.in_double]
    rows += [(f"worst context/{row.block}/{row.format}/{row.variant}", row, ()) for row in found.adversarial]
    for name, row, fields in rows:
        said = {field for field in ROW_NAMES if str(getattr(row, field, "")) in name.split("/")}
        yield name, row, fields or [field for field in type(row).model_fields if field not in {*said, *NOT_COMPARED}]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.{SHOWN_DIGITS - 1}e}"
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
