"""JUnit: it obeys the format, an independent reader counts what the record counts, and nothing without a verdict is a pass."""

import io
import time
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
import xmlschema

from reports.ci import write_for_ci
from reports.ci.junit import JUNIT_FILE, junit
from reports.findings import RunStanding, Status, gravest_first, headline, outcomes
from reports.record import RunRecord
from reports.record.cells import Counts, NearZeroLevel
from symbolic.vocabulary import Verdict
from tests import experiment_samples
from tests import report_samples as samples
from tests.reports import hostile

SCHEMA = Path(__file__).with_name("junit.xsd")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMA)


def results(run: RunRecord) -> dict[str, str]:
    """What an independent reader takes each cell for, by its scenario."""
    found = {}
    for suite in junitparser.JUnitXml.fromstring(junit(run)):
        for case in suite:
            kinds = {junitparser.Failure: "failure", junitparser.Error: "error", junitparser.Skipped: "skipped"}
            (kind,) = [kinds[type(each)] for each in case.result] or ["pass"]
            found[f"{case.classname} {case.name.rsplit('/', 1)[-1]}"] = kind
    return found


EXPECTED = {
    "holds": "pass",
    "violated": "failure",
    "vacuous": "skipped",
    "inconclusive": "skipped",
    "skipped": "skipped",
    "error": "error",
    "timeout": "error",
    "planted-missed": "failure",
    "nan": "failure",
    "miscounted": "failure",
    "over": "failure",
}


def test_every_end_of_a_cell_is_the_result_that_it_should_be():
    found = results(hostile.record_of_all_ends())
    assert {name: found[f"cells.attention {name}"] for name in hostile.VERDICTS} == EXPECTED
    assert found["run verdict"] == "failure"


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.HOLDS])
def test_no_verdict_but_holds_is_a_pass(verdict):
    """Of a claim too; and the planted negative: the same claim with HOLDS passes."""
    assert results(samples.record(claims=[samples.claim(verdict=verdict, reason="why")]))["claims theorem-2.2"] != "pass"
    assert results(samples.record(claims=[samples.claim(verdict=Verdict.HOLDS)]))["claims theorem-2.2"] == "pass"


def test_what_was_not_judged_says_which_word_and_why():
    root = ElementTree.fromstring(junit(hostile.record_of_all_ends()))
    messages = {case.get("name").rsplit("/", 1)[-1]: case.find("skipped").get("message") for case in root.iter("testcase") if case.find("skipped") is not None}
    assert messages == {
        "vacuous": "VACUOUS: 4096 of 4096 cases could not have seen a wrong update.",
        "inconclusive": "INCONCLUSIVE: all refused.",
        "skipped": "SKIPPED: it makes no sense.",
    }


def test_a_violated_cell_says_by_how_much_and_how_to_run_it_again():
    root = ElementTree.fromstring(junit(hostile.record_of_all_ends()))
    (case,) = [case for case in root.iter("testcase") if case.get("name").endswith("/violated")]
    said = case.find("failure")
    assert said.get("type") == "VIOLATED"
    assert "Error ÷ bound: 7.0" in said.get("message")
    assert said.text.endswith("""In the run's folder: verify replay 'witnesses/it'"'"'s one.safetensors'""")
    assert {"worst_ratio = 7.0", "tightness_median = 60.0", "cases_violated = 1"} <= set(case.find("system-out").text.splitlines())
    assert case.get("time") == "0.800"


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"claims": [samples.claim(mutants=[samples.mutant(verdict=Verdict.HOLDS, counterexample=None)])]}, "mutants.theorem-2.2 no-normalisation"),
        ({"claims": [samples.claim(mutants=[])]}, "claims theorem-2.2"),
        ({"errata": [samples.erratum(proved=False)]}, "errata 1. Eq. (15) is off by one"),
        ({"models": [samples.model(validation_loss=0.5)]}, "trained blocks attention"),
        (
            {"near_zero": [samples.sweep(levels=[NearZeroLevel(norm=0.5, error=2.0, error_median=1.0, bound=1.0, refused=0.0, cases=8)])]},
            "near-zero sweeps.attention formula",
        ),
        ({"experiments": {"dynamics": [experiment_samples.dynamics(literal=0.5)]}}, "experiments.attention implicit dynamics in fp32"),
        (
            {"experiments": {"dynamics": [experiment_samples.dynamics(moved=experiment_samples.identity(worst=1.5))]}},
            "experiments.attention implicit dynamics in fp32",
        ),
        ({"experiments": {"dynamics": [experiment_samples.dynamics(prompts=0, refused=4)]}}, "experiments.attention implicit dynamics in fp32"),
        ({"experiments": {"adversarial": [hostile.search(violated=1)]}}, "experiments.attention formula"),
        ({"experiments": {"adversarial": [hostile.search(random=None, ascent=None)]}}, "experiments.attention formula"),
    ],
)
def test_a_part_that_failed_its_test_is_no_pass(changed, row):
    """And the same part of a sound run passes."""
    sound = samples.record(errata=[samples.erratum()], experiments={"dynamics": [experiment_samples.dynamics()], "adversarial": [hostile.search()]})
    assert set(results(sound).values()) == {"pass"}
    assert results(samples.record(**changed))[row] in ("failure", "error", "skipped")


