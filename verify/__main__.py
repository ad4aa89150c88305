"""The command line: it parses, calls one function, prints, and returns the status.

Exit status: 0 everything held; 1 a claim failed; 2 the call was wrong; 3 incomplete; 130 interrupted. With --json,
stdout holds machine-readable output alone; progress and messages go to stderr. Heavy libraries are imported only by the
command that needs them, so that ``verify --help`` is quick.
"""

import contextlib
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from symbolic.vocabulary import CallError
from verify.exit_status import INCOMPLETE, INTERRUPTED, WRONG_CALL, graver

if TYPE_CHECKING:
    from numeric.user_blocks import OwnBlock
    from reports.record import RunRecord
    from verify.plan.plan import Plan
    from verify.run_folder.run_folder import OpenRun

app = typer.Typer(
    name="verify",
    help="Prove, bound and measure the implicit weight updates of in-context learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON alone on stdout.")]
ProfileName = Annotated[str, typer.Option("--profile", help="How much to measure: quick, standard or exhaustive.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run's folder; must be new or empty. [default: runs/<UTC time>-<id>]", show_default=False)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option("--seed", help="Determines every random draw.")]
Blocks = Annotated[list[str] | None, typer.Option("--block", help="Only this block; may be repeated.")]
Formats = Annotated[list[str] | None, typer.Option("--format", help="Only this format; may be repeated.")]
Variants = Annotated[list[str] | None, typer.Option("--variant", help="Only this evaluation order; may be repeated.")]
Scenarios = Annotated[list[str] | None, typer.Option("--scenario", help="Only this scenario; may be repeated.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes that measure at once. [default: all cores]", show_default=False)]
Without = Annotated[list[str] | None, typer.Option("--without", help="Bounds without this refinement, to compare; may be repeated.")]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", metavar="RUN", help="Go on with the run in this folder, which says what was asked; only --jobs and --json stand beside it."),
]
CellSeconds = Annotated[
    float | None,
    typer.Option("--cell-seconds", min=0.001, help="A cell, sweep or experiment that takes longer is TIMEOUT. [default: by the profile, if several jobs]"),
]
RunSeconds = Annotated[float | None, typer.Option("--run-seconds", min=0.001, help="What is not done after so many seconds is TIMEOUT.")]
BaselineFile = Annotated[
    Path | None, typer.Option("--baseline", help="Hold the run to a file that `verify baseline` wrote: exit 1 if it is worse.", show_default=False)
]
CaseCount = Annotated[int | None, typer.Option("--cases", min=1, max=2**30, help="Cases in each cell, instead of the profile's.")]


@app.command("all")
def all_(
    context: typer.Context,
    profile: ProfileName = "standard",
    out: Out = None,
    device: Device = "auto",
    seed: Seed = 0,
    jobs: Jobs = None,
    cell_seconds: CellSeconds = None,
    run_seconds: RunSeconds = None,
    baseline: BaselineFile = None,
    resume: Resume = None,
    as_json: AsJson = False,
) -> int:
    """Prove every claim, train and stress every block, and write a report."""
    if resume is not None:
        return _resume(context, resume, jobs, as_json)
    from verify.plan.plan import make_plan

    plan = make_plan("all", profile=profile, seed=seed, device=device, jobs=jobs, cell_seconds=cell_seconds, run_seconds=run_seconds)
    return _run(plan, out, as_json, baseline=baseline)


@app.command()
def stress(
    context: typer.Context,
    block: Blocks = None,
    format: Formats = None,
    scenario: Scenarios = None,
    variant: Variants = None,
    cases: CaseCount = None,
    without: Without = None,
    profile: ProfileName = "standard",
    out: Out = None,
    device: Device = "auto",
    seed: Seed = 0,
    jobs: Jobs = None,
    cell_seconds: CellSeconds = None,
    run_seconds: RunSeconds = None,
    baseline: BaselineFile = None,
    resume: Resume = None,
    as_json: AsJson = False,
) -> int:
    """Measure trained blocks against their rounding bounds, without the proofs."""
    if resume is not None:
        return _resume(context, resume, jobs, as_json)
    from verify.plan.plan import make_plan

    plan = make_plan(
        "stress",
        profile=profile,
        seed=seed,
        device=device,
        claims=(),
        blocks=block,
        formats=format,
        variants=variant,
        scenarios=scenario,
        cases=cases,
        jobs=jobs,
        without=without,
        cell_seconds=cell_seconds,
        run_seconds=run_seconds,
    )
    return _run(plan, out, as_json, baseline=baseline)


