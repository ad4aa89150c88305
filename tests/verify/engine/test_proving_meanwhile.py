"""While a run proves, its other processes measure: what they have finished is kept after each claim, and not only at the end."""

from types import SimpleNamespace

import pytest

from verify.engine import run
from verify.engine.measuring import Measuring


class Pool:
    """Has finished one more piece of work each time that it is asked."""

    over = False

    def __init__(self) -> None:
        self.waiting = [1, 2, 3, 4]

    def submit(self, key: int, *work: object, **limits: object) -> None:
        raise AssertionError("nothing is planned here")

    def finished(self):
        yield self.waiting.pop(0), "an outcome"

    def results(self):
        while self.waiting:
            yield self.waiting.pop(0), "an outcome"


def test_what_is_finished_is_kept_after_each_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    claims = [SimpleNamespace(id=name) for name in ("one", "two", "three")]
    plan = SimpleNamespace(claims=[claim.id for claim in claims], request=SimpleNamespace(device="cpu", seed=0), cell_seconds=None)
    state = SimpleNamespace(plan=plan, claims={"two": "proved before"}, save=lambda: None)
    state.keep_claim = told.append
    monkeypatch.setattr(run, "load_claims", lambda names: claims)
    monkeypatch.setattr(run, "prove", lambda claim: claim.id)
    monkeypatch.setattr(run.claim_rows, "claim_record", lambda proof: f"proved {proof}")
    monkeypatch.setattr(Measuring, "_keep_sweep", lambda self, key, outcome: told.append(f"kept {key}"))
    pool, steps = Pool(), []
    measuring = Measuring(state, None, pool, lambda *step: steps.append(step), SimpleNamespace(cells={}, sweeps={}), {})
    run._prove(state, pool, lambda *step: None, measuring.take_finished)
    assert told == ["kept 1", "proved one", "kept 2", "kept 3", "proved three"], "the claim that was proved before is not proved again"
    measuring.take_all()
    assert told[-1] == "kept 4"
    assert [done for _, done, _ in steps] == [1, 2, 3, 4]
