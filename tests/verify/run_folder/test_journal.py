"""The journal: what it says after any cut and any changed byte is a part of what was written, and the rest is told."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.run_folder.journal import Journal, begin_journal, read_journal

ENTRIES = [{"what": "run", "id": "é\n1"}, {"what": "cell", "row": {"ratio": 0.1, "worst": "Infinity", "none": None}}, {"what": "resumed", "at": ""}]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    begin_journal(path, ENTRIES[0])
    with Journal(path) as journal:
        for entry in ENTRIES[1:]:
            journal.append(entry)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.jsonl"


def test_what_is_written_is_read(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    found = read_journal(path)
    assert list(found.entries) == ENTRIES
    assert found.damaged == ()
    assert not found.torn


def test_after_any_cut_the_whole_lines_are_there_and_writing_goes_on(content: bytes, path: Path) -> None:
    """Of a line that is cut by its end alone, too: who knows whether the next byte was to be the end of the line."""
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        found = read_journal(path)
        assert list(found.entries) == ENTRIES[:whole]
        assert found.torn == (length > 0 and content[length - 1 : length] != b"\n")
        assert found.damaged == ()
        with Journal(path) as journal:
            journal.append({"what": "more"})
        found = read_journal(path)
        assert list(found.entries) == [*ENTRIES[:whole], {"what": "more"}]
        assert not found.torn


@given(data=st.data())
def test_a_changed_byte_loses_its_line_and_no_other(data: st.DataObject, content: bytes, path: Path) -> None:
    """Never another entry in its place: a line is what was written, or it is told to be damaged."""
    place = data.draw(st.integers(0, len(content) - 2))  # the last line's end is a cut, as above
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    path.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
    found = read_journal(path)
    hurt = content[:place].count(b"\n")
    expected = [entry for number, entry in enumerate(ENTRIES) if number != hurt and not (content[place : place + 1] == b"\n" and number == hurt + 1)]
    if list(found.entries) == ENTRIES:
        assert found.damaged == ()  # a space in place of a space: JSON means the same
    else:
        assert list(found.entries) == expected
        assert hurt + 1 in found.damaged


def test_a_line_with_another_s_checksum_is_damaged(content: bytes, path: Path) -> None:
    """The planted negative: without the checksum both lines would be read."""
    one, two, three = content.splitlines()
    path.write_bytes(b"\n".join([one, two.replace(b"0.1", b"0.2"), three, b""]))
    found = read_journal(path)
    assert list(found.entries) == [ENTRIES[0], ENTRIES[2]]
    assert found.damaged == (2,)


def test_a_full_disk_leaves_the_journal_as_it_was(content: bytes, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(content)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(path) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append({"what": "more"})
        monkeypatch.undo()
        assert path.read_bytes() == content
        journal.append({"what": "more"})
    assert list(read_journal(path).entries) == [*ENTRIES, {"what": "more"}]
