"""Ways by which the context could reach the network without an operator that shows it: Python numbers, branches, operators of unknown inside.

A number that has left torch is seen where it comes back: as an operator's argument. Behind the cut it must be the same with the context moved, exchanged and
shortened. Which operators run there must not hang on the context, unless the network itself chooses.
"""

from numeric.operators.evidence import Evidence, behind, chooses, parting
from numeric.operators.labels import DATA, Made
from numeric.operators.read_beside import read_beside
from numeric.operators.recording import Record
from numeric.operators.refusals import BRANCH, MOVING_NUMBER, NUMBER, OPAQUE_BEHIND, RefusedBlock
from numeric.operators.walk import opaque


def no_hidden_way(evidence: Evidence) -> None:
    """Raise RefusedBlock for such a way."""
    network = False
    for record in evidence.base.records:
        reads_network = record.any(Made.NETWORK)
        network = network or reads_network or any(made & Made.NETWORK for made in record.labels)
        for operand in map(record.operand, record.step.deciding if network else []):
            if operand.made & Made.CONTEXT and not operand.made & Made.NETWORK:
                raise RefusedBlock(NUMBER, record.place, [operand.value], hint=read_beside(evidence.base))
        if reads_network:
            if opaque(record.step.operator):
                raise RefusedBlock(OPAQUE_BEHIND, record.place, [each.value for each in record.operands])
            if _number_moves(evidence, record):
                raise RefusedBlock(MOVING_NUMBER, record.place, hint=read_beside(evidence.base))
    _same_path(evidence)


def _number_moves(evidence: Evidence, record: Record) -> bool:
    """Whether a Python number, or a tensor of one number that is not made of the input, is another one with another context."""
    others = [*(other.find(record.place) for other in (evidence.moved, evidence.exchanged)), evidence.shortened.find(evidence.base.from_the_end(record.place))]
    if any(other is not None and other.step.numbers != record.step.numbers for other in others):
        return True
    shorter = others[-1]
    return shorter is not None and _single_numbers(shorter) != _single_numbers(record)


def _single_numbers(record: Record) -> list[float]:
    return [
        float(each.value) for each in record.operands if each.value.numel() == 1 and not each.value.is_complex() and not each.made & (DATA | Made.PARAMETER)
    ]


def _same_path(evidence: Evidence) -> None:
    """Raise RefusedBlock if another context takes another path behind the first operator that reads W."""
    base, other = evidence.base, evidence.exchanged
    first = next((each.place for each in base.records if any(made & Made.NETWORK for made in each.labels)), None)
    if first is not None and not chooses(base) and other.find(first) and behind(base, first) != behind(other, first):
        raise RefusedBlock(BRANCH, parting(base, other))
