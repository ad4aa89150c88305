"""What the sweeps towards a = 0 gave, in words: outside a bound, at odds with themselves, or nothing shown."""

import math
from collections.abc import Callable, Iterable, Sequence

from reports.findings.numbers_in import has_nan
from reports.record import NearZeroSweep
from reports.record.cells import NearZeroLevel
from reports.text import counted

A_TENTH = 0.1
"""Of ‖WΔA‖: what errs by no more holds, in every format (the record's ``measured_radius``)."""


def strayed_sweeps(sweeps: Sequence[NearZeroSweep]) -> Iterable[str]:
    """Distances at which the error is not inside its bound."""
    outside = [(sweep, level) for sweep in sweeps for level in sweep.levels if not level.error <= level.bound]
    if outside:
        sweep, level = outside[0]
        number = len({id(sweep) for sweep, _ in outside})
        yield (
            f"at {counted(len(outside), 'distance')} from a = 0, in {counted(number, 'near-zero sweep')}, the error lies outside its bound "
            f"({_name(sweep)} at ‖a‖ = {level.norm:.3g}{' for one' if len(outside) > 1 else ''})"
        )


def doubtful_sweeps(sweeps: Sequence[NearZeroSweep]) -> Iterable[str]:
    """Sweeps whose figures contradict each other."""
    rules: tuple[tuple[Callable[[NearZeroSweep], bool], str], ...] = (
        (_not_a_number, "a figure that is not a number"),
        (lambda sweep: any(map(_unlimited, sweep.levels)), "a bound without limit although no case was refused"),
        (_radius_of_nothing, "a radius although nothing is finite at any distance"),
        (_fails_further_out, "results that are not finite further from a = 0 than its radius"),
    )
    for wrong, words in rules:
        found = [sweep for sweep in sweeps if wrong(sweep)]
        if found:
            verb = "has" if len(found) == 1 else "have"
            yield f"{counted(len(found), 'near-zero sweep')} {verb} {words} ({_name(found[0])}{' for one' if len(found) > 1 else ''})"


def silent_sweeps(sweeps: Sequence[NearZeroSweep]) -> Iterable[str]:
    """Sweeps in which at every distance a case was refused, or the bound is as wide as what the update does: they show nothing."""
    silent = [sweep for sweep in sweeps if not any(level.bound < 1 for level in sweep.levels)]
    if silent:
        verb, example = ("shows", _name(silent[0])) if len(silent) == 1 else ("show", f"{_name(silent[0])} for one")
        yield f"{counted(len(silent), 'near-zero sweep')} {verb} nothing at any distance from a = 0 ({example})"


def _not_a_number(sweep: NearZeroSweep) -> bool:
    """A radius is none where nothing failed."""
    return math.isnan(sweep.predicted_radius) or has_nan([level.model_dump() for level in sweep.levels])


def _unlimited(level: NearZeroLevel) -> bool:
    return not math.isfinite(level.bound) and level.refused == 0


def _fails_further_out(sweep: NearZeroSweep) -> bool:
    """Whether a result is not finite between the first distance that holds and the radius, which is the first below it that fails; NaN if none does."""
    held = max((level.norm for level in sweep.levels if level.error <= A_TENTH), default=0.0)
    return any(not math.isfinite(level.error) and 0 < level.norm < held and not level.norm <= sweep.measured_radius for level in sweep.levels)


def _radius_of_nothing(sweep: NearZeroSweep) -> bool:
    """Whether there is a radius although no distance holds from which the first failure could be told."""
    return not any(math.isfinite(level.error) for level in sweep.levels) and not math.isnan(sweep.measured_radius)


def _name(sweep: NearZeroSweep) -> str:
    return f"{sweep.block}, {sweep.format}, {sweep.variant}"
