"""A block as it is written, watched: its parts are found, and its patched pass is checked in float64."""

import re
from dataclasses import dataclass, replace

from torch import Tensor, nn

from numeric.architecture.as_written import BlockAsWritten
from numeric.architecture.compiled import as_written
from numeric.operators.anatomy import Anatomy, anatomy_of
from numeric.operators.double_check import AT_THE_OPERATOR, DoubleCheck, double_check
from numeric.operators.double_precision import in_double
from numeric.operators.needed_claims import needed_claims
from numeric.operators.recording import DoubleBlock
from numeric.operators.refusals import CALL_FAILS, UNKNOWN_PARAMETER, RefusedBlock
from numeric.operators.walk import switched_off

_PART = re.compile(r"(?P<name>[^\[]+)(\[(?P<slices>[-0-9:, ]+)\])?")


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
    return whole[_slices(found["slices"])] if found["slices"] else whole


def _slices(text: str) -> tuple[slice, ...]:
    """``96:192`` and ``:, 96:`` as slices."""
    return tuple(slice(*(int(end) if end.strip() else None for end in each.split(":"))) for each in text.split(","))


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
