"""``verify list errata``: each place of the paper that does not hold as printed, refuted, and its correction proved."""

from reports.terminal import errata
from symbolic.claims import load_claims
from symbolic.errata import load_errata
from symbolic.prover import prove
from verify.commands.output import Terminal, print_json
from verify.exit_status import FAILED, HELD
from verify.progress import ProgressBars, shown
from verify.records.claim_rows import claim_record, erratum_record


def list_errata(*, as_json: bool) -> int:
    """Prove what corrects each erratum, refute what is printed, and print both. Returns 0 if all are shown, 1 if not."""
    known = load_errata()
    claims = load_claims(list(dict.fromkeys(erratum.claim for erratum in known)))
    with ProgressBars() as ui:
        proved = {claim.id: claim_record(prove(claim)) for claim in shown(ui.step, "prove", claims)}
    rows = [row for row in (erratum_record(erratum, proved) for erratum in known) if row is not None]
    if as_json:
        print_json([{"id": f"erratum-{row.number}", **row.model_dump(mode="json")} for row in rows])
    else:
        Terminal().print(errata(rows))
    return HELD if all(row.shown for row in rows) else FAILED
