"""``verify train``: blocks trained and kept in the cache."""

import os
import sys
from collections.abc import Sequence

from numeric.blocks import blocks_named
from numeric.training import TrainedBlock
from reports.text import joined
from verify.commands.output import Terminal, print_json, table_of
from verify.engine.processes import Workers
from verify.engine.training_jobs import Training
from verify.exit_status import FAILED, HELD, INCOMPLETE
from verify.progress import progress_bars
from verify.records.cell_rows import model_record

SHOWN = ("block", "validation_loss", "zero_loss", "required_loss", "parameters", "seconds", "cached")


def train_blocks(names: Sequence[str] | None, *, again: bool, as_json: bool) -> int:
    """Train blocks and print their losses.

    Returns 0 if every block has learned; 1 if the cache held other weights than training again gives; 3 if a block has not learned.
    """
    rows, failures, replaced = [], [], []
    blocks = blocks_named(None if names is None else list(dict.fromkeys(names)))
    with progress_bars() as step, Workers(min(os.cpu_count() or 1, len(blocks))) as pool:
        for _, outcome in Training(blocks, pool, step=step, again=again).results():
            if isinstance(outcome, TrainedBlock):
                rows.append(model_record(outcome).model_dump(mode="json"))
                replaced += [outcome.block.id] if outcome.replaces_others else []
            else:
                failures.append(str(outcome))
    if as_json:
        print_json({"models": rows, "failures": failures, "replaced": replaced})
    else:
        Terminal().print(table_of([{key: row[key] for key in SHOWN} for row in rows]))
    for message in failures:
        print(message, file=sys.stderr)
    if replaced:
        print(f"the cache held other weights than its recipe gives here, trained elsewhere or changed since, of {joined(replaced)}: replaced", file=sys.stderr)
        return FAILED
    return INCOMPLETE if failures else HELD
