"""``verify baseline``: a run kept as what later runs are held to."""

from pathlib import Path

from reports.comparison import save_baseline
from reports.record import load_run
from verify.commands.output import print_json
from verify.exit_status import HELD


def write_baseline(run: Path, out: Path, reason: str, *, as_json: bool) -> int:
    """Keep a run as a baseline. Returns 0."""
    baseline = save_baseline(load_run(run), run, out, reason)
    if as_json:
        print_json({"baseline": str(out), "accepted": [row.model_dump() for row in baseline.accepted]})
        return HELD
    print(f"{out}: {len(baseline.claims)} claims, {len(baseline.errata)} errata, {len(baseline.cells)} cells, {len(baseline.sweeps)} sweeps")
    for rows in (baseline.claims, baseline.cells):
        for key, line in rows.items():
            if line.verdict.value in ("VIOLATED", "ERROR", "TIMEOUT"):
                print(f"kept as a known failure: {key}")
    return HELD