@app.command()
def check(
    target: Annotated[str, typer.Argument(metavar="FILE:FUNCTION", help="A Python file, and the function in it that returns a numeric.ContextualBlock.")],
    format: Formats = None,
    scenario: Scenarios = None,
    variant: Variants = None,
    cases: CaseCount = None,
    without: Without = None,
    profile: ProfileName = "quick",
    out: Out = None,
    device: Device = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> int:
    """Measure a block of your own, with your own update of its weight if the file has one (docs/own_blocks.md)."""
    from verify.plan.plan import make_plan
    from verify.plan.user_file import load_own

    own = load_own(target)
    plan = make_plan(
        "check",
        profile=profile,
        seed=seed,
        device=device,
        claims=(),
        formats=format,
        variants=variant,
        scenarios=scenario,
        cases=cases,
        without=without,
        own=own,
        target=target,
    )
    return _run(plan, out, as_json, own)


@app.command()
def adversary(
    block: Blocks = None,
    format: Formats = None,
    variant: Annotated[str, typer.Option("--variant", help="The evaluation order of the update.")] = "formula",
    evaluations: Annotated[int, typer.Option("--evaluations", min=1, help="Cases that each search measures; as many random ones are measured beside.")] = 16384,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="Seconds that each search takes at most.")] = 60.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, and not from what the last search found.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The folder for the witnesses. [default: runs/adversarial]", show_default=False)] = None,
    device: Device = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> int:
    """Search for the context that brings the error nearest to its bound, or beyond: of the paper's block in fp32 and bf16, unless others are named."""
    from verify.commands.adversary import search_contexts

    return search_contexts(block, format, variant, evaluations=evaluations, seconds=seconds, fresh=fresh, out=out, device=device, seed=seed, as_json=as_json)


@app.command()
def prove(
    claims: Annotated[list[str] | None, typer.Argument(help="Only these claims. [default: all]", show_default=False)] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Print every step of every proof.")] = False,
    n: Annotated[int | None, typer.Option("--n", help="Also evaluate claims about every n at this many tokens, over exact rationals.")] = None,
    as_json: AsJson = False,
) -> int:
    """Prove the claims for all sizes, and refute their mutants."""
    from verify.commands.prove import prove_claims

    return prove_claims(claims or None, steps=steps, n=n, as_json=as_json)


@app.command()
def train(
    blocks: Annotated[list[str] | None, typer.Argument(help="Only these blocks. [default: all]", show_default=False)] = None,
    again: Annotated[bool, typer.Option("--again", help="Train even if the cache holds the block.")] = False,
    as_json: AsJson = False,
) -> int:
    """Train blocks on the paper's task, and keep them in the cache."""
    from verify.commands.prove import train_blocks

    return train_blocks(blocks or None, again=again, as_json=as_json)


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="claims, errata, blocks, formats, scenarios, variants, refinements or profiles.")],
    as_json: AsJson = False,
) -> int:
    """List what there is."""
    from verify.commands.prove import list_kind

    return list_kind(kind, as_json=as_json)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    as_json: AsJson = False,
) -> int:
    """Render a run's report again from its record."""
    from verify.commands.prove import render_report

    return render_report(run, open_it=open_, as_json=as_json)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="A run's folder.")],
    after: Annotated[Path, typer.Argument(help="Another's, of any age.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the comparison as an HTML page, too.", show_default=False)] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two runs: what appeared, vanished, changed its verdict, or moved further than another seed would move it."""
    from verify.commands.compare import compare as compare_runs

    return compare_runs(before, after, out=out, as_json=as_json)


@app.command()
def baseline(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path, typer.Option("--out", help="The baseline's file; one that is there is replaced, and its reasons are kept.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why this run is what others are to be held to.", show_default=False)],
    as_json: AsJson = False,
) -> int:
    """Keep what a run found, small and sorted, as what later runs are held to."""
    from verify.commands.compare import write_baseline

    return write_baseline(run, out, reason, as_json=as_json)


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    baseline: Annotated[Path, typer.Option("--baseline", help="A file that `verify baseline` wrote.", show_default=False)],
    strict: Annotated[bool, typer.Option("--strict", help="What is new, other or better fails, too, until it is accepted.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hold a run to a baseline: 1 if anything is worse, missing, or beyond its margin; 3 if nothing was compared."""
    from verify.commands.compare import gate as hold

    return hold(run, baseline, strict=strict, as_json=as_json)


@app.command()
def history(
    runs: Annotated[Path, typer.Argument(help="A folder of runs.")] = Path("runs"),
    out: Annotated[Path | None, typer.Option("--out", help="The page. [default: history.html in that folder]", show_default=False)] = None,
    as_json: AsJson = False,
) -> int:
    """Tell the runs of a folder: each cell's numbers over the runs, and with which run each change appeared."""
    from verify.commands.compare import show_history

    return show_history(runs, out=out, as_json=as_json)


