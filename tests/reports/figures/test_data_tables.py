"""A picture's numbers as a table: a dozen of its points at most, the first and the last among them, and the rest counted."""

from reports.figures.data_tables import MOST_ROWS, dynamics_points, paper_tables, static_points, training_losses
from tests import experiment_samples
from tests import report_samples as samples


def test_a_short_curve_is_told_whole():
    table = static_points(experiment_samples.static_patch())
    assert [place for place, _ in table.rows] == [1, 2, 4]
    assert table.left_out == 0
    assert table.rows[0][1] == (0.25, 0.75, 1.75, 1.25)
    assert table.rows[2][1] == (None, None, 1.75, 1.25), "without a ridge it was refused"


def test_a_long_curve_is_told_from_its_first_point_to_its_last():
    table = training_losses([samples.model(), samples.model(block="other", losses=[(0, 2.0), (40, 1.5)])])
    places = [place for place, _ in table.rows]
    assert len(places) == len(set(places)) == MOST_ROWS
    assert (places[0], places[-1]) == (0, 1000)
    assert table.left_out == 51 - MOST_ROWS
    assert table.columns == ("attention", "other")
    assert table.rows[0][1] == (1.0, 2.0)
    assert table.rows[-1][1][1] is None, "the shorter curve has no such point"


def test_each_figure_of_the_paper_has_its_table():
    tables = paper_tables(experiment_samples.experiments())
    assert set(tables) == {"losses", "steps", "finetuning"}
    assert tables["losses"].rows[0] == (0, (1.0, 0.5, 0.5 - 2.0**-30, 2.0**-30, 1e-6, 0.9))
    assert tables["steps"].columns == ("attention", "gru", "attention-residual")
    assert paper_tables(samples.record().experiments) == {}


def test_the_dynamics_are_told_format_by_format():
    table = dynamics_points(experiment_samples.dynamics())
    assert table.columns == ("fp32, error", "fp32, bound", "effect")
    assert table.rows[0] == (1, (6e-8, 3e-6, 0.007))
