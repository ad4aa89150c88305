"""Whether ``call`` reads the positions that it is given.

Without a part of the context the tokens that remain keep their positions, if ``call`` hands them on. A module that counts tokens itself (learned or rotary
positions) counts those that remain anew: the patch is right then, too, of a block whose tokens have moved up. So it is noted, and nothing is refused.
"""

from dataclasses import replace

import torch
from torch import Tensor

from numeric.operators.recording import Cases, DoubleBlock
from numeric.operators.refusals import CALL_FAILS, RefusedBlock

UNREAD_POSITIONS = "call does not read positions, and the order of the context matters: where the module counts its tokens, those that remain are counted anew"
EXCHANGED = (1, 2)
"""Two tokens of the context."""


def positions_note(block: DoubleBlock, cases: Cases) -> tuple[str, ...]:
    """The note, or nothing: two positions are exchanged, and then the two tokens.

    Another order of the same sums differs by some roundoffs u of the output, another order that matters by a share of it: between the two lies √u.
    """
    assert cases.context is not None
    output = block.replay(cases)
    try:
        moved = block.replay(replace(cases, positions=_exchanged(cases.positions)))
    except RefusedBlock as error:
        if error.kind is CALL_FAILS:  # only a call that reads them can mind
            return ()
        raise
    if not torch.equal(moved, output):
        return ()
    reordered = block.replay(replace(cases, context=_exchanged(cases.context.transpose(0, 1)).transpose(0, 1)))
    matters = (reordered - output).abs().max() > torch.finfo(output.dtype).eps ** 0.5 * output.abs().max()
    return (UNREAD_POSITIONS,) if bool(matters) else ()


def _exchanged(x: Tensor) -> Tensor:
    """With two of its rows exchanged."""
    rows = list(range(len(x)))
    one, other = EXCHANGED
    rows[one], rows[other] = other, one
    return x[rows]
