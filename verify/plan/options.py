"""What a call of ``verify all``, ``stress`` or ``check`` asks for: each field is an option of the command line, with its help."""

import shlex
from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

Device = Annotated[str, Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, Option(min=-(2**63), max=2**63 - 1, help="Determines every random draw.")]
Blocks = Annotated[list[str] | None, Option(help="Only this block; may be repeated.")]
Formats = Annotated[list[str] | None, Option(help="Only this format; may be repeated.")]


@dataclass(frozen=True, slots=True)
class Request:
    """What a run shall check; None leaves it to the profile, or takes everything there is."""

    verb: str
    """The command: all, stress or check."""
    target: Annotated[str, Argument(metavar="FILE:FUNCTION", help="A Python file, and the function in it that returns a numeric.ContextualBlock.")] = ""
    block: Blocks = None
    format: Formats = None
    scenario: Annotated[list[str] | None, Option(help="Only this scenario; may be repeated.")] = None
    variant: Annotated[list[str] | None, Option(help="Only this evaluation order; may be repeated.")] = None
    cases: Annotated[int | None, Option(min=1, max=2**30, help="Cases in each cell, instead of the profile's.")] = None
    batch: Annotated[
        int | None,
        Option(
            min=1,
            max=2**16,
            help="Cases that a cell computes at once; 1 is what a served model computes. [default: 512, fewer for wide layers]",
            show_default=False,
        ),
    ] = None
    without: Annotated[list[str] | None, Option(help="Bounds without this refinement, to compare; may be repeated.")] = None
    profile: Annotated[str, Option(help="How much to measure: quick, standard or exhaustive.")] = "standard"
    device: Device = "auto"
    seed: Seed = 0
    jobs: Annotated[int | None, Option(min=1, help="Processes that measure at once. [default: all cores]", show_default=False)] = None
    cell_seconds: Annotated[
        float | None, Option(min=0.001, help="A cell, sweep or experiment that takes longer is TIMEOUT. [default: by the profile, if several jobs]")
    ] = None
    run_seconds: Annotated[float | None, Option(min=0.001, help="What is not done after so many seconds is TIMEOUT.")] = None

    @property
    def command(self) -> str:
        """The command that repeats the run; without the number of jobs, on which no result depends."""
        words = ["verify", self.verb, *filter(None, [self.target]), "--profile", self.profile, "--seed", str(self.seed), "--device", self.device]
        for option in ("block", "format", "variant", "scenario", "without"):
            for name in getattr(self, option) or ():
                words += [f"--{option}", name]
        for option, number in (("--cases", self.cases), ("--batch", self.batch)):
            if number is not None:
                words += [option, str(number)]
        for option, seconds in (("--cell-seconds", self.cell_seconds), ("--run-seconds", self.run_seconds)):
            if seconds is not None:
                words += [option, f"{seconds:g}"]
        return shlex.join(words)
