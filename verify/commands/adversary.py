"""``verify adversary``: the search for the worst context, beside as many random ones, and what came of it."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from rich.text import Text

from numeric.architecture import asked_shapes
from numeric.blocks import blocks_named
from numeric.cells import exclusion_reason
from numeric.formats import Mode, modes_named
from numeric.machine import UnsupportedNumerics, device_named, probe, use_one_thread
from numeric.search import Budget, Found, bench, save_search, saved_search, search, shrink
from numeric.search.worst_context import SEARCH
from numeric.sides import Variant, variants_named
from numeric.training import BlockNotTrained, TrainedBlock, trained
from reports.record.experiments import AdversarialRecord
from reports.terminal import searches
from symbolic.vocabulary import CallError, with_its_name
from verify.commands.output import Terminal, print_json
from verify.exit_status import FAILED, HELD, INCOMPLETE
from verify.progress import OnStep, progress_bars
from verify.records.experiment_rows import PAPERS, adversarial_record

USUAL_FORMATS = ("fp32", "bf16")
"""In which a search is made unless others are asked for."""

WITNESSES = Path("runs") / "adversarial"


class UnusableWitnessFolder(CallError):
    """The folder cannot take a witness."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How each search is made."""

    variant: str
    evaluations: int
    """Cases that it measures; as many random ones are measured beside."""
    seconds: float
    """It takes so many at most."""
    fresh: bool
    """Whether it begins again, and not from what the last search found."""
    out: Path | None
    """The folder for the witnesses; None for the usual one."""
    device: str
    seed: int


def search_contexts(blocks: Sequence[str] | None, formats: Sequence[str] | None, options: SearchOptions, *, as_json: bool) -> int:
    """Search and print. Returns 1 if a case lies outside its bound, 3 if a search that was asked for was not made, else 0."""
    use_one_thread()
    chosen = product(blocks_named(list(dict.fromkeys(blocks or [PAPERS]))), modes_named(list(dict.fromkeys(formats or USUAL_FORMATS))))
    (variant,) = variants_named([options.variant])
    device, folder = device_named(options.device), WITNESSES if options.out is None else options.out
    options = replace(options, device=device)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableWitnessFolder(f"cannot make the folder {folder} ({error.strerror}); give another with --out.") from error
    rows: list[tuple[AdversarialRecord, Path | None]] = []
    refused: list[str] = []
    with progress_bars() as step:
        for block, mode in chosen:
            try:
                subject = trained(block)
                why = "not on this device" if device not in mode.runs_on else exclusion_reason(block, subject.model.block, mode, SEARCH, variant)
                if why is None:
                    rows.append(_searched(subject, mode, variant, options, folder, step))
            except (BlockNotTrained, UnsupportedNumerics) as error:
                why = with_its_name(error)
            if why is not None:
                refused.append(f"{block.id} in {mode.id}: {why}")
    if as_json:
        print_json({"searches": [_as_plain(*row) for row in rows], "refused": refused})
    else:
        Terminal().print(searches([row for row, _ in rows]))
        for line in _lines(rows):
            Terminal().print(Text(line, overflow="fold"))
    for line in refused:
        print(f"not searched: {line}", file=sys.stderr)
    if any(row.outside for row, _ in rows):
        return FAILED
    return INCOMPLETE if refused or not rows else HELD


def _searched(subject: TrainedBlock, mode: Mode, variant: Variant, options: SearchOptions, folder: Path, step: OnStep) -> tuple[AdversarialRecord, Path | None]:
    """One search, its row, and its witness."""
    cell = bench(subject, variant, probe(mode, **asked_shapes([subject.model.block]), device=options.device))
    budget, seed = Budget(options.evaluations, options.seconds), options.seed
    before = None if options.fresh else saved_search(cell)
    earlier = 0 if before is None else before.evaluations
    label = f"{subject.block.id} {mode.id}"

    def save(found: Found) -> None:
        save_search(found, cell)
        step(label, min(found.evaluations - earlier, budget.evaluations), budget.evaluations)

    found = search(cell, budget, seed, before=before, progress=save)
    simple = shrink(cell, found, seed)
    row = adversarial_record(cell, found, simple, seed)
    # A violation is kept whoever found it.
    worst = max((found.best, found.random, simple.worst), key=lambda best: best.ratio if best is found.best or best.ratio > 1 else -1.0)
    if worst.witness is None:
        return row, None
    path = folder / f"{subject.block.id}-{mode.id}-{variant.id}.safetensors"
    path.write_bytes(worst.witness.to_bytes())
    return row, path


def _as_plain(row: AdversarialRecord, witness: Path | None) -> dict[str, object]:
    derived = {"factor": row.factor, "limit": row.limit, "closed": row.closed}
    return {**row.model_dump(mode="json"), **derived, "witness": None if witness is None else str(witness)}


def _lines(rows: Sequence[tuple[AdversarialRecord, Path | None]]) -> Iterator[str]:
    """What the table has no room for."""
    for row, witness in rows:
        name = f"{row.block}, {row.format}"
        if row.outside:
            yield f"{name}: VIOLATED: {row.violated} of {row.tried} cases lie outside their bounds"
        elif not row.came_further:
            yield f"{name}: the search came no further than random contexts"
        elif row.limit is not None and row.limit < 2:
            why = f"random contexts use up {row.random:.3g} of the bound, and a true bound is never passed"
            yield f"{name}: twice as far cannot be, for {why}; of what they leave, {row.closed:.0%} was used up"
        if row.simplest is not None:
            yield f"{name}: a context to read, {row.simplest_ratio:.3g} of the bound: {row.simplest}"
        if witness is not None:
            yield f"{name}: `verify replay {witness}`"
