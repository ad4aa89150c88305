"""What both sides are computed in: a block with a batch of cases, a variant of the update, and a way of computing."""

from dataclasses import dataclass

from torch import nn

from numeric.architecture import ContextualBlock
from numeric.architecture.form import OutputLayers
from numeric.architecture.wiring import Call
from numeric.machine import ProbedMode
from numeric.sides.batch import Batch
from numeric.sides.variant import Variant


@dataclass(frozen=True, slots=True)
class Setting:
    """Block and cases are in the mode's formats already, on its device."""

    block: ContextualBlock
    cases: Batch
    variant: Variant
    probed: ProbedMode
    calls: tuple[Call, ...]
    """The modules of the network, in the order in which they run."""
    outputs: OutputLayers
    """Those that take what the stream lacks; none in a block without one."""

    @property
    def first_layers(self) -> list[tuple[str, nn.Linear]]:
        """The layers that take ΔW, with their names."""
        return list(zip(self.block.first_layers, self.block.first_linears, strict=True))
