"""What a run is to check, settled and validated before anything runs."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verify.plan.profiles import Profile, profile_named

if TYPE_CHECKING:
    from numeric.user_blocks import OwnBlock


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole run. Every name in it exists."""

    command: str
    """The command that repeats the run."""
    profile: Profile
    seed: int
    device: str
    claims: tuple[str, ...]
    """Claims to prove; may be empty."""
    blocks: tuple[str, ...]
    formats: tuple[str, ...]
    variants: tuple[str, ...]
    scenarios: tuple[str, ...]
    cases: int
    """Cases in each cell."""
    jobs: int
    """Processes that measure at once."""
    variants_on: tuple[str, ...] | None = None
    """Blocks on which every variant is measured; the first alone on the others. None: on all."""
    everywhere: bool = True
    """Whether every scenario is measured in every format and variant, and not in its usual ones alone."""
    experiments: bool = False
    """Whether the paper's figures are made, of all blocks in the plan."""
    without: tuple[str, ...] = ()
    """Refinements that the bounds do without, to compare."""
    cell_seconds: float | None = None
    """Seconds that each cell, sweep or experiment may take; None: without a limit."""
    run_seconds: float | None = None
    """Seconds that the run may take, counted anew when it is resumed; None: without a limit."""

    @property
    def verb(self) -> str:
        """The command of ``verify`` that made it."""
        return shlex.split(self.command)[1]

    @property
    def uses_processes(self) -> bool:
        """Whether it is measured in processes of their own, which can be stopped."""
        return self.jobs > 1 or self.cell_seconds is not None or self.run_seconds is not None


def make_plan(
    verb: str,
    *,
    profile: str,
    seed: int,
    device: str,
    claims: Sequence[str] | None = None,
    blocks: Sequence[str] | None = None,
    formats: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    scenarios: Sequence[str] | None = None,
    cases: int | None = None,
    jobs: int | None = None,
    without: Sequence[str] | None = None,
    cell_seconds: float | None = None,
    run_seconds: float | None = None,
    own: "OwnBlock | None" = None,
    target: str = "",
) -> Plan:
    """A plan; None takes everything there is. Raises a CallError for a name that does not exist.

    own: a user's block, which takes the place of the registry's, and brings its own variants; target: how the command names it.
    """
    from numeric.blocks import blocks_named
    from numeric.cells import variant_of
    from numeric.formats import modes_named
    from numeric.machine import device_named, refinements_named
    from numeric.scenarios import scenarios_named
    from numeric.sides import variants_named
    from symbolic.claims import claim_ids

    blocks, formats, variants, scenarios = (None if names is None else list(dict.fromkeys(names)) for names in (blocks, formats, variants, scenarios))
    row = profile_named(profile)
    chosen_variants = variants
    if own is not None:
        variants = list(own.variants) if variants is None else variants
    found_device = device_named(device)
    chosen = {
        "block": (own.block.id,) if own else tuple(block.id for block in blocks_named(row.blocks if blocks is None else blocks)),
        "format": tuple(mode.id for mode in modes_named(row.formats if formats is None else formats) if found_device in mode.runs_on),
        "variant": tuple(variant_of(own, name).id for name in variants or ()) if own else tuple(variant.id for variant in variants_named(variants)),
        "scenario": tuple(scenario.id for scenario in scenarios_named(row.scenarios if scenarios is None else scenarios)),
    }
    left_out = tuple(row.value for row in refinements_named(list(dict.fromkeys(without or ()))))
    given = {"block": blocks, "format": formats, "variant": chosen_variants, "scenario": scenarios, "without": left_out}
    words = ["verify", verb, *([target] if target else []), "--profile", row.id, "--seed", str(seed), "--device", found_device]
    for option, names in given.items():
        for name in names or ():
            words += [f"--{option}", name]
    if cases is not None:
        words += ["--cases", str(cases)]
    for option, seconds in (("--cell-seconds", cell_seconds), ("--run-seconds", run_seconds)):
        if seconds is not None:
            words += [option, f"{seconds:g}"]
    jobs = 1 if own is not None else (os.cpu_count() or 1) if jobs is None else jobs  # a user's file cannot be sent to another process
    return Plan(
        shlex.join(words),
        row,
        seed,
        found_device,
        tuple(claim_ids() if claims is None else claims),
        chosen["block"],
        chosen["format"],
        chosen["variant"],
        chosen["scenario"],
        row.cases if cases is None else cases,
        jobs,
        row.variants_on if variants is None else None,
        row.everywhere or formats is not None,
        row.experiments and verb == "all",
        left_out,
        _usual_cell_seconds(row, cases, jobs) if cell_seconds is None else cell_seconds,
        run_seconds,
    )


def _usual_cell_seconds(profile: Profile, cases: int | None, jobs: int) -> float | None:
    """The profile's limit, longer for more cases. None with one job, which is done in this process, and that cannot stop itself."""
    return None if jobs == 1 else profile.cell_seconds * max(1.0, (cases or 0) / profile.cases)
