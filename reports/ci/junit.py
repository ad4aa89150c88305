"""``junit.xml``: the rows of a run as GitHub's, GitLab's and Jenkins' readers of tests know them.

failure      VIOLATED, or a check that failed its own test
error        ERROR, TIMEOUT, or a part that broke
skipped      SKIPPED, VACUOUS, INCONCLUSIVE: never a pass, with the word and the reason as message

One suite a kind of row, and of cells one a block. The format is that of Jenkins' junit-10.xsd, which knows properties of a suite
and none of a test: a test's own figures are lines of its ``system-out``. The first test is the verdict on the whole run, which passes
only if the run's exit status is 0.
"""

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from reports.findings import Outcome, Status, in_short, outcomes
from reports.record import RunRecord
from reports.text import printable

JUNIT_FILE = "junit.xml"

_ELEMENTS = {Status.FAILED: "failure", Status.BROKE: "error", Status.NOT_JUDGED: "skipped"}

BY_BLOCK = "cells"
"""The kind of row that has a suite for each block."""


def junit(record: RunRecord, disagreeing: Sequence[str] = (), *, against: Sequence[Outcome] = ()) -> bytes:
    """The file's content, UTF-8.  disagreeing: as for ``headline``; against: what came of holding the run to a baseline."""
    suites: dict[str, list[Outcome]] = {}
    for row in [*outcomes(record, disagreeing), *against]:
        suites.setdefault(f"{row.kind}: {row.of}" if row.kind == BY_BLOCK else row.kind, []).append(row)
    root = ElementTree.Element("testsuites", {"name": "icl-verify", **_numbers([row for rows in suites.values() for row in rows])})
    for name, rows in suites.items():
        attributes = {"skipped": str(sum(row.status is Status.NOT_JUDGED for row in rows)), "timestamp": printable(record.run.started)}
        suite = ElementTree.SubElement(root, "testsuite", {"name": printable(name), **_numbers(rows), **attributes})
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in {**_of_run(record), **_of_suite(rows)}.items():
            ElementTree.SubElement(properties, "property", name=key, value=printable(value))
        suite.extend(_case(row) for row in rows)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _numbers(rows: Sequence[Outcome]) -> dict[str, str]:
    """The counts that suites and all suites together carry."""
    counts = {"tests": len(rows), "failures": sum(row.status is Status.FAILED for row in rows), "errors": sum(row.status is Status.BROKE for row in rows)}
    return {name: str(number) for name, number in counts.items()} | {"time": _time(math.fsum(row.seconds for row in rows))}


def _of_run(record: RunRecord) -> dict[str, str]:
    run = record.run
    return {"run": run.id, "profile": run.profile, "seed": str(run.seed), "command": run.command, "commit": record.environment.commit}


def _of_suite(rows: Sequence[Outcome]) -> dict[str, str]:
    """The largest error over bound, and between which medians the tightness lies."""
    ratios = [row.figures["worst_ratio"] for row in rows if "worst_ratio" in row.figures]
    medians = [row.figures["tightness_median"] for row in rows if "tightness_median" in row.figures]
    found = (("worst_ratio", max, ratios), ("tightness_median_least", min, medians), ("tightness_median_most", max, medians))
    # A NaN must not hide behind the order in which max() meets it.
    return {name: repr(math.nan if any(map(math.isnan, values)) else of(values)) for name, of, values in found if values}


def _case(row: Outcome) -> ElementTree.Element:
    classname = f"{row.kind}.{row.of}" if row.of else row.kind
    case = ElementTree.Element("testcase", classname=printable(classname), name=printable(row.name), time=_time(row.seconds))
    if row.status is Status.NOT_JUDGED:
        ElementTree.SubElement(case, "skipped", message=printable(in_short(row)))
    elif row.status is not Status.PASSED:
        message = ElementTree.SubElement(case, _ELEMENTS[row.status], type=row.word, message=printable(in_short(row)))
        message.text = "\n".join(printable(line) for line in (row.title, in_short(row), *([f"In the run's folder: {row.replay}"] if row.replay else [])))
    if row.figures:
        ElementTree.SubElement(case, "system-out").text = "\n".join(f"{name} = {value!r}" for name, value in row.figures.items())
    return case


def _time(seconds: float) -> str:
    """Seconds to the thousandth, as the format wants them; a duration that is no number took no known time."""
    return f"{seconds if math.isfinite(seconds) and seconds > 0 else 0.0:.3f}"
