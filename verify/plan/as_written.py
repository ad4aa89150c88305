"""What is measured of a user's block as it is written: in float64, and in every format where its operators have rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symbolic.vocabulary import CallError

if TYPE_CHECKING:
    from numeric.user_blocks import OwnAsWritten


class NotOfSuchABlock(CallError):
    """Something was asked for by name that there is not yet for a block as it is written."""


@dataclass(frozen=True, slots=True)
class WrittenPlan:
    """A block, and what is measured of it."""

    own: "OwnAsWritten"
    variants: tuple[str, ...]
    scenarios: tuple[str, ...]
    cases: int
    """In each of them, in float64."""
    bounded_cases: int
    """In each cell."""
    bounded: tuple[str, ...]
    """The formats in which there are cells of it."""
    without: Mapping[str, str]
    """Those in which it has no bound, and why."""


def bounded_formats() -> tuple[str, ...]:
    """The formats in which a block as it is written is bounded."""
    from numeric.formats import MODES

    return tuple(mode.id for mode in MODES)


def written_plan(own: "OwnAsWritten", asked: dict[str, list[str] | None], cases: int | None, usual: int, device: str) -> WrittenPlan:
    """The plan of a request.  asked: its names by option, None where none was given; cases: asked for; usual: of the profile; device: cpu or cuda.

    Raises NotOfSuchABlock if a name was given of something that cannot be done: what is asked for by name is done or refused, never left out.
    """
    from numeric.user_blocks.block_as_written import AT_MOST, BOUNDED_AT_MOST, SCENARIOS

    without = dict(own.no_rule) if device == "cpu" else dict.fromkeys(bounded_formats(), f"no rule for blocks as they are written on {device}")
    bounded = tuple(name for name in bounded_formats() if name not in without)
    formats = tuple(dict.fromkeys(("fp64", *bounded)))
    for option, known in (("format", formats), ("variant", own.variants), ("scenario", SCENARIOS)):
        missing = [name for name in asked[option] or () if name not in known]
        if missing:
            there, why = ", ".join(known), f" ({without[missing[0]]})" if option == "format" and missing[0] in without else ""
            raise NotOfSuchABlock(f"{own.name} is a block as it is written, of which there is no --{option} {missing[0]}{why}; there is {there}.")
    found = min(usual, AT_MOST[own.watched.runs_at_once]) if cases is None else cases
    in_cells = min(usual, BOUNDED_AT_MOST[own.watched.runs_at_once]) if cases is None else cases
    return WrittenPlan(own, tuple(asked["variant"] or own.variants), tuple(asked["scenario"] or SCENARIOS), found, in_cells, bounded, without)
