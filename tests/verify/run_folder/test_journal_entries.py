"""The journal's lines: what is read is what was written, of every kind."""

import json
import math
from itertools import combinations
from typing import get_args

from reports.record import Experiments
from tests import experiment_samples
from tests import report_samples as samples
from verify.run_folder.journal_entries import FinishedExperiment, FinishedSweeps, Resumed, entry_of, read_finished

KINDS = get_args(FinishedExperiment.model_fields["row"].annotation)


def test_every_experiment_has_a_kind_of_row_and_its_fields_say_which() -> None:
    fields = {name: field for name, field in Experiments.model_fields.items() if name not in ("broken", "out_of_time")}
    assert {kind for field in fields.values() for kind in get_args(field.annotation)} - {type(None)} == set(KINDS)
    assert all(set(one.model_fields) != set(other.model_fields) for one, other in combinations(KINDS, 2))
    assert all(field.is_required() for kind in KINDS for field in kind.model_fields.values())


def test_what_is_read_is_what_was_written() -> None:
    """Of what is there twice, the later counts; numbers that are not finite come back as such."""
    sweeps = FinishedSweeps(name="attention/fp32", rows=[samples.sweep(measured_radius=math.inf)])
    experiments = [FinishedExperiment(name=f"dynamics/{number}", row=experiment_samples.dynamics()) for number in range(2)]
    lines = [Resumed(at=""), FinishedSweeps(name="attention/fp32", rows=[]), sweeps, *experiments, Resumed(at="")]
    work = read_finished([{}, *(json.loads(json.dumps(entry_of(line), allow_nan=False)) for line in lines)])
    assert work.resumed == 2
    assert work.sweeps == {"attention/fp32": sweeps.rows}
    assert work.experiments == {line.name: line.row for line in experiments}
    assert {type(row) for row in work.experiments.values()} == {type(experiment_samples.dynamics())}
