"""An operator executed once more on what is known of its operands: whatever moves numbers moves their radii and their doubts so, too.

The operator is handed radii, float64, in the place of its operands, and then doubts, uint8. What it reads for places, sizes or shapes stays as it was.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from numeric.operator_rules.call import Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt


def placed(call: OperatorCall, x: object, dtype: torch.dtype) -> Entries:
    """A tensor or number that is copied into a tensor of a dtype: nothing is lost where it is of that dtype already."""
    if isinstance(x, Tensor) and x.dtype == dtype:
        return Entries(x.double(), call.radius(x), call.doubts(x))
    if not dtype.is_floating_point:
        value = x.double() if isinstance(x, Tensor) else torch.tensor(float(x), dtype=torch.float64, device=call.result.device)  # type: ignore[arg-type]
        return Entries(value, torch.zeros_like(value), call.doubts(x) if isinstance(x, Tensor) else None)
    return call.entries_of(x, dtype)


def once_more(call: OperatorCall, changed: Mapping[str, object]) -> list[Tensor]:
    """The results of the operator with other operands; those that it overwrites are written, so they have to be new ones."""
    found = call.step.operator(**{**call.given, **changed})
    return [found] if isinstance(found, Tensor) else list(found)


def each_of(value: object, made: Callable[[object], Tensor]) -> object:
    """Something made of an argument, or of each of a list."""
    return [made(each) for each in value] if isinstance(value, list | tuple) else made(value)


def moved_radii(call: OperatorCall, names: tuple[str, ...]) -> list[Tensor]:
    """Where the radii come to stand."""

    def of(x: object) -> Tensor:
        return placed(call, x, call.result.dtype).radius.clone(memory_format=torch.contiguous_format)

    return once_more(call, {name: _number(call.given[name], each_of(call.given[name], of)) for name in names})


def moved_doubts(call: OperatorCall, names: tuple[str, ...]) -> list[Tensor] | None:
    """Where the doubts come to stand; None if there are none."""
    found = False

    def of(x: object) -> Tensor:
        nonlocal found
        if not isinstance(x, Tensor):
            return torch.zeros((), dtype=torch.uint8)
        doubts = call.doubts(x)
        found = found or doubts is not None
        empty = torch.zeros(x.shape, dtype=torch.uint8, device=x.device)
        return empty if doubts is None else doubts.clone(memory_format=torch.contiguous_format)

    changed = {name: _number(call.given[name], each_of(call.given[name], of)) for name in names}
    return once_more(call, changed) if found else None


def _number(before: object, made: object) -> object:
    """A Python number where there was one: an overload takes no tensor there."""
    return made.item() if isinstance(made, Tensor) and isinstance(before, bool | int | float) else made


def choice_of(doubts: Tensor | None) -> Tensor | None:
    """The doubts of what is read at a place that is in doubt: which entry it is, is undecided."""
    return None if doubts is None else doubts | (doubts != 0).to(torch.uint8) * int(Doubt.UNDECIDED)
