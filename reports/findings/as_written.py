"""What blocks as they are written gave in float64, in words: unequal, or a wrong patch that let itself be taken for the right one."""

from collections.abc import Iterable
from dataclasses import dataclass

from reports.record import Experiments
from reports.record.as_written import InDoubleRecord, WatchedRecord
from reports.text import count, counted, joined, real
from symbolic.vocabulary import Verdict


def unequal_blocks(experiments: Experiments) -> Iterable[str]:
    """Blocks whose patched pass is not what they compute with the context."""
    for block in experiments.watched:
        if not block.off <= block.allowed:
            yield f"in float64 the patched pass of {block.block} is off by {real(block.off)} of its output, where roundings explain {real(block.allowed)}"
    for row in experiments.in_double:
        if row.verdict is Verdict.VIOLATED:
            differ = f"differs from the pass with the context in {count(row.unequal)} of {counted(row.judged, 'case')}"
            by = f"by up to {real(row.off)} of the output, {real(row.worst_ratio)} times what roundings explain"
            yield f"in float64 the patched pass of {row.name} {differ}, {by}"


def unnoticed_in_double(experiments: Experiments) -> Iterable[str]:
    """Wrong patches that pass for the right one, and where none was planted."""
    for block in experiments.watched:
        passed = [words for words, off in block.planted.items() if not off > block.allowed]
        if passed or not block.planted:
            yield f"of {block.block} no wrong patch was noticed in float64 ({joined(passed) or 'none was planted'})"
    for row in experiments.in_double:
        if row.judged and not row.planted:
            yield f"no wrong patch of {row.name} was planted in float64"
        elif row.judged and row.unnoticed:
            yield f"in float64 wrong patches of {row.name} were noticed in less than half of the cases ({joined(row.unnoticed)})"


def undecided_in_double(experiments: Experiments) -> Iterable[str]:
    """Where every case was refused, or what was removed changes nothing in any."""
    for row in experiments.in_double:
        if not row.judged:
            yield f"no case of {row.name} has an update in float64"
        elif row.unaffected:
            none = f"what was removed changes nothing in {counted(row.judged, 'case')} of {row.name}"
            yield f"{none}, so that no wrong patch differs from the right one: ask for more cases, or give contexts that matter"


def equal_cases(experiments: Experiments) -> int:
    """Cases in which the patched pass is the pass with the context, in rows that hold as a whole."""
    return sum(row.judged for row in experiments.in_double if row.verdict is Verdict.HOLDS)


def noticed_in_double(experiments: Experiments) -> tuple[int, int]:
    """In how many cases wrong patches were noticed, and in how many they were tried: each patch of each case counts."""
    counts = [each for row in experiments.in_double for each in row.planted.values()]
    return sum(noticed for noticed, _ in counts), sum(tried for _, tried in counts)


@dataclass(frozen=True, slots=True)
class WrongPatch:
    """How one wrong patch of a block fared."""

    words: str
    small: float | None
    """By how much it differs on the few small cases; None where it was not planted in them."""
    noticed: tuple[tuple[int, int] | None, ...]
    """For each row of the block, in how many cases it was noticed, and of how many; None where it was not planted."""
    left_out: str
    """Why it is no wrong patch of the block; empty if it is one."""


@dataclass(frozen=True, slots=True)
class WrittenBlock:
    """All that a record has of a block as it is written."""

    name: str
    watched: WatchedRecord | None
    """None where a run was cut off before it was written down."""
    rows: tuple[InDoubleRecord, ...]
    patches: tuple[WrongPatch, ...]


def written_blocks(experiments: Experiments) -> list[WrittenBlock]:
    """Each with its rows, in the order of the record."""
    watched = {row.block: row for row in experiments.watched}
    names = dict.fromkeys([*watched, *(row.block for row in experiments.in_double)])
    return [_written(name, watched.get(name), [row for row in experiments.in_double if row.block == name]) for name in names]


def _written(name: str, watched: WatchedRecord | None, rows: list[InDoubleRecord]) -> WrittenBlock:
    small, left_out = (watched.planted, watched.left_out) if watched else ({}, {})
    words = dict.fromkeys([*small, *(each for row in rows for each in row.planted), *left_out])
    patches = [WrongPatch(each, small.get(each), tuple(row.planted.get(each) for row in rows), left_out.get(each, "")) for each in words]
    return WrittenBlock(name, watched, tuple(rows), tuple(patches))
