"""What a claim or an erratum shows otherwise than a baseline's line of it.

A claim that holds for fewer sizes, under more hypotheses, by more lines that no program checks, or without a line of proof shows less. One with another
statement shows something else under the same name, which nobody has accepted. Fewer lines of proof are told as worse: no reader of a record can know whether
what is left is the whole of it. Another proof of as many lines or more is other, and so are other numbers that refute a false variant.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from reports.comparison.baseline import claim_line, erratum_line
from reports.comparison.baseline_rows import ClaimLine, ErratumLine
from reports.comparison.changes import Change, DifferenceKind, verdict_change
from reports.record import ClaimRecord
from reports.record.claims import ErratumRecord
from reports.text import count, counted, joined
from symbolic.vocabulary import Verdict

KERNEL = ("failed", "not run", "checked")
"""What a kernel may have said, the gravest first."""


def claim_changes(key: str, line: ClaimLine, claim: ClaimRecord) -> Iterator[Change]:
    """The gravest first."""
    yield from verdict_change("claim", key, line.verdict, claim.verdict, claim.reason)
    now = claim_line(claim)

    def change(standing: DifferenceKind, what: str, before: str, after: str) -> Change:
        return Change(standing, "claim", key, what, before, after)

    if claim.verdict is line.verdict:
        if now.scope != line.scope:
            yield change(DifferenceKind.REGRESSION, f"shown for {now.scope}, was {line.scope}", line.scope, now.scope)
        if now.statement != line.statement:
            yield change(DifferenceKind.REGRESSION, f"another statement: {now.statement}, was {line.statement}", line.statement, now.statement)
        more, fewer = (joined(sorted((Counter(one) - Counter(other)).elements())) for one, other in _both(now.hypotheses, line.hypotheses))
        yield from _typeset("claim", key, line.typeset, now.typeset, same=now.statement == line.statement and not (more or fewer))
        if more:
            yield change(DifferenceKind.REGRESSION, f"it assumes {more}, which it did not", "", more)
        used = {part for step in claim.steps if step.hypothesis for part in step.hypothesis.split(" and ")}
        if lost := joined(sorted(used & {*line.hypotheses} - {*now.hypotheses})):
            yield change(DifferenceKind.REGRESSION, f"its proof uses {lost}, which it no longer assumes", lost, "")
        elif fewer:
            standing = DifferenceKind.CHANGED if more else DifferenceKind.BETTER
            yield change(standing, f"it no longer assumes {fewer}", fewer, "")
        yield from _of_the_proof(key, line, now)
    for name in line.refuted:
        if name not in now.refuted:
            known = any(mutant.id == name for mutant in claim.mutants)
            yield change(DifferenceKind.REGRESSION, f"the false variant {name} is {'not refuted' if known else 'missing'}", "refuted", "not refuted")
        elif now.refuted[name] != line.refuted[name]:
            what = f"the false variant {name} is another: {now.refuted[name]}, was {line.refuted[name]}"
            yield change(DifferenceKind.CHANGED, what, line.refuted[name], now.refuted[name])
        elif now.numbers[name] != line.numbers.get(name, now.numbers[name]):
            yield change(DifferenceKind.CHANGED, f"other numbers refute the false variant {name}", line.numbers[name], now.numbers[name])
    for name in now.refuted:
        if name not in line.refuted:
            yield change(DifferenceKind.NEW, f"the false variant {name} is refuted, and not in the baseline", "missing", "refuted")


def _both(now: list[str], before: list[str]) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    return (now, before), (before, now)


def _typeset(kind: str, key: str, before: Mapping[str, str], now: Mapping[str, str], *, same: bool) -> Iterator[Change]:
    """What a page shows otherwise.  same: whether the words beside it are the same, so that nothing else tells of it."""
    others = joined([name for name in now if now[name] != before.get(name, now[name])]) if same else ""
    if others:
        yield Change(DifferenceKind.CHANGED, kind, key, f"a page shows something else than it did, under the same words: {others}", "the same", others)


def _of_the_proof(key: str, line: ClaimLine, now: ClaimLine) -> Iterator[Change]:
    if line.lines and not now.lines and now.verdict is Verdict.HOLDS:
        yield Change(DifferenceKind.REGRESSION, "claim", key, f"no line of a proof, {count(line.lines)} before", count(line.lines), "0")
    elif now.lines != line.lines:
        what = f"{counted(now.lines, 'line')} of proof, {count(line.lines)} before"
        standing = DifferenceKind.REGRESSION if now.lines < line.lines and now.verdict is Verdict.HOLDS else DifferenceKind.CHANGED
        yield Change(standing, "claim", key, what, count(line.lines), count(now.lines))
    elif now.proof != line.proof:
        yield Change(DifferenceKind.CHANGED, "claim", key, f"another proof of {counted(now.lines, 'line')}", line.proof, now.proof)
    if now.in_words > line.in_words:
        what = f"{counted(now.in_words, 'line')} that no program checks, {count(line.in_words)} before"
        yield Change(DifferenceKind.REGRESSION, "claim", key, what, count(line.in_words), count(now.in_words))
    if now.kernel == line.kernel and (more := joined(sorted({*now.kernel_assumes} - {*line.kernel_assumes}))):
        yield Change(DifferenceKind.REGRESSION, "claim", key, f"the kernel of a proof assistant takes {more} for granted, which it did not", "", more)
    if KERNEL.index(now.kernel) < KERNEL.index(line.kernel):
        yield Change(DifferenceKind.REGRESSION, "claim", key, f"the kernel of a proof assistant: {now.kernel}, was {line.kernel}", line.kernel, now.kernel)


def erratum_changes(key: str, line: ErratumLine, erratum: ErratumRecord) -> Iterator[Change]:
    """The gravest first."""
    now = erratum_line(erratum)
    if line.shown and not now.shown:
        yield Change(DifferenceKind.REGRESSION, "erratum", key, "not shown any more: refuted as printed and proved as corrected", "shown", "not shown")
    elif now.shown and not line.shown:
        yield Change(DifferenceKind.STALE, "erratum", key, "known as not shown, now shown; take it into the baseline", "not shown", "shown")
    statements = (("what is printed", line.printed, now.printed), ("what is proved in its place", line.corrected, now.corrected))
    yield from _typeset("erratum", key, line.typeset, now.typeset, same=all(was == has for _, was, has in statements))
    if line.claim and now.claim != line.claim:
        yield Change(DifferenceKind.REGRESSION, "erratum", key, f"it is corrected by {now.claim}, was {line.claim}", line.claim, now.claim)
    for words, was, has in statements:
        if was != has:
            yield Change(DifferenceKind.REGRESSION, "erratum", key, f"{words} is another statement: {has}, was {was}", was, has)
    if line.measured and not now.measured:
        yield Change(DifferenceKind.REGRESSION, "erratum", key, "not measured any more", "measured", "missing")
