"""What a comparison comes to: changes, each with what it means to a gate, and verdicts by their gravity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from reports.findings import Status
from symbolic.vocabulary import Verdict

KNOWN_FAILURES = (Verdict.VIOLATED, Verdict.ERROR, Verdict.TIMEOUT, Status.FAILED, Status.BROKE)

GRAVEST_FIRST: tuple[tuple[Verdict | Status, ...], ...] = (
    (Verdict.VIOLATED, Status.FAILED),
    (Verdict.ERROR, Verdict.TIMEOUT, Status.BROKE),
    (Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.SKIPPED, Status.NOT_JUDGED),
    (Verdict.HOLDS, Status.PASSED),
)
"""Of one rank none is better than another: nothing was checked."""


class DifferenceKind(Enum):
    """What a difference means to a gate. The gravest first."""

    REGRESSION = "regression"
    STALE = "stale known failure"
    NOT_RUN = "not run"
    NEW = "new, not accepted"
    CHANGED = "other, not accepted"
    BETTER = "better"


FAILING = (DifferenceKind.REGRESSION, DifferenceKind.STALE)
UNACCEPTED = (DifferenceKind.NEW, DifferenceKind.CHANGED, DifferenceKind.BETTER)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise."""

    standing: DifferenceKind
    kind: str
    """claim, erratum, cell, sweep, run, or other: a trained block or an experiment."""
    id: str
    what: str
    """In words, with what was and what is."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held to a baseline."""

    differences: tuple[Change, ...]
    """The gravest first."""
    compared: Mapping[str, int]
    """How many of each kind stood on both sides."""
    limits: tuple[str, ...]
    """What was not compared, and why."""
    finished: bool
    """Whether the run was."""

    def of(self, *standings: DifferenceKind) -> list[Change]:
        """Those of some standings."""
        return [found for found in self.differences if found.standing in standings]

    @property
    def nothing(self) -> bool:
        """Whether there was nothing on both sides."""
        return not any(self.compared.values())


def verdict_change(kind: str, key: str, before: Verdict | Status, after: Verdict | Status, reason: str | None) -> Iterator[Change]:
    """Graver, stale, or better."""
    was, now = (next(rank for rank, alike in enumerate(GRAVEST_FIRST) if each in alike) for each in (before, after))
    if now <= was and before is not after:
        standing = DifferenceKind.REGRESSION if now < was else DifferenceKind.CHANGED
        yield Change(standing, kind, key, f"{before.value} became {after.value}{': ' + reason if reason else ''}", before.value, after.value)
    elif now > was:
        stale = before in KNOWN_FAILURES
        what = f"known as {before.value}, now {after.value}" + ("; take it out of the baseline" if stale else "")
        yield Change(DifferenceKind.STALE if stale else DifferenceKind.BETTER, kind, key, what, before.value, after.value)


def gravity(word: str) -> int:
    """The place of a verdict's word, the gravest first; other words after all."""
    names = [each.value for alike in GRAVEST_FIRST for each in alike if isinstance(each, Verdict)]
    return names.index(word) if word in names else len(names)
