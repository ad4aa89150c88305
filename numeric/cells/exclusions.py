"""Which combinations of a block, a mode, a scenario and a variant make no sense, and why: they are skipped, and the reason is recorded."""

from torch import nn

from numeric.architecture import Block, ContextualBlock
from numeric.cells.scenario import Scenario
from numeric.formats import Mode
from numeric.sides import Variant

OF_ONE_DTYPE = {nn.RNNBase: "recurrent layers take", nn.MultiheadAttention: "MultiheadAttention takes"}
"""Modules whose kernels refuse weights of another dtype than what they read."""


def exclusion_reason(block: Block, module: ContextualBlock, mode: Mode, scenario: Scenario, variant: Variant) -> str | None:
    """Why a block is not measured so; None if it is.  module: the block as it was built.

    What no mode and no variant would change is the scenario's to say (``Scenario.refuses``).
    """
    impossible = unsupported_reason(module, mode)
    if impossible is not None:
        return impossible
    # Measured: resolution about 1, or the planted wrong update noticed in less than half of the cases.
    if (None, mode.id) in block.too_coarse_in:
        return f"in {mode.id} the bound is about as wide as what the context does to the first layer of {block.id}"
    if (scenario.id, mode.id) in block.too_coarse_in:
        return f"in {mode.id} the bound is about as wide as what the removed part does to the first layer of {block.id}"
    if scenario.attend is not None and mode.inputs is not None:
        return f"A(C∖Y,x) is stored in {mode.inputs.name}, which hides by which kernel it was computed"
    if scenario.attend is not None and mode.id == "fp16-reduced" and variant.id != "scaled":
        # Measured: of 2,304 cases at most 4 would notice that the move is left out.
        return f"in {mode.id} ‖a‖² underflows before what a recomputed A(C∖Y,x) moves outgrows the bound"
    if module.has_stream and mode.inputs is not None:
        # Measured: the output's resolution, bound/‖ΔA‖, is about 1 and more; no such cell could hold.
        return f"the second layer rounds its inputs to {mode.inputs.name} again, which hides what the stream lacks at the output"
    return None


def unsupported_reason(module: ContextualBlock, mode: Mode) -> str | None:
    """Why a block does not run in a mode at all, be it in a cell or in a sweep; None if it does."""
    if mode.weights == mode.activations or mode.inputs is not None or mode.casts:
        return None
    for kind, named in OF_ONE_DTYPE.items():
        if any(isinstance(part, kind) for part in module.modules()):
            return f"PyTorch's {named} weights and inputs of one dtype"
    return None
