"""Leaks and traps: each block is refused by the operator and the line that is the reason, and a twin without it is admitted."""

from pathlib import Path

import pytest

from numeric.operators.refusals import RefusedBlock
from tests.numeric.operators import leaks, more_traps, traps
from tests.numeric.operators.leaks import LEAKS, Leak
from tests.numeric.operators.more_traps import MORE_TRAPS
from tests.numeric.operators.small_blocks import watched
from tests.numeric.operators.traps import TRAPS

EVERY = (*LEAKS, *TRAPS, *MORE_TRAPS)


def marked(name: str) -> str:
    """``leaks.py:12``, the line that is marked as a leak's."""
    (found,) = [
        f"{path.name}:{number}"
        for path in map(Path, (leaks.__file__, traps.__file__, more_traps.__file__))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.endswith(f"# leak: {name}")
    ]
    return found


@pytest.mark.parametrize("leak", EVERY, ids=str)
def test_a_leak_is_refused_by_operator_and_line(leak: Leak) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(leak.build(), leak.first, leak.call)
    refused = error.value
    assert refused.kind is leak.kind, str(refused)
    assert refused.place is not None
    assert leak.operator in refused.place.operator
    assert refused.place.line == marked(leak.name)
    assert str(refused).startswith(f"RefusedBlock: {refused.place} ")


@pytest.mark.parametrize("leak", EVERY, ids=str)
def test_its_right_twin_is_admitted(leak: Leak) -> None:
    watched(leak.twin(), leak.first, leak.twin_call)
