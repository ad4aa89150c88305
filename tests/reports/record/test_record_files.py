"""A run's folder: what is written is read back, and nothing else is taken for a run."""

import json

import pytest

from reports.record import DamagedRun, load_run
from reports.record.record_files import NotARun, replacing, write_run
from symbolic.vocabulary import Verdict
from tests import report_samples as samples


@pytest.mark.parametrize("run", [samples.record(), samples.empty_record(), samples.full_record()])
def test_a_run_is_read_as_it_was_written(run, tmp_path):
    write_run(run, tmp_path)
    assert load_run(tmp_path) == run
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"], "no temporary file is left"


def test_non_finite_numbers_survive_and_are_never_null(tmp_path):
    write_run(samples.record(cells=[samples.cell(verdict=Verdict.VACUOUS, worst_ratio=samples.NAN, resolution=samples.INFINITY)]), tmp_path)
    row = json.loads((tmp_path / "run.json").read_text())["cells"][0]
    assert (row["worst_ratio"], row["resolution"]) == ("NaN", "Infinity")
    back = load_run(tmp_path)
    assert back.cells[0].resolution == samples.INFINITY
    assert back.cells[0].worst_ratio != back.cells[0].worst_ratio


def test_a_folder_without_a_run_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARun) as error:
            load_run(folder)
        assert str(error.value).startswith("NotARun:")
        assert str(folder) in str(error.value)
    (tmp_path / "file").touch()
    with pytest.raises(NotARun):
        load_run(tmp_path / "file")


def damaged(text: str, change) -> str:
    data = json.loads(text)
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: damaged(text, lambda run: run.update(schema_version=2)),
        lambda text: damaged(text, lambda run: run.pop("schema_version")),
        lambda text: damaged(text, lambda run: run["totals"].update(cases=5)),
        lambda text: damaged(text, lambda run: run["cells"].clear()),
        lambda text: damaged(text, lambda run: run["cells"][0].update(verdict="FINE")),
        lambda text: damaged(text, lambda run: run.update(extra=1)),
        lambda text: damaged(text, lambda run: run["cells"][0].update(block="another")),
    ],
    ids=["empty", "truncated", "a list", "null", "version", "no version", "totals", "a row lost", "verdict", "extra", "a cell renamed"],
)
def test_a_damaged_run_is_refused(damage, tmp_path):
    path = write_run(samples.record(), tmp_path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DamagedRun) as error:
        load_run(tmp_path)
    assert str(error.value).startswith("DamagedRun:")
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"schema_version": 1', '"schema_version": true', "schema_version"),
        ('"schema_version": 1', '"schema_version": 1.0', "schema_version"),
        ('"seed": 7', '"seed": 7, "seed": 7', 'has the name "seed" twice in one object'),
        ('"seed": 7', '"seed": 7, "se\\u0065d": 8', 'has the name "seed" twice in one object'),
        ('"seed": 7', '"seed": ' + "9" * 5000, "has an integer of 5,000 digits"),
        ('"seed": 7', '"seed": -' + "9" * 20, "has an integer of 21 digits"),
        ('"seed": 7', '"seed": 1e999', "which is beyond float64"),
        ('"seed": 7', '"seed": NaN', "has NaN as a number"),
        ('"worst_ratio": 0.12', '"worst_ratio": NaN', "has NaN as a number"),
        ('"worst_ratio": 0.12', '"worst_ratio": -Infinity', "has -Infinity as a number"),
        ('"worst_ratio": 0.12', '"worst_ratio": ' + "[" * 100_000 + "]" * 100_000, "is nested too deeply"),
        ('"worst_ratio": 0.12', '"worst_ratio": ' + '{"x": ' * 100_000 + "1" + "}" * 100_000, "is nested too deeply"),
        ('"profile": "quick"', '"profile": "\\ud800"', "run record"),
        ('"profile": "quick"', '"profile": "quick", "a\\nb\\u001b[31m": 1', "Extra inputs"),
        ('"profile": "quick"', '"profile": "quick", "' + "x" * 5000 + '": 1', "Extra inputs"),
        ("{", "\ufeff{", "is not JSON"),
        ("{", "{{", "is not JSON"),
    ],
)
def test_json_that_no_run_writes_is_refused_in_one_line(right, wrong, said, tmp_path):
    path = write_run(samples.record(), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(DamagedRun) as error:
        load_run(tmp_path)
    assert said in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000


def test_a_run_that_another_program_wrote_again_is_read(tmp_path):
    """The names in another order, and no spaces: it is the same JSON."""
    path = write_run(samples.full_record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), sort_keys=True, separators=(",", ":")), encoding="utf-8")
    assert load_run(tmp_path) == samples.full_record()


def test_a_run_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedRun):
        load_run(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
