"""``verify replay``: a witness run again, and what came of it in words and numbers."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numeric.arithmetics import check_reference
from numeric.cells import Witness
from numeric.cells.replay import Replayed, replayed
from numeric.cells.witness import read_witness
from numeric.machine import device_named, use_one_thread
from reports.text import printable
from symbolic.vocabulary import Verdict
from verify.commands.output import print_json
from verify.exit_status import FAILED, HELD, INCOMPLETE


def replay_witness(path: Path, *, device: str, as_json: bool) -> int:
    """Replay a witness and print it. Returns 1 if it violates here, 3 if what it violated cannot be run without its block, else 0. Raises DamagedWitness."""
    witness = read_witness(path)
    use_one_thread()
    check_reference()
    device = device_named(device)
    outcome = replayed(witness, device)
    status, sentence = _judged(witness, outcome)
    if as_json:
        print_json({**_as_plain(witness, outcome, device), "says": sentence})
    else:
        sys.stdout.write("\n".join(map(printable, _lines(witness, outcome, device, sentence))) + "\n")
    return status


def _judged(witness: Witness, outcome: Replayed) -> tuple[int, str]:
    """The exit status, and the sentence that goes with it."""
    if witness.facts.at_output:
        place = "outside its bound" if witness.facts.verdict == Verdict.VIOLATED else "inside its bound"
        return INCOMPLETE, f"It is of the block's output, where it was {place}, and which needs the block; its first dense layer reads no context."
    bits = "both sides come out bit for bit" if outcome.reproduces else "the sides come out otherwise than recorded"
    recorded = witness.facts.verdict
    outside = outcome.certificate is not None and not outcome.certificate.inside
    if outcome.certificate is not None and not outcome.certificate.seconded:
        return FAILED, f"Ball arithmetic and mpmath's intervals disagree about the exact value; {bits}."
    if outcome.verdict == Verdict.VIOLATED or outside:
        over = f"the error is {outcome.ratio:.3g} times its bound" if outcome.ratio > 1 else "a side lies outside its own radius, by ball arithmetic"
        where = over if outcome.ratio > 1 or outside else "a result is not finite, and nothing foretold it"
        return FAILED, f"It violates: {where}; {bits}."
    if recorded == Verdict.VIOLATED:
        if outcome.recorded_ratio <= 1:
            return INCOMPLETE, f"It was violated at the block's output, which needs the block; at the first dense layer it holds, and {bits}."
        return HELD, f"It was violated when it was recorded, and is not here; {bits}."
    if outcome.reason:
        return HELD, f"It is refused, as its operands foretell ({outcome.reason}); {bits}."
    blunt = ", which is too wide to have noticed a wrong update" if outcome.verdict == Verdict.VACUOUS else ""
    return HELD, f"It is inside its bound{blunt}; {bits}."


def _as_plain(witness: Witness, outcome: Replayed, device: str) -> dict[str, Any]:
    """Everything, as JSON has it."""
    certificate = outcome.certificate
    plain = {name: getattr(outcome, name) for name in ("numerics", "verdict", "reason", "reproduces", "same_left", "same_right")}
    ratios = {name: str(getattr(outcome, name)) for name in ("ratio", "recorded_ratio")}
    sides = {name: [str(x) for x in getattr(outcome, name).tolist()] for name in ("left", "right", "bound", "moved")}
    return {"witness": witness.facts.as_dict(), "device": device, **plain, **ratios, "certified": None if certificate is None else asdict(certificate), **sides}


def _lines(witness: Witness, outcome: Replayed, device: str, sentence: str) -> list[str]:
    """The same for a reader: the entry that comes nearest to its bound, here and as recorded."""
    facts, kept = witness.facts, witness.tensors
    error = (outcome.left - outcome.right + outcome.moved).abs()
    entry = int((error / outcome.bound.clamp_min(5e-324)).nan_to_num(nan=float("inf")).argmax())
    rows = [
        ("", "here", "recorded"),
        ("left", f"{outcome.left[entry].item()!r}", f"{kept['left'][entry].double().item()!r}"),
        ("right", f"{outcome.right[entry].item()!r}", f"{kept['right'][entry].double().item()!r}"),
        ("predicted move", f"{outcome.moved[entry].item():.6g}", f"{kept['moved'][entry].item():.6g}"),
        ("bound", f"{outcome.bound[entry].item():.6g}", f"{kept['bound'][entry].item():.6g}"),
        ("error ÷ bound", f"{outcome.ratio:.6g}", f"{outcome.recorded_ratio:.6g}"),
        ("verdict", outcome.verdict, facts.verdict),
        ("numerics", outcome.numerics, facts.cell.numerics),
        ("device", device, facts.device),
    ]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{facts.cell}, case {facts.case} (seed {facts.seed}), entry {entry} of {len(error)}:"]
    lines += [f"  {name:<{wide[0]}}  {here:<{wide[1]}}  {then}".rstrip() for name, here, then in rows]
    certificate = outcome.certificate
    if certificate is not None:
        inside = "inside their radii" if certificate.inside else "NOT inside their radii"
        lines.append(f"  certified by ball arithmetic: left errs by at most {certificate.left:.6g}, right by {certificate.right:.6g}; {inside}")
        lines.append(f"  mpmath's intervals at 200 bits {'agree' if certificate.seconded else 'do NOT agree'} with the balls")
    return [*lines, sentence]
