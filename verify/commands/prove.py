"""``verify prove``: claims proved and their mutants refuted."""

from collections.abc import Sequence
from dataclasses import asdict

from reports.terminal import instance, proofs
from symbolic.claims import load_claims
from symbolic.counterexamples import show
from symbolic.prover import prove
from symbolic.vocabulary import Verdict
from verify.commands.output import Terminal, print_json
from verify.exit_status import FAILED, HELD, INCOMPLETE
from verify.progress import progress_bars, shown
from verify.records.claim_rows import claim_record


def prove_claims(names: Sequence[str] | None, *, steps: bool, n: int | None, as_json: bool) -> int:
    """Prove claims and print them. Returns 0 if all hold and every mutant is refuted, 1 if not, 3 if a proof broke."""
    claims = load_claims(None if names is None else list(dict.fromkeys(names)))
    # Of all claims, those about every n are shown; one that was asked for by name and is about no n is a wrong call.
    instances = [] if n is None else [show(claim, n) for claim in claims if names or claim.about_every_n]
    with progress_bars() as step:
        records = [claim_record(prove(claim)) for claim in shown(step, "prove", claims)]
    if as_json:
        values = {} if n is None else {"instances": [asdict(each) | {"agree": each.agree} for each in instances]}
        print_json({"claims": [record.model_dump(mode="json") for record in records], **values})
    else:
        Terminal().print(proofs(records, steps=steps))
        for each in instances:
            Terminal().print(instance(each.claim, each.sizes, each.left, each.right))
    if not all(each.agree for each in instances):
        return FAILED
    # A claim without a mutant that was tried says nothing of the prover.
    refuted = all(record.mutants and all(mutant.verdict is Verdict.VIOLATED for mutant in record.mutants) for record in records)
    if not refuted or any(record.verdict is Verdict.VIOLATED for record in records):
        return FAILED
    return HELD if records and all(record.verdict is Verdict.HOLDS for record in records) else INCOMPLETE
