"""Run records and witnesses with random changes: no traceback, no hang, an exit status that is one, and one line where the call was wrong."""

import json
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from numeric.cells import Witness
from tests import gate_samples as drawn
from tests.numeric.user_blocks.sample_blocks import block, measured
from tests.rich_record import written
from tests.verify.calling import Answer, called
from tests.verify.fuzz.mutations import changed_bytes, changed_json, changed_text, changed_witness
from verify.exit_status import FAILED, HELD, INCOMPLETE, WRONG_CALL

SECONDS = 120
"""That a case may take; a case that hangs ends in a traceback, which no case may."""

SHORT, LONG = 20, 500


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def over(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def sound(answer: Answer, what: str) -> int:
    """The status of a call that ended as one may."""
    assert "Traceback" not in answer.err + answer.out, f"{what}: {answer.err}"
    assert answer.status in (HELD, FAILED, WRONG_CALL, INCOMPLETE), f"{what}: {answer.status}"
    if answer.status == WRONG_CALL:
        assert answer.err.count("\n") == 1, f"{what}: {answer.err}"
        assert answer.err.strip().isprintable(), f"{what}: {answer.err!r}"
    return answer.status


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one with its cases and one with every kind of row, and a baseline of the first."""
    folder = tmp_path_factory.mktemp("whole")
    drawn.run_of(7, folder / "cases", size=64)
    (folder / "rich").mkdir()
    (folder / "rich" / "run.json").write_text(written(), encoding="utf-8")
    assert called("baseline", str(folder / "cases"), "--out", str(folder / "kept.json"), "--reason", "why").status == 0
    return folder


def commands(run: Path, whole: Path) -> list[tuple[str, ...]]:
    return [
        ("report", str(run)),
        ("gate", str(run), "--baseline", str(whole / "kept.json")),
        ("gate", str(run), "--baseline", str(whole / "kept.json"), "--json"),
        ("compare", str(whole / "cases"), str(run)),
        ("compare", str(run), str(whole / "cases"), "--json"),
        ("baseline", str(run), "--out", str(run / "new.json"), "--reason", "why"),
        ("history", str(run.parent)),
        ("all", "--resume", str(run)),
    ]


def fuzzed_run(seed: int, whole: Path, folder: Path) -> tuple[int, str]:
    """The status of one command on one changed run."""
    chance = random.Random(seed)
    shutil.rmtree(folder / "runs", ignore_errors=True)
    run = shutil.copytree(whole / chance.choice(("cases", "rich")), folder / "runs" / "run")
    text = (run / "run.json").read_text(encoding="utf-8")
    match chance.randrange(8):
        case 0:
            (run / "run.json").write_bytes(changed_bytes(text.encode(), chance))
        case 1:
            (run / "run.json").write_text(changed_text(text, chance), encoding="utf-8", errors="surrogatepass")
        case 2 if (run / "cases.parquet").exists():
            (run / "cases.parquet").write_bytes(changed_bytes((run / "cases.parquet").read_bytes(), chance))
        case _:
            (run / "run.json").write_text(changed_json(text, chance), encoding="utf-8", errors="surrogatepass")
    command = chance.choice(commands(run, whole))
    with within(SECONDS):
        return sound(called(*command, cwd=folder), f"seed {seed}, {command}"), command[0]


def fuzzed_baseline(seed: int, whole: Path, folder: Path) -> int:
    """The status of a gate with a changed baseline."""
    chance = random.Random(seed)
    text = (whole / "kept.json").read_text(encoding="utf-8")
    (folder / "kept.json").write_text(chance.choice((changed_json, changed_text))(text, chance), encoding="utf-8", errors="surrogatepass")
    with within(SECONDS):
        return sound(called("gate", str(whole / "cases"), "--baseline", str(folder / "kept.json"), cwd=folder), f"seed {seed}")


@pytest.fixture(scope="module")
def case() -> Witness:
    found = measured("formula", block()).witness
    assert found is not None
    return found


def fuzzed_witness(seed: int, case: Witness, folder: Path) -> int:
    chance = random.Random(seed)
    path = folder / "w.safetensors"
    path.write_bytes(changed_witness(case, chance))
    with within(SECONDS):
        return sound(called("replay", str(path), *(["--json"] if chance.random() < 0.3 else []), cwd=folder), f"seed {seed}")


def test_some_changed_runs(whole: Path, tmp_path: Path) -> None:
    found = Counter(fuzzed_run(seed, whole, tmp_path)[0] for seed in range(SHORT))
    assert found[WRONG_CALL] > SHORT / 4


def test_some_changed_baselines(whole: Path, tmp_path: Path) -> None:
    found = Counter(fuzzed_baseline(seed, whole, tmp_path) for seed in range(SHORT))
    assert found[WRONG_CALL] > SHORT / 4


def test_some_changed_witnesses(case: Witness, tmp_path: Path) -> None:
    found = Counter(fuzzed_witness(seed, case, tmp_path) for seed in range(SHORT))
    assert found[WRONG_CALL] > SHORT / 4


@pytest.mark.soak
def test_five_hundred_changed_runs(whole: Path, tmp_path: Path) -> None:
    found = Counter(fuzzed_run(seed, whole, tmp_path) for seed in range(LONG))
    print(sorted(found.items()))
    statuses = Counter(status for status, _ in found.elements())
    assert statuses[WRONG_CALL] > LONG / 2
    assert len({command for _, command in found}) == len({command for command, *_ in commands(whole, whole)})


@pytest.mark.soak
def test_five_hundred_changed_baselines(whole: Path, tmp_path: Path) -> None:
    found = Counter(fuzzed_baseline(seed, whole, tmp_path) for seed in range(LONG))
    print(sorted(found.items()))
    assert found[WRONG_CALL] > LONG / 4


@pytest.mark.soak
def test_five_hundred_changed_witnesses(case: Witness, tmp_path: Path) -> None:
    found = Counter(fuzzed_witness(seed, case, tmp_path) for seed in range(LONG))
    print(sorted(found.items()))
    assert found[WRONG_CALL] > LONG / 2
    assert found[HELD] > 0


def test_a_traceback_and_a_hang_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted negatives of the two."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: 1 / 0)
    drawn_run = tmp_path / "run"
    drawn_run.mkdir()
    (drawn_run / "run.json").write_text("{}")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        sound(called("report", str(drawn_run)), "planted")

    def slow(*_: object, **__: object) -> None:
        signal.pause()

    monkeypatch.setattr(json, "loads", slow)
    with within(1), pytest.raises(AssertionError, match="TimeoutError"):
        sound(called("report", str(drawn_run)), "planted")
