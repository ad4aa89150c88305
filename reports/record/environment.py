"""What the numbers of a run rest on: the machine and its answers, the rules of the bounds."""

from pydantic import Field

from reports.record.row import Count, Name, Row


class Probe(Row):
    """One question that was put to the machine, and its answer."""

    id: Name
    question: Name
    answer: Name


class Refinement(Row):
    """A rule that makes bounds tighter."""

    id: Name
    title: Name
    used: bool = Field(description="Whether the bounds of this run used it; a run can do without, to compare.")


class Bounds(Row):
    """What the rigorous bounds of a run rest on."""

    refinements: list[Refinement]
    assumptions: list[Name] = Field(description="What every bound takes for granted, in words.")


class Environment(Row):
    """Where the run ran."""

    python: Name
    platform: Name
    processor: Name
    torch: Name
    device: Name = Field(description="The processor as torch names it, such as 'cpu (AVX512)', or the GPU's name.")
    blas: Name
    threads: Count
    commit: Name
    versions: dict[Name, Name]
    probes: list[Probe]

    @property
    def kind(self) -> str:
        """What its cells say that they were computed on: ``cpu`` or ``cuda``."""
        return "cpu" if self.device.split(" ")[0] == "cpu" else "cuda"