@app.command()
def replay(
    witness: Annotated[Path, typer.Argument(help="A file out of a run's folder witnesses/.")],
    device: Device = "auto",
    as_json: AsJson = False,
) -> int:
    """Run one kept case again, without its block: both sides, the reference, the bound, and whether it comes out bit for bit."""
    from verify.commands.replay import replay_witness

    return replay_witness(witness, device=device, as_json=as_json)


@app.command()
def doctor(device: Device = "auto", as_json: AsJson = False) -> int:
    """Ask this machine how it computes, and the reference whether it can be trusted."""
    from verify.commands.prove import examine

    return examine(device=device, as_json=as_json)


def _run(plan: "Plan", out: Path | None, as_json: bool, own: "OwnBlock | None" = None, *, baseline: Path | None = None) -> int:
    """Run a plan in a new folder. Raises NotABaseline before that."""
    from verify.run_folder.run_folder import new_run

    if baseline is not None:
        from reports.comparison import BASELINE_FILE, load_baseline

        load_baseline(baseline)
    with new_run(plan, out) as start:
        if baseline is not None:
            (start.folder / BASELINE_FILE).write_bytes(baseline.read_bytes())  # a run that is resumed is held to it, too
        return _carry_out(start, as_json, own)


def _resume(context: typer.Context, folder: Path, jobs: int | None, as_json: bool) -> int:
    """Go on with the run in a folder. Raises CannotResume if the call asks for something beside it."""
    from verify.run_folder.resuming import refuse_beside, resumed_run

    refuse_beside([name for name in context.params if _is_given(context, name)])
    with resumed_run(folder, str(context.command.name), jobs) as start:
        for said in start.told:
            print(f"warning: {said}", file=sys.stderr)
        return _carry_out(start, as_json)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _carry_out(start: "OpenRun", as_json: bool, own: "OwnBlock | None" = None) -> int:
    """Do what is to be done, print the closing table or the record, return the exit status."""
    from reports.record import load_run
    from reports.record.run_folder import RUN_FILE
    from verify.engine.run import run
    from verify.progress import ProgressBars
    from verify.run_folder.disk_full import DiskFull

    try:
        # What a user's own code prints is no part of the answer.
        with ProgressBars() as ui, contextlib.redirect_stdout(sys.stderr) if own else contextlib.nullcontext():
            record = run(start, ui, own)
    except (KeyboardInterrupt, DiskFull) as error:
        interrupted = f"interrupted; what was finished is in {start.folder}, and `{start.to_go_on}` goes on."
        print(error if isinstance(error, DiskFull) else interrupted, file=sys.stderr)
        if as_json and (start.folder / RUN_FILE).exists():
            _print_record(load_run(start.folder), start.folder, as_json)
        if isinstance(error, DiskFull):
            return INCOMPLETE
        raise
    _print_record(record, start.folder, as_json)
    status = record.run.exit_status
    assert status is not None
    from reports.comparison import BASELINE_FILE

    if (start.folder / BASELINE_FILE).exists():
        from verify.commands.compare import gate_against

        return graver(status, gate_against(record, start.folder / BASELINE_FILE, as_json=as_json))
    return status


def _print_record(record: "RunRecord", folder: Path, as_json: bool) -> None:
    """The closing table or, on stdout alone, the record; to GitHub Actions also what failed."""
    _annotate(record, folder, sys.stderr if as_json else sys.stdout)
    if as_json:
        sys.stdout.write(record.model_dump_json(indent=1) + "\n")
        return
    from rich.console import Console

    from reports.terminal import closing

    Console().print(closing(record, folder / "report" / "index.html"))


def _annotate(record: "RunRecord", folder: Path, stream: TextIO) -> None:
    """What failed, as annotations of the job, where GitHub Actions runs the command; it reads them from either stream."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from reports.ci import against_baseline, annotations
    from reports.record.agreement import disagreeing_cells

    for line in annotations(record, disagreeing_cells(record, folder), against=against_baseline(record, folder)):
        print(line, file=stream)


def _say_in_one_line(error: Any) -> None:
    """What click found wrong. A call without arguments is answered by the help text."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "verify"
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        said = " ".join(error.format_message().split()).rstrip(".")
        print(f"{said}. See `{command} --help`.", file=sys.stderr)


def main() -> None:
    """Run the command and leave with its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, a run keeps what is finished, as with Ctrl-C
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        status = app(standalone_mode=False)
    except CallError as error:
        print(error, file=sys.stderr)
        sys.exit(WRONG_CALL)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except Exception as error:
        # What click itself finds wrong with a call: an unknown option, a missing argument.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            _say_in_one_line(error)
            sys.exit(WRONG_CALL)
        traceback.print_exc()
        print("a bug, or a machine that failed: nothing was decided", file=sys.stderr)
        sys.exit(INCOMPLETE)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
