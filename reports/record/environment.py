"""What the numbers of a run rest on: the machine and its answers, the rules of the bounds."""

from pydantic import Field

from reports.record.row import Row


class Probe(Row):
    """One question that was put to the machine, and its answer."""

    id: str
    question: str
    answer: str


class Refinement(Row):
    """A rule that makes bounds tighter."""

    id: str
    title: str
    used: bool = Field(description="Whether the bounds of this run used it; a run can do without, to compare.")


class Bounds(Row):
    """What the rigorous bounds of a run rest on."""

    refinements: list[Refinement]
    assumptions: list[str] = Field(description="What every bound takes for granted, in words.")


class Environment(Row):
    """Where the run ran."""

    python: str
    platform: str
    processor: str
    torch: str
    device: str
    blas: str
    threads: int
    commit: str
    versions: dict[str, str]
    probes: list[Probe]
