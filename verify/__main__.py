"""The command line: it parses, calls one function, and returns the status.

Exit status: 0 everything held; 1 a claim failed; 2 the call was wrong; 3 incomplete; 130 interrupted. With --json,
stdout holds machine-readable output alone; progress and messages go to stderr. Heavy libraries are imported only by the
command that needs them, so that ``verify --help`` is quick.
"""

import errno
import signal
import sys
import traceback
import warnings
from dataclasses import fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import typer

from reports.text import printable
from symbolic.vocabulary import CallError
from verify.exit_status import INCOMPLETE, INTERRUPTED, WRONG_CALL
from verify.plan import Request, make_plan
from verify.plan.options import Blocks, Device, Formats, Seed
from verify.streams import give_up_on, is_of_stdout, prepare, say, written_out

if TYPE_CHECKING:
    from verify.progress import Bars

app = typer.Typer(
    name="verify",
    help="Prove, bound and measure the implicit weight updates of in-context learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON alone on stdout.")]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.")]

OF_A_RUN = {
    **get_type_hints(Request, include_extras=True),
    "out": Annotated[Path | None, typer.Option(help="The run's folder; must be new or empty. [default: runs/<UTC time>-<id>]", show_default=False)],
    "baseline": Annotated[Path | None, typer.Option(help="Hold the run to a file that `verify baseline` wrote: exit 1 if it is worse.", show_default=False)],
    "resume": Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with the run in this folder, which says what was asked; only --jobs and --json stand beside it.")
    ],
    "as_json": AsJson,
}
"""What a command that makes a run may take: what the run is to check, and what is done with it."""

FOR_ALL = "profile out device seed jobs cell_seconds run_seconds baseline resume as_json"
FOR_CELLS = "format scenario variant cases batch without"


def _print_version(wanted: bool) -> None:
    if wanted:
        from verify.plan.version import NAME, suite_version

        print(NAME, suite_version())
        raise typer.Exit


@app.callback()
def _verify(version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and exit.")] = False) -> None:
    """It has no other options; what they ask for is done by their callbacks."""


def _makes_a_run(verb: str, help: str, options: str, **defaults: Any) -> None:
    """Add a command that makes a run.  options: what it takes, in the order of its help; defaults: where they are not those of the request."""
    requested = {field.name: field.default for field in fields(Request)}
    defaults = {**requested, "as_json": False, **defaults}

    def command(context: typer.Context, **given: Any) -> int:
        if verb == "check" and context.obj is None:
            from verify.apart import run_apart

            return run_apart(sys.argv[1:])
        request = Request(verb, **{name: value for name, value in given.items() if name in requested})
        if given.get("resume") is not None:
            from verify.commands.all_stress_check import resume_run

            return resume_run(given["resume"], request, [name for name in given if _is_given(context, name)], as_json=given["as_json"])
        plan = make_plan(request)  # a wrong call is answered before the engine is loaded
        from verify.commands.all_stress_check import start_run

        shown = {} if context.obj is None else {"bars": context.obj}
        return start_run(plan, given["out"], baseline=given.get("baseline"), as_json=given["as_json"], **shown)

    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=OF_A_RUN[name]) for name in options.split()]
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    command.__signature__ = Signature([context, *parameters])  # type: ignore[attr-defined]
    app.command(verb, help=help)(command)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


_makes_a_run("all", "Prove every claim, train and stress every block, and write a report.", FOR_ALL)
_makes_a_run("stress", "Measure trained blocks against their rounding bounds, without the proofs.", f"block {FOR_CELLS} {FOR_ALL}")
_makes_a_run(
    "check",
    "Measure a block of your own, with your own update of its weight if the file has one (docs/own_blocks.md).",
    f"target {FOR_CELLS} profile out device seed as_json",
    target=Parameter.empty,
    profile="quick",
)


@app.command("adversary")
def adversary_(  # a parameter an option
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
    from verify.commands.adversary import SearchOptions, search_contexts

    return search_contexts(block, format, SearchOptions(variant, evaluations, seconds, fresh, out, device, seed), as_json=as_json)


@app.command("prove")
def prove_(
    claims: Annotated[list[str] | None, typer.Argument(help="Only these claims. [default: all]", show_default=False)] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Print every step of every proof.")] = False,
    n: Annotated[int | None, typer.Option("--n", help="Also evaluate claims about every n at this many tokens (at most 4096), over exact rationals.")] = None,
    as_json: AsJson = False,
) -> int:
    """Prove the claims for all sizes, and refute their mutants."""
    from verify.commands.prove import prove_claims

    return prove_claims(claims or None, steps=steps, n=n, as_json=as_json)


@app.command("train")
def train_(
    blocks: Annotated[list[str] | None, typer.Argument(help="Only these blocks. [default: all]", show_default=False)] = None,
    again: Annotated[bool, typer.Option("--again", help="Train even if the cache holds the block: exit 1 if it holds other weights than that gives.")] = False,
    as_json: AsJson = False,
) -> int:
    """Train blocks on the paper's task, and keep them in the cache."""
    from verify.commands.train import train_blocks

    return train_blocks(blocks or None, again=again, as_json=as_json)


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="claims, errata, blocks, formats, scenarios, variants, refinements or profiles.")], as_json: AsJson = False
) -> int:
    """List what there is."""
    from verify.commands.list import list_kind

    return list_kind(kind, as_json=as_json)


