"""From what the prover found to rows of the record. Nothing here needs torch."""

from collections.abc import Mapping

from reports.record import ClaimRecord
from reports.record.claims import Counterexample, ErratumRecord, Formula, MutantRecord, Step
from symbolic.claim import Claim
from symbolic.counterexamples import Counterexample as StoredCounterexample
from symbolic.errata import Erratum
from symbolic.prover import NOT_SHOWN, MutantOutcome, Proof
from symbolic.vocabulary import Verdict


def claim_record(proof: Proof) -> ClaimRecord:
    """A proof, with its mutants."""
    claim = proof.claim
    return ClaimRecord(
        id=claim.id,
        title=claim.title,
        source=claim.source,
        hypotheses=[Formula(text=h.text, latex=h.latex) for h in claim.hypotheses],
        statement=Formula(text=claim.statement.text, latex=claim.statement.latex),
        verdict=proof.verdict,
        reason=proof.reason,
        counterexample=_counterexample(proof.counterexample),
        scope=proof.scope,
        steps=[Step(expression=Formula(text=s.text, latex=s.latex), rule=s.rule, hypothesis=s.hypothesis) for s in proof.steps],
        mutants=[_mutant(outcome) for outcome in proof.mutants],
        seconds=proof.seconds,
    )


def unproved_claim(claim: Claim, reason: str) -> ClaimRecord:
    """A claim for which there was no time."""
    return ClaimRecord(
        id=claim.id,
        title=claim.title,
        source=claim.source,
        hypotheses=[Formula(text=h.text, latex=h.latex) for h in claim.hypotheses],
        statement=Formula(text=claim.statement.text, latex=claim.statement.latex),
        verdict=Verdict.TIMEOUT,
        reason=reason,
        scope=NOT_SHOWN,
        steps=[],
        mutants=[],
        seconds=0.0,
    )


def _mutant(outcome: MutantOutcome) -> MutantRecord:
    return MutantRecord(
        id=outcome.id,
        description=outcome.description,
        why=outcome.why,
        statement=Formula(text=outcome.statement.text, latex=outcome.statement.latex),
        verdict=outcome.verdict,
        counterexample=_counterexample(outcome.counterexample),
    )


def _counterexample(found: StoredCounterexample | None) -> Counterexample | None:
    if found is None:
        return None
    return Counterexample(sizes=dict(found.sizes), values=dict(found.values), left=found.left, right=found.right, note=found.note)


def erratum_record(erratum: Erratum, claims: Mapping[str, ClaimRecord], measured: str | None = None) -> ErratumRecord | None:
    """An erratum, from the proof of the claim that corrects it; None if that claim was not put to the prover."""
    claim = claims.get(erratum.claim)
    if claim is None:
        return None
    mutant = next(mutant for mutant in claim.mutants if mutant.id == erratum.mutant)
    return ErratumRecord(
        number=erratum.number,
        title=erratum.title,
        where=erratum.where,
        wording=erratum.wording,
        literal=mutant.statement,
        counterexample=mutant.counterexample if mutant.verdict is Verdict.VIOLATED else None,
        correction=erratum.correction,
        corrected=claim.statement,
        claim=claim.id,
        proved=claim.verdict is Verdict.HOLDS,
        to_measure=erratum.to_measure,
        measured=measured,
    )
