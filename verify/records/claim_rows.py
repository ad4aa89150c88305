"""From what the prover found to rows of the record. Nothing here needs torch."""

from collections.abc import Mapping

from reports.record import ClaimRecord
from reports.record.claims import ErratumRecord, MutantRecord, Step
from symbolic.claim import Claim
from symbolic.errata import Erratum
from symbolic.prover import NOT_SHOWN, Proof
from symbolic.vocabulary import Verdict
from verify.records.row_of import row_of


def claim_record(proof: Proof) -> ClaimRecord:
    """A proof, with its mutants. A statement that the prover could not write down stands in its file's words, without a remark."""
    written = None if proof.statement is None else proof.claim.statement
    steps = [row_of(Step, step, expression=step) for step in proof.steps]
    mutants = [row_of(MutantRecord, each, statement=each.statement or each.remark, remark=each.statement and each.remark) for each in proof.mutants]
    stated = {"statement": proof.statement or proof.claim.statement, "remark": written}
    return row_of(ClaimRecord, proof, proof.claim, **stated, hypotheses_in_words=proof.in_words, steps=steps, mutants=mutants)


def unproved_claim(claim: Claim, reason: str) -> ClaimRecord:
    """A claim for which there was no time. It was not put to the prover, so what it says is there in words."""
    unknown = {"verdict": Verdict.TIMEOUT, "reason": reason, "scope": NOT_SHOWN, "steps": [], "mutants": [], "seconds": 0.0}
    return row_of(ClaimRecord, claim, hypotheses=[], hypotheses_in_words=claim.hypotheses, **unknown)


def erratum_record(erratum: Erratum, claims: Mapping[str, ClaimRecord], measured: str | None = None) -> ErratumRecord | None:
    """An erratum, from the proof of the claim that corrects it; None if that claim was not put to the prover."""
    claim = claims.get(erratum.claim)
    if claim is None:
        return None
    mutant = next(mutant for mutant in claim.mutants if mutant.id == erratum.mutant)
    return row_of(
        ErratumRecord,
        erratum,
        literal=mutant.statement,
        counterexample=mutant.counterexample if mutant.verdict is Verdict.VIOLATED else None,
        corrected=claim.statement,
        proved=claim.verdict is Verdict.HOLDS,
        measured=measured,
    )