@app.command("report")
def report_(run: RunFolder, open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False, as_json: AsJson = False) -> int:
    """Render a run's report again from its record."""
    from verify.commands.report import render_report

    return render_report(run, open_it=open_, as_json=as_json)


@app.command("compare")
def compare_(
    before: RunFolder,
    after: Annotated[Path, typer.Argument(help="Another's, of any age.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the comparison as an HTML page, too.", show_default=False)] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two runs: what appeared, vanished, changed its verdict, or moved further than another seed would move it."""
    from verify.commands.compare import compare_runs

    return compare_runs(before, after, out=out, as_json=as_json)


@app.command("baseline")
def baseline_(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="The baseline's file; one that is there is replaced, and its reasons are kept.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why this run is what others are to be held to.", show_default=False)],
    as_json: AsJson = False,
) -> int:
    """Keep what a run found, small and sorted, as what later runs are held to."""
    from verify.commands.baseline import write_baseline

    return write_baseline(run, out, reason, as_json=as_json)


@app.command("gate")
def gate_(
    run: RunFolder,
    baseline: Annotated[Path, typer.Option("--baseline", help="A file that `verify baseline` wrote.", show_default=False)],
    strict: Annotated[bool, typer.Option("--strict", help="What is new, other or better fails, too, until it is accepted.")] = False,
    same_machine: Annotated[bool, typer.Option("--require-same-machine", help="Another processor, torch, device, BLAS or number of threads fails.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hold a run to a baseline: 1 if anything is worse, missing, or beyond its margin; 3 if nothing was compared."""
    from verify.commands.gate import gate_run

    return gate_run(run, baseline, strict=strict, same_machine=same_machine, as_json=as_json)


@app.command("history")
def history_(
    runs: Annotated[Path, typer.Argument(help="A folder of runs.")] = Path("runs"),
    out: Annotated[Path | None, typer.Option("--out", help="The page. [default: history.html in that folder]", show_default=False)] = None,
    as_json: AsJson = False,
) -> int:
    """Tell the runs of a folder: each cell's numbers over the runs, and with which run each change appeared."""
    from verify.commands.history import show_history

    return show_history(runs, out=out, as_json=as_json)


@app.command("replay")
def replay_(witness: Annotated[Path, typer.Argument(help="A file out of a run's folder witnesses/.")], device: Device = "auto", as_json: AsJson = False) -> int:
    """Run one kept case again, without its block: both sides, the reference, the bound, and whether it comes out bit for bit."""
    from verify.commands.replay import replay_witness

    return replay_witness(witness, device=device, as_json=as_json)


@app.command("doctor")
def doctor_(device: Device = "auto", as_json: AsJson = False) -> int:
    """Ask this machine how it computes, and the reference whether it can be trusted."""
    from verify.commands.doctor import examine

    return examine(device=device, as_json=as_json)


def _say_in_one_line(error: Any) -> None:
    """What click found wrong. A call without arguments is answered by the help text."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "verify"
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        message = " ".join(error.format_message().split()).rstrip(".")
        say(f"{message}. See `{command} --help`.")


def _print_own_warning(  # as warnings.showwarning is called
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    """Print a warning of the suite's. One of torch's, or of the user's code, is of how something is computed, which is not the reader's."""
    if category.__module__.partition(".")[0] in ("verify", "reports", "numeric", "symbolic"):
        say(f"warning: {message}")


def main(bars: "Bars | None" = None) -> None:
    """Run the command and leave with its exit status.  bars: how progress is shown where users' code runs, if that is to be in this process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, a run keeps what is finished, as with Ctrl-C
    warnings.showwarning = _print_own_warning
    prepare()
    sys.exit(written_out(_status(bars)))


def main_apart(socket: int, token: str) -> None:
    """The same in the process that ``verify.apart`` starts, which is told the status before the user's code is left to end as it likes."""
    from verify.apart import Reporter

    warnings.showwarning = _print_own_warning
    reporter = Reporter(socket, token)
    prepare()
    status = written_out(_status(reporter.bars))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is settled; an interrupt more would be a traceback of Python's while it waits for threads
    reporter.report("status", status)
    sys.exit(status)


def _status(bars: "Bars | None") -> int:
    """The exit status of the command."""
    stdout = sys.stdout
    try:
        status = app(standalone_mode=False, obj=bars)
    except CallError as error:
        say(printable(str(error)))
        return WRONG_CALL
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BaseException as error:  # a SystemExit too: only this function says how the program ends
        # What click itself finds wrong with a call: an unknown option, a missing argument.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            _say_in_one_line(error)
            return WRONG_CALL
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            say(printable(f"a name is longer than the file system allows ({error.filename}); give a shorter one."))
            return WRONG_CALL
        if isinstance(error, OSError) and is_of_stdout(error):
            return give_up_on(sys.stdout, error)
        if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
            sys.stdout = stdout  # in whose place the command line's library has put another
            return give_up_on(stdout, error.__context__)
        say(traceback.format_exc().rstrip())
        say("a bug, or a machine that failed: nothing was decided")
        return INCOMPLETE
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
