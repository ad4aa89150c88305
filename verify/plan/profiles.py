"""How much is measured: a profile is a row."""

from dataclasses import dataclass

from symbolic.vocabulary import CallError, chosen


class UnknownProfile(CallError):
    """No profile of that name."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of the table."""

    id: str
    title: str
    cases: int
    """Cases in each cell."""
    certified: int | None
    """Cases in each cell whose sides are compared with balls; None for all."""
    cell_seconds: float
    """Seconds that a cell, a sweep or an experiment may take unless a limit is given: a hundred times what they take, for what hangs."""
    formats: tuple[str, ...] | None = None
    """The modes that are measured unless others are asked for; None for all."""
    blocks: tuple[str, ...] | None = None
    """The same of blocks."""
    scenarios: tuple[str, ...] | None = None
    """The same of scenarios."""
    everywhere: bool = False
    """Whether every scenario is measured in every format and variant, and not in its usual ones alone."""
    experiments: bool = False
    """Whether the paper's figures are made."""
    variants_on: tuple[str, ...] | None = None
    """Blocks on which every variant is measured; the others see the first alone, since variants differ in what is behind the contextual layer."""


PROFILES = (
    Profile(
        "quick",
        "a minute on two cores",
        2048,
        16,
        600.0,
        ("fp64", "fp32", "bf16", "fp16"),
        ("attention", "attention-skip"),
        ("random", "near_zero", "recompute", "subset"),
    ),
    Profile("standard", "a few minutes on two cores", 1536, 32, 1800.0, experiments=True, variants_on=("attention", "attention-skip")),
    Profile("exhaustive", "hours: a hundred times standard", 204800, None, 86400.0, everywhere=True, experiments=True),
)


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises UnknownProfile."""
    return chosen({row.id: row for row in PROFILES}, [name], "profile", UnknownProfile)[0]
