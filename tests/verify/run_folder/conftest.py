"""One run that nothing disturbs and one that is cut off, made once."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verify.killing import Verify
from tests.verify.run_folder.cut_off import SMALL
from verify.run_folder.run_folder import JOURNAL_FILE, LOCK_FILE


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verify]:
    with Verify(tmp_path_factory.mktemp("calls")) as process:
        process("train", "attention")  # where the cache is empty: every run below finds it trained
        yield process


@pytest.fixture(scope="session")
def undisturbed(call: Verify, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run that nothing disturbs, and how many moments it has."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    told = call(*SMALL, "--out", folder)
    assert told.status == 0, told.err
    return folder, told.moments


@pytest.fixture(scope="session")
def cut_off(call: Verify, undisturbed: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed when one of its two cells was in the journal."""
    folder = tmp_path_factory.mktemp("cut-off") / "run"
    for moment in range(undisturbed[1] // 2, undisturbed[1]):
        assert call(*SMALL, "--out", folder, killed_at=moment).status == -signal.SIGKILL
        if (folder / JOURNAL_FILE).read_bytes().count(b'"what": "cell"') == 1:
            assert (folder / LOCK_FILE).exists()
            return folder
        shutil.rmtree(folder)
    raise AssertionError("no cell was ever in the journal")
