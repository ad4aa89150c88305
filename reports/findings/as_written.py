"""What blocks as they are written gave in float64, in words: unequal, or a wrong patch that let itself be taken for the right one."""

from collections.abc import Iterable

from reports.record import Experiments
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
    """Where every case was refused."""
    for row in experiments.in_double:
        if not row.judged:
            yield f"no case of {row.name} has an update in float64"


def equal_cases(experiments: Experiments) -> int:
    """Cases in which the patched pass is the pass with the context, in rows that hold as a whole."""
    return sum(row.judged for row in experiments.in_double if row.verdict is Verdict.HOLDS)