INFINITE = float("inf")


def test_a_sweep_whose_every_distance_was_refused_is_no_pass():
    level = {"norm": 0.5, "error": 0.25, "error_median": 0.1, "bound": 0.5, "refused": 0.0, "cases": 8}
    found = []
    for changed in ({}, {"error": INFINITE, "bound": INFINITE, "refused": 1.0}):
        sweep = samples.sweep(levels=[NearZeroLevel(**{**level, **changed})], measured_radius=float("nan"))
        found.append(results(samples.record(near_zero=[sweep]))["near-zero sweeps.attention formula"])
    assert found == ["pass", "skipped"]


@pytest.mark.parametrize(("number", "expected"), [(0, "pass"), (49, "pass"), (50, "skipped")])
def test_an_identity_whose_bound_shows_nothing_after_any_token_is_no_pass(number, expected):
    row = experiment_samples.dynamics(factored=experiment_samples.identity(vacuous=list(range(1, number + 1))))
    assert results(samples.record(experiments={"dynamics": [row]}))["experiments.attention implicit dynamics in fp32"] == expected


def only_cell(**changes: object) -> ElementTree.Element:
    cell = samples.cell().model_copy(update=changes) if "seconds" in changes else samples.cell(**changes)
    root = ElementTree.fromstring(junit(samples.record().model_copy(update={"cells": [cell]})))
    (case,) = [case for case in root.iter("testcase") if case.get("classname") == "cells.attention"]
    return case


def test_a_cell_that_says_holds_against_its_figures_is_told_to_say_so():
    contradiction = "The cell says HOLDS, which its figures contradict."
    assert contradiction in only_cell(worst_ratio=1.5).find("failure").get("message")
    violated = only_cell(worst_ratio=1.5, verdict=Verdict.VIOLATED, counts=Counts(holds=4095, violated=1))
    assert "contradict" not in violated.find("failure").get("message")


@pytest.mark.parametrize(("variant", "told"), [("formula", True), ("own", False)])
def test_a_witness_that_only_its_own_file_can_run_has_no_replay_line(variant, told):
    violated = {"verdict": Verdict.VIOLATED, "counts": Counts(holds=4095, violated=1), "witness": "witnesses/w.safetensors"}
    assert ("verify replay witnesses/w.safetensors" in only_cell(variant=variant, **violated).find("failure").text) is told


@pytest.mark.parametrize(("seconds", "told"), [(0.8, "0.800"), (4321.5, "4321.500"), (INFINITE, "0.000"), (float("nan"), "0.000"), (-1.0, "0.000")])
def test_a_time_is_a_number_of_seconds(seconds, told):
    assert only_cell(seconds=seconds).get("time") == told


def test_what_was_trained_in_another_run_took_no_time_in_this_one():
    root = ElementTree.fromstring(junit(samples.record(models=[samples.model(), samples.model(block="cached", cached=True)])))
    assert [case.get("time") for case in root.iter("testcase") if case.get("classname") == "trained blocks"] == ["4.200", "0.000"]


@pytest.mark.parametrize("order", [(0.5, float("nan")), (float("nan"), 0.5)])
def test_a_ratio_that_is_no_number_is_the_worst_of_its_suite(order):
    cells = [samples.cell(scenario=f"s{place}", worst_ratio=ratio) for place, ratio in enumerate(order)]
    root = ElementTree.fromstring(junit(samples.record(cells=cells)))
    (suite,) = [suite for suite in root.iter("testsuite") if suite.get("name") == "cells: attention"]
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert (properties["worst_ratio"], properties["tightness_median_least"]) == ("nan", "60.0")


def test_what_passed_is_not_among_the_gravest():
    found = gravest_first(outcomes(hostile.record_of_all_ends()))
    assert {row.status for row in found} == {Status.FAILED, Status.BROKE, Status.NOT_JUDGED}
    assert [row.status for row in found] == sorted((row.status for row in found), key=list(Status).index)


