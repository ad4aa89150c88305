"""The CSV beside the report: each number that has a mean over trials, and none that was refused."""

import csv
from pathlib import Path

from reports.record import Experiments
from reports.record.experiments import StaticPatchRecord, StaticPointRecord
from verify.records.figure_data import write_figure_data

PLAIN = {"own": (1, 2, 3), "fresh": (4, 5, 6), "loss": (7, 8, 9), "distance": 2.0**-50}
WITH_RIDGE = {"ridge_fresh": (10, 11, 12), "ridge_loss": (13, 14, 15), "ridge_share": 0.5}
KEPT = StaticPointRecord(queries=2, refused=0, **PLAIN, **WITH_RIDGE, other_context=(16, 17, 18), wrong_vector=(19, 20, 21))
REFUSED = KEPT.model_copy(update={"queries": 4, "refused": 1, **dict.fromkeys(PLAIN)})
RECORD = StaticPatchRecord(
    block="rnn", trials=8, fresh_queries=64, width=32, directions=2, with_context=(22, 23, 24), without=(25, 26, 27), points=[KEPT, REFUSED]
)


def test_the_rows_are_the_record_s(tmp_path: Path) -> None:
    write_figure_data(Experiments(static_patch=[RECORD]), tmp_path)
    with (tmp_path / "figures" / "static-patch.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["block", "queries", "quantity", "mean", "standard_error", "median"]
    assert rows[:4] == [
        ["rnn", "0", "with_context", "22.0", "23.0", "24.0"],
        ["rnn", "0", "without", "25.0", "26.0", "27.0"],
        ["rnn", "2", "own", "1.0", "2.0", "3.0"],
        ["rnn", "2", "fresh", "4.0", "5.0", "6.0"],
    ]
    assert [row[2] for row in rows if row[1] == "4"] == ["ridge_fresh", "ridge_loss", "other_context", "wrong_vector"]


def test_no_file_without_data(tmp_path: Path) -> None:
    write_figure_data(Experiments(), tmp_path)
    assert not list(tmp_path.iterdir())
