"""The exit status of a run: never a success for something that was not checked."""

from reports.record import RunRecord
from symbolic.verdict import Verdict

HELD, FAILED, WRONG_CALL, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


def exit_status(record: RunRecord) -> int:
    """0 if everything held; 1 if a claim, mutant or cell failed; 3 if something asked for was not checked, or nothing was."""
    claims, cells = record.claims, record.cells
    unrefuted = any(mutant.verdict is not Verdict.VIOLATED for claim in claims for mutant in claim.mutants)
    violated = any(claim.verdict is Verdict.VIOLATED for claim in claims) or any(cell.verdict is Verdict.VIOLATED for cell in cells)
    if unrefuted or violated:
        return FAILED
    verdicts = [claim.verdict for claim in claims] + [cell.verdict for cell in cells]
    complete = all(verdict in (Verdict.HOLDS, Verdict.SKIPPED) for verdict in verdicts)
    return HELD if complete and Verdict.HOLDS in verdicts else INCOMPLETE
