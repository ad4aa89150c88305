"""A block as it is written, watched: its parts are found, and its patched pass is checked in float64."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from numeric.architecture.as_written import BlockAsWritten
from numeric.architecture.compiled import as_written
from numeric.operators.anatomy import Anatomy, anatomy_of
from numeric.operators.double_check import AT_THE_OPERATOR, DoubleCheck, double_check
from numeric.operators.double_precision import in_double
from numeric.operators.needed_claims import needed_claims
from numeric.operators.recording import DoubleBlock
from numeric.operators.refusals import CALL_FAILS, NO_SUCH_PART, UNKNOWN_PARAMETER, RefusedBlock
from numeric.operators.walk import switched_off

_PART = re.compile(r"(?P<name>[^\[]+)(\[(?P<slices>[-0-9:, ]+)\])?")
_SLICE = re.compile(r" *(?P<start>-?\d+)? *(?P<colon>:)? *(?(colon)(?P<stop>-?\d+)? *(: *(?P<step>\d+)? *)?|)")


@dataclass(frozen=True, slots=True)
class WatchedBlock:
    """A block that was watched and found to be one that the claims are about."""

    described: BlockAsWritten
    """Its module is what a compiled one was made of."""
    width: int
    """Of a token."""
    double: DoubleBlock
    """In float64."""
    anatomy: Anatomy
    check: DoubleCheck
    """In float64, the patched pass is the pass with the context."""
    notes: tuple[str, ...]
    """What does not run here as it usually does."""

    @property
    def needed_claims(self) -> tuple[str, ...]:
        """By which its patch is right, beside the claim of what is removed."""
        return needed_claims(self.anatomy)

    @property
    def runs_at_once(self) -> bool:
        """Whether patched passes run the whole batch at once, and not case by case."""
        return self.check.way == AT_THE_OPERATOR

    @classmethod
    def of(cls, described: BlockAsWritten) -> "WatchedBlock":
        """Watch a block and find its parts.  Raises UnusableBlock."""
        notes = tuple(switched_off(described.module))
        described = replace(described, module=as_written(described.module))
        wide = in_double(described.module)
        double = DoubleBlock(wide, described.call, {name: part_of(wide, name) for name in described.first})
        if described.absorb is not None:
            part_of(wide, described.absorb)  # raises for a name that no parameter has
        anatomy, width = _watched(double, described.absorb, described.width)
        return cls(described, width, double, anatomy, double_check(double, anatomy, width), notes)


def part_of(module: nn.Module, name: str) -> Tensor:
    """A parameter, or the rows of one that ``weight[96:192]`` names.  Raises RefusedBlock."""
    found = _PART.fullmatch(name.replace("_orig_mod.", ""))
    known = dict(module.named_parameters(remove_duplicate=False))
    if found is None or found["name"] not in known:
        buffers = dict(module.named_buffers(remove_duplicate=False))
        hint = ", which is a buffer: make it an nn.Parameter, if it is W" if found is not None and found["name"] in buffers else ""
        raise RefusedBlock(UNKNOWN_PARAMETER, name=f'"{name}"', known=", ".join(known), hint=hint)
    whole = known[found["name"]].detach()
    if not found["slices"]:
        return whole
    slices = _slices(found["slices"], whole.shape)
    if slices is None:
        raise RefusedBlock(NO_SUCH_PART, name=found["name"], shape=tuple(whole.shape), part=found["slices"])
    return whole[slices]


def _slices(text: str, shape: Sequence[int]) -> tuple[slice, ...] | None:
    """``96:192``, ``:, 96:`` and ``7`` (one row) as slices of what has the shape; None if they name nothing, or what it has not."""
    parts = text.split(",")
    found = [_slice(part, size) for part, size in zip(parts, shape, strict=False)]
    known = [each for each in found if each is not None]
    return tuple(known) if len(known) == len(parts) else None


def _slice(text: str, size: int) -> slice | None:
    """Python's slice, but for one that reaches beyond the size, or is empty."""
    found = _SLICE.fullmatch(text)
    if found is None:
        return None
    start, stop, step = (int(each) if each else None for each in found.group("start", "stop", "step"))
    if not found["colon"]:
        return slice(start, start + 1 or None) if start is not None and -size <= start < size else None
    inside = all(end is None or -size <= end <= size for end in (start, stop))
    return slice(start, stop, step) if inside and step != 0 and range(size)[slice(start, stop, step)] else None


def _watched(block: DoubleBlock, absorb: str | None, width: int | None) -> tuple[Anatomy, int]:
    """The anatomy with tokens of the given width, or of the first of W's widths with which the block can be called."""
    widths = [width] if width is not None else list(dict.fromkeys(size for part in block.first.values() for size in reversed(part.shape)))
    failed: RefusedBlock | None = None
    for each in widths:
        try:
            return anatomy_of(block, each, absorb), each
        except RefusedBlock as error:
            if error.kind is not CALL_FAILS:
                raise
            failed = failed or error
    assert failed is not None
    raise failed
