"""The registry of scenarios is the folder ``numeric/scenarios``: one file a scenario, found by being there, in the order of the files' names."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from numeric.cells import Scenario
from symbolic.vocabulary import CallError, chosen

__all__ = ["all_scenarios", "scenarios_named"]


class UnknownScenario(CallError):
    """No scenario of that name."""


def all_scenarios() -> list[Scenario]:
    """Every scenario."""
    return [import_module(f"numeric.scenarios.{name}").SCENARIO for name in sorted(info.name for info in pkgutil.iter_modules(__path__))]


def scenarios_named(names: Sequence[str] | None = None) -> list[Scenario]:
    """The scenarios of these names, or all. Raises UnknownScenario."""
    return chosen({scenario.id: scenario for scenario in all_scenarios()}, names, "scenario", UnknownScenario)
