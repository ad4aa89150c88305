"""The implicit dynamics as a table: a row a block, in each place the worst of its formats."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.figures.data_tables import PictureTable, dynamics_points
from reports.figures.dynamics_figure import dynamics_picture
from reports.findings.dynamics import planted_over_bounds, strayed_dynamics, unnoticed_readings
from reports.record import Experiments
from reports.record.experiments import DynamicsInFormat, DynamicsRecord


@dataclass(frozen=True, slots=True)
class DynamicsRow:
    """One block."""

    block: str
    formats: Sequence[DynamicsInFormat]

    def worst(self, *identities: str) -> float:
        """The largest error over bound of some identities."""
        return largest_or_nan(getattr(row, name).worst for row in self.formats for name in identities)

    @property
    def resolution(self) -> float:
        """The largest bound over effect of all identities."""
        return largest_or_nan(identity.resolution for row in self.formats for identity in (row.moved, row.factored, row.descended, row.telescoped))

    def least(self, planted: str) -> float:
        """The least error over bound of a planted reading."""
        return -largest_or_nan(-getattr(row, planted) for row in self.formats)

    def most(self, field: str) -> float:
        """The largest value of a field."""
        return largest_or_nan(getattr(row, field) for row in self.formats)


@dataclass(frozen=True, slots=True)
class DynamicsTable:
    """What the page shows."""

    rows: tuple[DynamicsRow, ...]
    formats: tuple[str, ...]
    drawn: DynamicsRecord | None
    """The block of the picture."""
    picture: Markup | None
    points: PictureTable | None
    """The numbers of the picture."""
    outside: tuple[str, ...]
    """What lies outside its bound, in words."""
    passed: tuple[str, ...]
    """Which planted readings were let pass, in words."""
    least_planted: float | None


def dynamics_table(found: Experiments) -> DynamicsTable:
    """Arrange the rows, the first block drawn."""
    rows = tuple(DynamicsRow(record.block, record.formats) for record in found.dynamics if record.formats)
    drawn = next((record for record in found.dynamics if record.formats), None)
    planted = [-over for row in rows for each in row.formats for over in planted_over_bounds(each).values()]
    return DynamicsTable(
        rows,
        tuple(dict.fromkeys(each.format for row in rows for each in row.formats)),
        drawn,
        dynamics_picture(drawn) if drawn else None,
        dynamics_points(drawn) if drawn else None,
        tuple(strayed_dynamics(found)),
        tuple(unnoticed_readings(found)),
        -largest_or_nan(planted) if planted else None,
    )


def largest_or_nan(numbers: Iterable[float]) -> float:
    """The largest number, or NaN if one is not a number: nothing hides behind another one."""
    found = [*numbers]
    return next((number for number in found if number != number), max(found))
