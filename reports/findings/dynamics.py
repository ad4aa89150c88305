"""What the implicit dynamics (Proposition 3.1, Appendix B) gave, in words: outside a bound, let pass, or not shown."""

from collections.abc import Iterable, Iterator, Sequence

from reports.record import Experiments
from reports.record.experiments import DynamicsInFormat, DynamicsRecord
from reports.text import count, counted, joined


def errors_over_bounds(row: DynamicsInFormat) -> dict[str, float]:
    """The largest error over bound of each identity, by what it says in words."""
    return {
        "Corollary B.0.1": row.moved.worst,
        "Eq. (35)": row.factored.worst,
        "Proposition 3.1": row.descended.worst,
        "Proposition 3.1's sum of gradients": row.telescoped.worst,
        "the agreement of both on A(x)": row.agree,
    }


def planted_over_bounds(row: DynamicsInFormat) -> dict[str, float]:
    """The error over bound of each wrong reading that was planted."""
    return {"Eq. (15) as it is printed": row.literal, "Eq. (35) in the opposite order": row.reversed, "the wrong part of the context": row.prefix}


def strayed_dynamics(experiments: Experiments) -> Iterable[str]:
    """Identities with an error that is not inside its bound."""
    outside = [f"{words} of {where}" for where, row in _rows(experiments.dynamics) for words, over in errors_over_bounds(row).items() if not over <= 1]
    outside += [
        f"{name} of {where} after {counted(i, 'token')}"
        for where, row in _rows(experiments.dynamics)
        for name in ("moved", "factored", "descended", "telescoped")
        for i, error, bound, _ in getattr(row, name).points
        if not error <= bound and getattr(row, name).worst <= 1
    ]
    if outside:
        lie = "lies outside its bound" if len(outside) == 1 else "lie outside their bounds"
        yield f"{counted(len(outside), 'identity', 'identities')} of the implicit dynamics {lie} ({_example(outside)})"


def unnoticed_readings(experiments: Experiments) -> Iterable[str]:
    """Planted readings that are not outside the right one's bound."""
    passed = [f"{words} for {where}" for where, row in _rows(experiments.dynamics) for words, over in planted_over_bounds(row).items() if not over > 1]
    if passed:
        yield f"the bounds of the implicit dynamics let {counted(len(passed), 'wrong reading')} pass ({_example(passed)})"


def dynamics_not_shown(experiments: Experiments) -> Iterable[str]:
    """Prompts that were refused, and numbers of tokens after which a bound shows nothing."""
    refused = sum(row.refused for _, row in _rows(experiments.dynamics))
    if refused:
        judged = sum(row.prompts for _, row in _rows(experiments.dynamics))
        yield f"Of the prompts for the implicit dynamics, {count(refused)} of {count(refused + judged)} met a limit of the range or a zero, and were refused."
    vacuous = [
        f"{where} ({counted(len(identity.vacuous), 'step')})"
        for where, row in _rows(experiments.dynamics)
        for identity in (row.moved, row.factored, row.descended, row.telescoped)
        if identity.vacuous
    ]
    if vacuous:
        yield f"A bound of the implicit dynamics is as wide as what the tokens do, and so shows nothing, for {joined(vacuous)}."


def undecided_dynamics(experiments: Experiments) -> Iterable[str]:
    """Blocks of which no prompt was judged, or in which a bound shows nothing at any number of tokens."""
    unjudged = [f"{record.block} in {row.format}" for record in experiments.dynamics for row in record.formats if row.prompts == 0]
    if unjudged:
        yield f"the implicit dynamics of {joined(unjudged)} were judged for no prompt"
    blind = [f"{record.block} in {row.format}" for record in experiments.dynamics for row in record.formats if row.prompts and _blind(record, row)]
    if blind:
        yield f"a bound of the implicit dynamics shows nothing at any number of tokens for {joined(blind)}"


def _blind(record: DynamicsRecord, row: DynamicsInFormat) -> bool:
    return any(len(identity.vacuous) >= record.tokens for identity in (row.moved, row.factored, row.descended, row.telescoped))


def _rows(records: Sequence[DynamicsRecord]) -> Iterator[tuple[str, DynamicsInFormat]]:
    for record in records:
        for row in record.formats:
            yield f"{record.block} in {row.format}", row


def _example(examples: Sequence[str]) -> str:
    return examples[0] if len(examples) == 1 else f"{examples[0]} for one"
