"""What is measured of a user's block as it is written: in float64 alone, until there are rules for its operators."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symbolic.vocabulary import CallError

if TYPE_CHECKING:
    from numeric.user_blocks import OwnAsWritten

FORMAT = "fp64"


class OnlyInDouble(CallError):
    """Something was asked for by name that there is not yet for a block as it is written."""


@dataclass(frozen=True, slots=True)
class WrittenPlan:
    """A block, and what is measured of it."""

    own: "OwnAsWritten"
    variants: tuple[str, ...]
    scenarios: tuple[str, ...]
    cases: int
    """In each of them."""


def written_plan(own: "OwnAsWritten", asked: dict[str, list[str] | None], cases: int | None, usual: int) -> WrittenPlan:
    """The plan of a request.  asked: its names by option, None where none was given; cases: asked for; usual: of the profile.

    Raises OnlyInDouble if a name was given of something that cannot be done: what is asked for by name is done or refused, never left out.
    """
    from numeric.user_blocks.block_as_written import AT_MOST, SCENARIOS

    for option, known in (("format", (FORMAT,)), ("variant", own.variants), ("scenario", SCENARIOS)):
        missing = [name for name in asked[option] or () if name not in known]
        if missing:
            there = ", ".join(known)
            raise OnlyInDouble(
                f"{own.name} is a block as it is written, which is judged in float64 and without a bound so far: no --{option} {missing[0]}; there is {there}."
            )
    found = min(usual, AT_MOST[own.watched.runs_at_once]) if cases is None else cases
    return WrittenPlan(own, tuple(asked["variant"] or own.variants), tuple(asked["scenario"] or SCENARIOS), found)
