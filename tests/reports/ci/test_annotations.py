"""Annotations: GitHub reads of each line what was meant, ten at most, and none of a run that held."""

import re

import pytest

from reports.ci import annotations
from reports.ci.github_annotations import MOST
from reports.record.cells import Counts
from symbolic.vocabulary import Verdict
from tests import report_samples as samples
from tests.reports import hostile


def as_github_reads(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command, by the rules of actions/runner (ActionCommand.cs): command, properties, message."""
    found = re.fullmatch(r"::(\w+)(?: ([^:\n]*))?::(.*)", line, flags=re.DOTALL)
    assert found, line
    pairs = [pair.split("=", 1) for pair in (found[2] or "").split(",") if pair]
    unescape = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))

    def plain(text: str, rules=unescape) -> str:
        for written, meant in rules:
            text = text.replace(written, meant)
        return text

    return found[1], {name: plain(value) for name, value in pairs}, plain(found[3], [rule for rule in unescape if rule[0] not in ("%3A", "%2C")])


def test_the_worst_comes_first_and_each_says_how_to_run_it_again():
    read = [as_github_reads(line) for line in annotations(hostile.record_of_all_ends())]
    assert [level for level, _, _ in read] == ["error"] * 8 + ["warning"] * 2
    titles = [properties["title"] for _, properties, _ in read]
    assert titles[0] == "run: verdict"
    assert [title.rsplit("/", 1)[-1] for title in titles[1:6]] == ["nan", "violated", "over", "planted-missed", "miscounted"]
    assert read[2][2].endswith("""verify replay 'witnesses/it'"'"'s one.safetensors'""")


def test_there_are_ten_at_most_and_none_for_what_held():
    rows = [samples.cell(scenario=f"s{n}", verdict=Verdict.VIOLATED, worst_ratio=1.0 + n, counts=Counts(holds=4095, violated=1)) for n in range(1, 40)]
    lines = annotations(samples.record(cells=rows))
    assert len(lines) == MOST == 10
    assert "/s39::" in lines[1]
    assert annotations(samples.full_record(64)) == []


def test_cells_that_were_skipped_for_a_reason_are_no_warning():
    skipped = samples.cell(verdict=Verdict.SKIPPED, cases=0, counts=Counts(), worst_ratio=None, reason="it makes no sense")
    blunt = samples.cell(scenario="near_zero", verdict=Verdict.VACUOUS, counts=Counts(vacuous=4096))
    read = [as_github_reads(line) for line in annotations(samples.record(run=samples.run_info(exit_status=3), cells=[skipped, blunt]))]
    assert [level for level, _, _ in read] == ["error", "warning"]
    assert read[1][2].startswith("VACUOUS")


def test_what_has_a_meaning_in_a_command_arrives_as_it_was_written():
    name = "a,b:c=d%0Ae%25f, title=g"
    (_, line) = annotations(samples.record(claims=[samples.claim(id=name, verdict=Verdict.ERROR, reason=name)], cells=[]))
    assert as_github_reads(line) == ("error", {"title": f"claims: {name}"}, f"ERROR: {name}.")


def test_cases_that_disagree_are_an_error():
    (line,) = annotations(samples.record(), ["a/cell"])
    assert "Not to be trusted" in as_github_reads(line)[2]


@pytest.mark.parametrize("evil", hostile.EVIL)
def test_no_name_ends_a_command_or_begins_another(evil):
    lines = annotations(hostile.hostile_record(evil))
    assert 5 < len(lines) <= MOST
    for line in lines:
        assert len(line.splitlines()) == 1
        level, properties, message = as_github_reads(line)
        assert level in ("error", "warning")
        assert set(properties) == {"title"}
        assert message
    assert any(hostile.SCRIPT in as_github_reads(line)[1]["title"] for line in lines) is (evil == hostile.SCRIPT)


def test_an_unescaped_name_would_be_read_as_another_command(monkeypatch):
    """The planted negative of the test above."""
    monkeypatch.setattr("reports.ci.github_annotations._data", lambda text: text)
    assert any(len(line.splitlines()) > 1 for line in annotations(hostile.hostile_record(hostile.MARKDOWN)))
