"""``verify compare``: two runs compared."""

from pathlib import Path

from reports.comparison import differences
from reports.comparison.baseline import baseline_of
from reports.comparison.rendering import RunLabel, about, comparison_as_data, comparison_on_terminal, write_comparison
from reports.record import load_run
from reports.record.agreement import disagreeing_cells
from verify.commands.output import Terminal, print_json
from verify.commands.own_digests import said_at_odds
from verify.exit_status import FAILED, HELD, INCOMPLETE


def compare_runs(before: Path, after: Path, *, out: Path | None, as_json: bool) -> int:
    """Compare two runs. Returns 0; 1 if one is at odds with its own digests; 3 if nothing stands on both sides."""
    first, second = load_run(before), load_run(after)
    comparison = differences(baseline_of(first, before), second, disagreeing_cells(second, after))
    one, other = (RunLabel(record.run.id, about(record)) for record in (first, second))
    if out is not None:
        write_comparison(comparison, one, other, out)
    if as_json:
        print_json(comparison_as_data(comparison, one, other))
    else:
        Terminal().print(comparison_on_terminal(comparison, one, other))
        if out is not None:
            print(out)
    distrusted = [said_at_odds(record, folder) for folder, record in ((before, first), (after, second))]
    if any(distrusted):
        return FAILED
    return INCOMPLETE if comparison.nothing else HELD
