"""What a run is to check, settled and validated before anything runs."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.text import printable
from verify.plan.as_written import WrittenPlan, written_plan
from verify.plan.options import Request
from verify.plan.profiles import Profile, profile_named
from verify.plan.user_file import load_own

if TYPE_CHECKING:
    from numeric.architecture import Block
    from numeric.cells import Scenario, Subject
    from numeric.formats import Mode
    from numeric.machine import Refinement
    from numeric.sides import Variant


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole run."""

    request: Request
    """The call, with the device and the jobs that it comes to, and each name once."""
    profile: Profile
    claims: tuple[str, ...]
    """Ids of the claims to prove; may be empty."""
    registered: "tuple[Block, ...]"
    """Blocks of the registry, which are trained first."""
    ready: "tuple[Subject, ...]"
    """Blocks that are measured as they are: a user's own."""
    as_written: WrittenPlan | None
    """A user's block as it is written, which is measured in float64 alone; it has no cells."""
    modes: "tuple[Mode, ...]"
    variants: "tuple[Variant, ...]"
    scenarios: "tuple[Scenario, ...]"
    without: "tuple[Refinement, ...]"
    """Refinements that the bounds do without, to compare."""
    cases: int
    """Cases in each cell."""
    jobs: int
    """Processes that measure at once."""
    cell_seconds: float | None
    """Seconds that each cell, sweep or experiment may take; None: without a limit."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Their names, in the order of the record."""
        written = (self.as_written.own.name,) if self.as_written else ()
        return (*(block.id for block in self.registered), *(subject.block.id for subject in self.ready), *written)

    @property
    def variants_on(self) -> tuple[str, ...] | None:
        """Blocks on which every variant is measured; the first alone on the others. None: on all."""
        return self.profile.variants_on if self.request.variant is None else None

    @property
    def everywhere(self) -> bool:
        """Whether every scenario is measured in every format and variant, and not in its usual ones alone."""
        return self.profile.everywhere or self.request.format is not None

    @property
    def experiments(self) -> bool:
        """Whether the paper's figures are made, of all blocks in the plan."""
        return self.profile.experiments and self.request.verb == "all"

    @property
    def uses_processes(self) -> bool:
        """Whether it is measured in processes of their own, which can be stopped."""
        return self.jobs > 1 or self.cell_seconds is not None or self.request.run_seconds is not None


def make_plan(request: Request) -> Plan:
    """The plan of a request. Raises a CallError for a name that does not exist, or a user's file that cannot be used."""
    from numeric.blocks import blocks_named
    from numeric.cells import variant_of
    from numeric.formats import modes_named
    from numeric.machine import device_named, refinements_named
    from numeric.scenarios import scenarios_named
    from numeric.sides import variants_named
    from numeric.user_blocks import OwnAsWritten, OwnBlock
    from symbolic.claims import claim_ids

    names: dict[str, Any] = {option: _each_once(getattr(request, option)) for option in ("block", "format", "variant", "scenario", "without")}
    profile, device = profile_named(request.profile), device_named(request.device)
    formats = names["format"] or profile.formats
    loaded = load_own(request.target, formats) if request.verb == "check" else None  # in the place of the registry's blocks, with variants of its own
    jobs = 1 if loaded else request.jobs or os.cpu_count() or 1  # a user's file cannot be sent to another process
    asked = {option: names[option] for option in ("format", "variant", "scenario")}
    own = loaded if isinstance(loaded, OwnBlock) else None
    written = written_plan(loaded, asked, request.cases, profile.cases, device) if isinstance(loaded, OwnAsWritten) else None
    variants = (
        tuple(variant_of(own, name) for name in names["variant"] or own.variants) if own else tuple(variants_named(None if written else names["variant"]))
    )
    usual_seconds = None if jobs == 1 else profile.cell_seconds * max(1.0, (request.cases or 0) / profile.cases)
    return Plan(
        # A name that is not UTF-8 has no place in a record.
        request=replace(request, **names, device=device, jobs=jobs, target=request.target and printable(request.target)),
        profile=profile,
        claims=tuple(claim_ids()) if request.verb == "all" else (),
        registered=() if loaded else tuple(blocks_named(profile.blocks if names["block"] is None else names["block"])),
        ready=(own,) if own else (),
        as_written=written,
        modes=tuple(mode for mode in modes_named(profile.formats if names["format"] is None else names["format"]) if device in mode.runs_on),
        variants=tuple(variants),
        scenarios=tuple(scenarios_named(profile.scenarios if names["scenario"] is None else names["scenario"])),
        without=tuple(refinements_named(names["without"] or [])),
        cases=profile.cases if request.cases is None else request.cases,
        jobs=jobs,
        # With one job the work is done in this process, which cannot stop itself.
        cell_seconds=usual_seconds if request.cell_seconds is None else request.cell_seconds,
    )


def _each_once(names: list[str] | None) -> list[str] | None:
    return None if names is None else list(dict.fromkeys(names))
