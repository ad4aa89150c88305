"""Which combinations of a block and a mode make no sense, and why: they are skipped, and the reason is recorded."""

from numeric.contextual_block import ContextualBlock
from numeric.modes import Mode


def makes_no_sense(block: ContextualBlock, mode: Mode) -> str | None:
    """Why a block is not measured in a mode; None if it is."""
    if block.skip and mode.inputs is not None:
        # Measured: the output's resolution, bound/‖ΔA‖, is about 1 and more; no such cell could hold.
        return f"the second layer rounds its inputs to {mode.inputs.name} again, which hides what Δb′ changes at the output"
    return None