def test_cases_on_disk_that_disagree_are_told_in_both_files(tmp_path):
    run = samples.record(cells=[samples.cell(cases=8, counts=Counts(holds=8), mutant_caught=8)])
    agreeing, other = samples.write_folder(run, tmp_path / "a"), [samples.cell(cases=8, counts=Counts(holds=7, inconclusive=1))]
    disagreeing = samples.write_folder(run, tmp_path / "b", with_cases=other)
    for folder, failures, said in ((agreeing, [], "Everything that was checked held"), (disagreeing, ["run", "cells.attention"], "Not to be trusted")):
        one, two = write_for_ci(folder)
        assert [case.get("classname") for case in ElementTree.parse(one).iter("testcase") if case.find("failure") is not None] == failures
        text = two.read_text(encoding="utf-8")
        assert said in text.splitlines()[0]
        assert text.count("| cells: ") == (1 if failures else 0)


@pytest.mark.parametrize("cut", [{"finished": None, "exit_status": 130}, {"finished": None, "exit_status": None}, {"exit_status": 3}])
def test_a_run_that_did_not_finish_or_is_incomplete_has_an_error(cut):
    assert results(samples.record(run=samples.run_info(**cut)))["run verdict"] == "error"
    assert results(samples.empty_record())["run verdict"] == "error"


def test_the_first_test_passes_only_where_the_headline_says_that_everything_held():
    for run in (samples.record(), samples.full_record(64), hostile.record_of_all_ends(), samples.record(cells=[samples.cell(counts=Counts(holds=1))])):
        assert (results(run)["run verdict"] == "pass") is (headline(run).standing is RunStanding.HELD)
    root = ElementTree.fromstring(junit(samples.record(), ["another/cell"]))
    assert root.find("testsuite/testcase/failure").get("type") == "DISTRUSTED"


def test_it_obeys_the_format_and_its_counts_are_its_rows(schema):
    for run in (samples.record(), samples.empty_record(), samples.full_record(64), hostile.record_of_all_ends()):
        text = junit(run)
        schema.validate(io.BytesIO(text))
        root = ElementTree.fromstring(text)
        for part in (root, *root.iter("testsuite")):
            assert int(part.get("tests")) == len(list(part.iter("testcase")))
            assert int(part.get("failures")) == len(list(part.iter("failure")))
            assert int(part.get("errors")) == len(list(part.iter("error")))
        read = junitparser.JUnitXml.fromstring(text)
        read.update_statistics()
        assert (read.tests, read.failures, read.errors) == tuple(int(root.get(name)) for name in ("tests", "failures", "errors"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('time="0.800"', 'time="soon"'),
        ('tests="1"', 'tests="one"'),
        ("<testcase ", '<testcase status="run" '),
        ("</properties>", "</properties><system-out/>"),
        ("<failure ", '<skipped message="both"/><failure '),
    ],
)
def test_a_file_that_breaks_the_format_is_refused(schema, right, wrong):
    text = junit(hostile.record_of_all_ends()).decode()
    assert right in text
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(io.BytesIO(text.replace(right, wrong).encode()))


@pytest.mark.parametrize("evil", hostile.EVIL)
def test_a_name_is_text_whatever_it_holds(schema, evil):
    text = junit(hostile.hostile_record(evil))
    schema.validate(io.BytesIO(text))
    root = ElementTree.fromstring(text)
    tags = "testsuites testsuite properties property testcase failure error skipped system-out"
    assert {element.tag for element in root.iter()} == set(tags.split())
    shown = [value for element in root.iter() for value in (*element.attrib.values(), element.text or "")]
    assert sum("alert(1)" in value or "::error::" in value for value in shown) > 30
    assert not [value for value in shown if any(ord(letter) < 32 and letter != "\n" for letter in value)]


def test_an_unescaped_control_character_would_be_no_xml():
    """The planted negative of the test above: what ElementTree writes of such a name by itself cannot be read again."""
    element = ElementTree.Element("testcase", name=hostile.CONTROLS)
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(ElementTree.tostring(element))


def test_half_a_surrogate_pair_is_written_out():
    from reports.text import printable

    assert printable("a\ud800b\tc") == r"a\ud800b\tc"


def test_seven_hundred_cells_take_less_than_a_second(tmp_path):
    rows = [samples.cell(scenario=f"s{number}", seconds=0.1) for number in range(700)]
    folder = samples.write_folder(samples.record(cells=rows), tmp_path, with_cases=rows[:1])
    began = time.process_time()
    write_for_ci(folder)
    assert time.process_time() - began < 1.0
    assert len(list(ElementTree.parse(folder / JUNIT_FILE).iter("testcase"))) > 700
