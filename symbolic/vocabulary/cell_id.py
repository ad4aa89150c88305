"""The name of a cell: one square of the grid of claims, blocks, ways of computing, variants and scenarios."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellId:
    """Five names; as text ``claim/block/numerics/variant/scenario``, unique within a run."""

    claim: str
    block: str
    numerics: str
    """How it was computed, such as ``bf16+fp32``; in a baseline, which no machine's answers change, the format alone."""
    variant: str
    scenario: str

    def __str__(self) -> str:
        return "/".join((self.claim, self.block, self.numerics, self.variant, self.scenario))

    @classmethod
    def parse(cls, text: str) -> "CellId":
        """The id of that text. Raises ValueError if it has not five parts."""
        parts = text.split("/")
        if len(parts) != len(cls.__slots__) or not all(parts):
            raise ValueError(f'"{text}" is not claim/block/numerics/variant/scenario')
        return cls(*parts)
