"""From what the prover found to rows of the record. Nothing here needs torch."""

from collections.abc import Mapping

from reports.record.record import ClaimRecord, Counterexample, ErratumRecord, Formula, MutantRecord, Step
from symbolic.claim import Claim
from symbolic.counterexamples import Counterexample as StoredCounterexample
from symbolic.derivation import Step as StoredStep
from symbolic.errata import Erratum
from symbolic.prover import NOT_SHOWN, MutantOutcome, Proof
from symbolic.statements import Formula as StatedFormula
from symbolic.statements import Hypothesis
from symbolic.vocabulary.verdict import Verdict


def claim_record(proof: Proof) -> ClaimRecord:
    """A proof, with its mutants."""
    claim = proof.claim
    return ClaimRecord(
        id=claim.id,
        title=claim.title,
        source=claim.source,
        hypotheses=[_formula(each) for each in proof.hypotheses],
        hypotheses_in_words=[_formula(each) for each in proof.in_words],
        statement=_formula(proof.statement or claim.statement),
        remark=_formula(claim.statement) if proof.statement else None,
        verdict=proof.verdict,
        reason=proof.reason,
        counterexample=_counterexample(proof.counterexample),
        scope=proof.scope,
        steps=[Step(expression=_formula(s), rule=s.rule, hypothesis=s.hypothesis, remark=s.remark, in_words=s.in_words) for s in proof.steps],
        mutants=[_mutant(outcome) for outcome in proof.mutants],
        seconds=proof.seconds,
    )


def unproved_claim(claim: Claim, reason: str) -> ClaimRecord:
    """A claim for which there was no time. It was not put to the prover, so what it says is there in words."""
    return ClaimRecord(
        id=claim.id,
        title=claim.title,
        source=claim.source,
        hypotheses=[],
        hypotheses_in_words=[_formula(each) for each in claim.hypotheses],
        statement=_formula(claim.statement),
        verdict=Verdict.TIMEOUT,
        reason=reason,
        scope=NOT_SHOWN,
        steps=[],
        mutants=[],
        seconds=0.0,
    )


def _formula(shown: StatedFormula | StoredStep | Hypothesis) -> Formula:
    return Formula(text=shown.text, latex=shown.latex)


def _mutant(outcome: MutantOutcome) -> MutantRecord:
    return MutantRecord(
        id=outcome.id,
        description=outcome.description,
        why=outcome.why,
        statement=_formula(outcome.statement or outcome.remark),
        remark=_formula(outcome.remark) if outcome.statement else None,
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
