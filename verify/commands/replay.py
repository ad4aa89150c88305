"""``verify replay``: a witness run again, and what came of it in words and numbers."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numeric.arithmetics.balls import check_reference
from numeric.cells.replay import Replayed, replay
from numeric.cells.witness import Witness, read_witness
from numeric.machine.device import device_named, use_one_thread
from symbolic.vocabulary.verdict import Verdict
from verify.commands.output import print_json
from verify.exit_status import FAILED, HELD, INCOMPLETE


def replay_witness(path: Path, *, device: str, as_json: bool) -> int:
    """Replay a witness and print it. Returns 1 if it violates here, 3 if what it violated cannot be run without its block, else 0. Raises DamagedWitness."""
    witness = read_witness(path)
    use_one_thread()
    check_reference()
    device = device_named(device)
    replayed = replay(witness, device)
    status, sentence = _judged(witness, replayed)
    if as_json:
        print_json({**_as_plain(witness, replayed, device), "says": sentence})
    else:
        sys.stdout.write("\n".join(_lines(witness, replayed, device, sentence)) + "\n")
    return status


def _judged(witness: Witness, replayed: Replayed) -> tuple[int, str]:
    """The exit status, and the sentence that goes with it."""
    if witness.facts["at_output"]:
        place = "outside its bound" if witness.facts["verdict"] == Verdict.VIOLATED else "inside its bound"
        return INCOMPLETE, f"It is of the block's output, where it was {place}, and which needs the block; its first dense layer reads no context."
    bits = "both sides come out bit for bit" if replayed.reproduces else "the sides come out otherwise than recorded"
    recorded = str(witness.facts["verdict"])
    outside = replayed.certificate is not None and not replayed.certificate.inside
    if replayed.certificate is not None and not replayed.certificate.seconded:
        return FAILED, f"Ball arithmetic and mpmath's intervals disagree about the exact value; {bits}."
    if replayed.verdict == Verdict.VIOLATED or outside:
        over = f"the error is {replayed.ratio:.3g} times its bound" if replayed.ratio > 1 else "a side lies outside its own radius, by ball arithmetic"
        where = over if replayed.ratio > 1 or outside else "a result is not finite, and nothing foretold it"
        return FAILED, f"It violates: {where}; {bits}."
    if recorded == Verdict.VIOLATED:
        if replayed.recorded_ratio <= 1:
            return INCOMPLETE, f"It was violated at the block's output, which needs the block; at the first dense layer it holds, and {bits}."
        return HELD, f"It was violated when it was recorded, and is not here; {bits}."
    if replayed.reason:
        return HELD, f"It is refused, as its operands foretell ({replayed.reason}); {bits}."
    blunt = ", which is too wide to have noticed a wrong update" if replayed.verdict == Verdict.VACUOUS else ""
    return HELD, f"It is inside its bound{blunt}; {bits}."


def _as_plain(witness: Witness, replayed: Replayed, device: str) -> dict[str, Any]:
    """Everything, as JSON has it."""
    certificate = replayed.certificate
    plain = {name: getattr(replayed, name) for name in ("numerics", "verdict", "reason", "reproduces", "same_left", "same_right")}
    ratios = {name: str(getattr(replayed, name)) for name in ("ratio", "recorded_ratio")}
    sides = {name: [str(x) for x in getattr(replayed, name).tolist()] for name in ("left", "right", "bound", "moved")}
    return {"witness": witness.facts, "device": device, **plain, **ratios, "certified": None if certificate is None else asdict(certificate), **sides}


def _lines(witness: Witness, replayed: Replayed, device: str, sentence: str) -> list[str]:
    """The same for a reader: the entry that comes nearest to its bound, here and as recorded."""
    facts, kept = witness.facts, witness.tensors
    error = (replayed.left - replayed.right + replayed.moved).abs()
    entry = int((error / replayed.bound.clamp_min(5e-324)).nan_to_num(nan=float("inf")).argmax())
    rows = [
        ("", "here", "recorded"),
        ("left", f"{replayed.left[entry].item()!r}", f"{kept['left'][entry].double().item()!r}"),
        ("right", f"{replayed.right[entry].item()!r}", f"{kept['right'][entry].double().item()!r}"),
        ("predicted move", f"{replayed.moved[entry].item():.6g}", f"{kept['moved'][entry].item():.6g}"),
        ("bound", f"{replayed.bound[entry].item():.6g}", f"{kept['bound'][entry].item():.6g}"),
        ("error ÷ bound", f"{replayed.ratio:.6g}", f"{replayed.recorded_ratio:.6g}"),
        ("verdict", replayed.verdict, str(facts["verdict"])),
        ("numerics", replayed.numerics, str(facts["numerics"])),
        ("device", device, str(facts["device"])),
    ]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{facts['cell']}, case {facts['case']} (seed {facts['seed']}), entry {entry} of {len(error)}:"]
    lines += [f"  {name:<{wide[0]}}  {here:<{wide[1]}}  {then}".rstrip() for name, here, then in rows]
    certificate = replayed.certificate
    if certificate is not None:
        inside = "inside their radii" if certificate.inside else "NOT inside their radii"
        lines.append(f"  certified by ball arithmetic: left errs by at most {certificate.left:.6g}, right by {certificate.right:.6g}; {inside}")
        lines.append(f"  mpmath's intervals at 200 bits {'agree' if certificate.seconded else 'do NOT agree'} with the balls")
    return [*lines, sentence]
