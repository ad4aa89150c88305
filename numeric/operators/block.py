"""A block as it is written: any module, how it is called, and which of its parameters are W.

T_W(C, x) = call(module, C, x, positions). Nothing is rebuilt: both sides run the module itself, and what it does is found by watching it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from numeric.architecture.compiled import as_written
from numeric.operators.anatomy import Anatomy, anatomy_of
from numeric.operators.double_check import DoubleCheck, double_check
from numeric.operators.double_precision import in_double
from numeric.operators.recording import BlockCall, DoubleBlock
from numeric.operators.refusals import CALL_FAILS, UNKNOWN_PARAMETER, RefusedBlock
from numeric.operators.walk import switched_off

_PART = re.compile(r"(?P<name>[^\[]+)(\[(?P<slices>[-0-9:, ]+)\])?")


@dataclass(frozen=True, slots=True)
class BlockAsWritten:
    """A block that was watched and found to be one that the claims are about."""

    module: nn.Module
    """As its library wrote it; of a compiled module what it was made of."""
    call: BlockCall
    first: tuple[str, ...]
    width: int
    """Of a token."""
    double: DoubleBlock
    """In float64."""
    anatomy: Anatomy
    check: DoubleCheck
    """In float64, the patched pass is the pass with the context."""
    notes: tuple[str, ...]
    """What does not run here as it usually does."""

    @classmethod
    def of(cls, module: nn.Module, call: BlockCall, first: Sequence[str], absorb: str | None = None, width: int | None = None) -> "BlockAsWritten":
        """Watch a module and find its parts.

        call: ``call(module, context, query, positions)`` returns the query's output (batch, d_out); context (batch, n, d) or None; query (batch, d);
        positions (n + 1,), of the tokens that remain. first: the parameters that are W, rows of one as ``weight[96:192]``. absorb: the parameter that
        takes what the stream lacks, if it is not to be the one that is found. width: d, if it is not W's. Raises UnusableBlock.
        """
        notes = tuple(switched_off(module))
        module = as_written(module)
        wide = in_double(module)
        double = DoubleBlock(wide, call, {name: part_of(wide, name) for name in first})
        anatomy, width = _watched(double, absorb, width)
        return cls(module, call, tuple(first), width, double, anatomy, double_check(double, anatomy, width), notes)


def part_of(module: nn.Module, name: str) -> Tensor:
    """A parameter, or the rows of one that ``weight[96:192]`` names.  Raises RefusedBlock."""
    found = _PART.fullmatch(name.replace("_orig_mod.", ""))
    known = dict(module.named_parameters(remove_duplicate=False))
    if found is None or found["name"] not in known:
        raise RefusedBlock(UNKNOWN_PARAMETER, name=f'"{name}"', known=", ".join(known))
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
