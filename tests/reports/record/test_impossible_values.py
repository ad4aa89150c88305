"""Every field of every row, with a value that it cannot have: the run is refused, with its exit status 2 and one line.

The walk goes over the types, so that a new field is in it; one whose type says no more than ``int`` or ``float`` fails it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from reports.record import RunRecord
from reports.record import row as kinds
from reports.record.run_record import Totals
from symbolic.vocabulary import Verdict
from tests.rich_record import planted, refusal, written

NUMBERS: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (kinds.Real, ("x", True, None, [], "nan", 10**400)),
    (kinds.Magnitude, (-1.0, -5e-324, "-Infinity", "x", True, None)),
    (kinds.Finite, (-1.0, "Infinity", "NaN", True, None)),
    (kinds.Share, (-0.5, 1.5, "NaN", True, None)),
    (kinds.Count, (-1, 0.5, True, "3", 2**53 + 1, 10**400, None)),
    (kinds.SeedNumber, (0.5, True, 2**63, -(2**63) - 1, 10**400, None)),
    (kinds.Name, ("", 3, None, ["x"])),
    (kinds.Digest, ("", "x", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n", 0, None)),
    (kinds.Moment, ("", "yesterday", "2026-13-01T00:00:00Z", "2026-11-24T10:00:00", "2026-11-24T10:00:00+02:00", 0, None)),
)
"""Each kind of number, and what none of it is."""

OTHERS: tuple[tuple[Any, tuple[Any, ...]], ...] = ((bool, (0, 1, "true", None)), (str, (3, None, ["x"])), (Verdict, ("FINE", "holds", 1, None)))


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in a record, and what it may be."""

    path: tuple[str | int, ...]
    kind: Any
    nullable: bool
    is_field: bool = True
    """And neither a row of a list nor what a dictionary has for a key."""

    @property
    def name(self) -> str:
        """Its place, whichever row of a list it is in."""
        return ".".join("*" if isinstance(part, int) else part for part in self.path)

    @property
    def impossible(self) -> tuple[Any, ...]:
        """What it cannot be. A type that says no more than that it is a number has no such list."""
        kind, origin = self.kind, get_origin(self.kind)
        found = next((values for number, values in NUMBERS if number is kind), None) or next((values for other, values in OTHERS if other is kind), None)
        if found is None and origin is Literal:
            found = ("none of them", 99, None)
        if found is None and (is_row(kind) or origin in (list, tuple, dict)):
            found = ("x", 3, True, None, {} if origin in (list, tuple) else [])
        assert found is not None, f"{self.name} is {kind}, for which nothing says what it cannot be"
        return tuple(value for value in found if not (value is None and self.nullable))


def is_row(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def spots(kind: Any, data: Any, path: tuple[str | int, ...] = (), *, is_field: bool = False) -> Iterator[Spot]:
    """A value and all that is below it. Where a value is null there is nothing."""
    nullable = get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind)
    if nullable:
        if data is None:
            return
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    yield Spot(path, kind, nullable, is_field)
    origin, arguments = get_origin(kind), get_args(kind)
    if is_row(kind):
        for name, hint in get_type_hints(kind, include_extras=True).items():
            if name in kind.model_fields:
                yield from spots(hint, data[name], (*path, name), is_field=True)
    elif origin is tuple:
        for place, (hint, value) in enumerate(zip(arguments, data, strict=True)):
            yield from spots(hint, value, (*path, place))
    elif origin in (list, dict):
        for place, value in enumerate(data) if origin is list else data.items():
            yield from spots(arguments[-1], value, (*path, place))


@cache
def every_spot() -> dict[str, Spot]:
    """By its name, the first of each."""
    data = json.loads(written())
    found: dict[str, Spot] = {}
    for spot in (*spots(RunRecord, data), *spots(Totals, data["totals"], ("totals",))):
        if spot.path:
            found.setdefault(spot.name, spot)
    return found


def every_field(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """Of a row, and of all rows that may be in it."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        if name in model.model_fields:
            yield model, name
            kinds_within = [hint]
            while kinds_within:
                kind = kinds_within.pop()
                kinds_within += get_args(kind) if get_origin(kind) is not Literal else ()
                if is_row(kind):
                    yield from every_field(kind)


def test_the_record_with_all_of_it_is_read() -> None:
    """The control of the refusals; and every field of every row is in it, with a value."""
    assert refusal(written()) == ""
    data, fields = json.loads(written()), {*every_field(RunRecord), *every_field(Totals)}
    seen = {*fields_with_values(RunRecord, data), *fields_with_values(Totals, data["totals"])}
    assert {f"{model.__name__}.{name}" for model, name in fields - seen} == set()
    assert len(fields) > 200


def fields_with_values(kind: Any, data: Any) -> Iterator[tuple[type[BaseModel], str]]:
    for spot in spots(kind, data):
        if is_row(spot.kind):
            row = data
            for part in spot.path:
                row = row[part]
            yield from ((spot.kind, name) for name in spot.kind.model_fields if row[name] is not None)


SECTIONS = (*RunRecord.model_fields, "totals")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_value_that_cannot_be_is_refused(section: str) -> None:
    tried = [(spot, value) for spot in every_spot().values() if spot.path[0] == section for value in spot.impossible]
    said = {f"{spot.name} = {value!r}": refusal(planted(spot.path, value)) for spot, value in tried}
    assert said
    assert [what for what, words in said.items() if not words or "\n" in words] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_field_that_is_missing_is_refused(section: str) -> None:
    """Also where reading it would put a default in its place."""
    read = []
    for spot in every_spot().values():
        if spot.is_field and spot.path[0] == section:
            data = json.loads(written())
            *above, last = spot.path
            place = data
            for part in above:
                place = place[part]
            del place[last]
            read += [] if refusal(json.dumps(data)) else [spot.name]
    assert read == []


def test_a_type_that_says_only_that_it_is_a_number_is_noticed() -> None:
    for kind in (int, float):
        with pytest.raises(AssertionError, match="nothing says what it cannot be"):
            _ = Spot(("new",), kind, nullable=False).impossible
