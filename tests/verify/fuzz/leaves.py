"""The leaves of a record, by its schema: where each stands, and what it can be changed to that is worse, impossible, or only other.

A leaf's place is a path, such as ("cells", 0, "counts", "holds"). Its pattern has "*" for a row of a list and for a free name, such as "cells.*.counts.holds":
the schema has finitely many patterns, so what a test knows of each of them is complete, and a field that is added later is one more.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from reports.record.schema import run_schema
from tests.verify.doctoring import Data

Place = tuple[str | int, ...]
Change = tuple[str, Any]
"""In words, and the value that takes the place of what was there."""

REMOVED = object()
"""In place of a value: that its name is gone, too."""

OTHER_DIGEST = "fedcba9876543210" * 4
OTHER_MOMENT = "2030-01-01T00:00:00Z"
VERDICTS = ("HOLDS", "VIOLATED", "VACUOUS", "INCONCLUSIVE", "SKIPPED", "ERROR", "TIMEOUT")


class Schema:
    """The record's schema, with its references resolved."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = run_schema()

    def kinds(self, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What a value may be: the alternatives, without null."""
        if "$ref" in node:
            return self.kinds(self.root["$defs"][node["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in node:
            return [kind for each in node["anyOf"] for kind in self.kinds(each)]
        return [] if node.get("type") == "null" else [node]

    def below(self, node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """The parts of a row, list or table, by name; none of a leaf. A list or a table has one part, "*"; a tuple's parts are numbered."""
        found: dict[str, Mapping[str, Any]] = {}
        for kind in self.kinds(node):
            found |= kind.get("properties", {})
            found |= {str(place): each for place, each in enumerate(kind.get("prefixItems", ()))}
            for name in ("items", "additionalProperties"):
                if isinstance(part := kind.get(name), Mapping):
                    found["*"] = part
        return found

    def patterns(self, node: Mapping[str, Any] | None = None, where: str = "") -> Iterator[str]:
        """Of all leaves."""
        parts = self.below(self.root if node is None else node)
        for name, part in parts.items():
            place = f"{where}.{name}" if where else name
            yield from self.patterns(part, place) if self.below(part) else [place]

    def places(self, data: Any, node: Mapping[str, Any] | None = None, path: Place = (), where: str = "") -> Iterator[tuple[Place, str]]:
        """Of everything in a record's JSON, its pattern; rows and lists as well as leaves."""
        node = self.root if node is None else node
        if path:
            yield path, where
        if not isinstance(data, dict | list):
            return
        parts = self.below(node)
        for name, value in data.items() if isinstance(data, dict) else enumerate(data):
            known = str(name) if str(name) in parts else "*"
            yield from self.places(value, parts[known], (*path, name), f"{where}.{known}" if where else known)


def changes_of(was: Any) -> Iterator[Change]:
    """Of a value; lists and tables that have nothing in them grow."""
    yield "removed", REMOVED
    match was:
        case dict():
            if was:
                yield "emptied", {}
        case list():
            yield from _of_a_list(was)
        case bool():
            yield "the contrary", not was
            yield "null", None
        case int():
            yield from (("ten times", was * 10), ("a tenth", was // 10), ("one more", was + 1), ("negated", -was), ("0", 0), ("NaN", "NaN"), ("null", None))
        case float() | "NaN" | "Infinity" | "-Infinity":
            yield from _of_a_number(float(was))
        case str():
            yield from _of_a_word(was)
        case None:
            yield from (("a number", 0.5), ("a count", 1), ("a word", "x"))


def _of_a_number(was: float) -> Iterator[Change]:
    yield from (("ten times", was * 10), ("a tenth", was / 10), ("negated", -was), ("0", 0.0))
    yield from (("1", 1.0), ("NaN", "NaN"), ("infinite", "Infinity"), ("null", None))


def _of_a_word(was: str) -> Iterator[Change]:
    yield from (("another word", was + " and more"), ("empty", ""), ("null", None))
    if was in VERDICTS:
        yield from ((verdict, verdict) for verdict in VERDICTS)
    if len(was) == 64 and set(was) <= set("0123456789abcdef"):
        yield "another digest", OTHER_DIGEST
    if was.endswith("Z") and "T" in was:
        yield "another time", OTHER_MOMENT


def _of_a_list(was: list[Any]) -> Iterator[Change]:
    if was:
        yield "without its last", was[:-1]
        yield "its last twice", [*was, was[-1]]
        yield "its first alone", was[:1]
        yield "emptied", []


def changed(data: Data, path: Place, value: Any) -> Data | None:
    """The record's JSON with another value at a place; None if it is the same as it was."""
    found = copy.deepcopy(data)
    at: Any = found
    for part in path[:-1]:
        at = at[part]
    if value is not REMOVED and _same(at[path[-1]], value):
        return None
    if value is REMOVED:
        del at[path[-1]]
    else:
        at[path[-1]] = copy.deepcopy(value)
    return found


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)
