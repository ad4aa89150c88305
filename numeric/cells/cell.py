"""One cell of the grid: many cases of one claim, block, numerics, variant and scenario."""

from dataclasses import dataclass

from numeric.architecture import ContextualBlock
from numeric.cells.scenario import Scenario, claim_of
from numeric.cells.subject import Subject, WrittenSubject
from numeric.machine import ProbedMode
from numeric.sides import Variant
from numeric.sides.written_passes import BlockInFormat
from symbolic.vocabulary import CellId

CERTIFIED = 64
"""Cases of a cell whose sides are compared with balls, unless all are."""

WRONG_UPDATE = "(WΔA)zᵀ/‖z‖²: A(C,x) where A(C∖Y,x) belongs"
WRONG_OUTPUT_UPDATE = "δhᵀ/‖h‖² with h as it comes into its activation, not as it leaves it; or none"
"""Of a parallel block, whose first layer takes no update."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to be measured."""

    subject: Subject
    block: ContextualBlock
    """The subject's module in the format, on the device."""
    probed: ProbedMode
    """The mode, with the error models that the machine showed."""
    variant: Variant
    scenario: Scenario
    cases: int
    certified: int | None = CERTIFIED
    """Cases whose sides are compared with balls, the first ones that are judged; None for all."""

    @property
    def claim(self) -> str:
        """The id of the claim that the cell tests."""
        return claim_of(self.scenario, self.subject.model.block)

    @property
    def wrong_update(self) -> str:
        """What the planted wrong update is, in words."""
        return WRONG_OUTPUT_UPDATE if self.block.parallel else WRONG_UPDATE

    @property
    def id(self) -> CellId:
        """Its name."""
        return CellId(self.claim, self.subject.block.id, self.probed.name, self.variant.id, self.scenario.id)


NO_UPDATE = "no patch at all"
"""Of a block as it is written whose W reads no context."""


@dataclass(frozen=True, slots=True)
class WrittenCell:
    """A cell of a user's block as it is written."""

    subject: WrittenSubject
    block: BlockInFormat
    """Its module in the format."""
    probed: ProbedMode
    variant: Variant
    scenario: Scenario
    cases: int
    certified: int | None = CERTIFIED

    @property
    def claim(self) -> str:
        """The id of the claim that the cell tests; the record names what else its patch needs."""
        return self.scenario.claim

    @property
    def wrong_update(self) -> str:
        """What the planted wrong update is, in words."""
        return WRONG_UPDATE if self.block.anatomy.reads_context else NO_UPDATE

    @property
    def id(self) -> CellId:
        """Its name."""
        return CellId(self.claim, self.subject.block.id, self.probed.name, self.variant.id, self.scenario.id)


AnyCell = Cell | WrittenCell
"""Measured and judged alike."""
