"""What is no Python lies where it is looked for, and goes along when the suite is installed."""

import tomllib
from pathlib import Path

import reports
from reports.html import TEMPLATES
from reports.html.templating import environment
from reports.record.schema import SCHEMA_FILE

REPORTS = Path(reports.__file__).parent


def test_the_templates_and_the_schema_lie_where_they_are_looked_for():
    assert TEMPLATES == REPORTS / "templates"
    assert SCHEMA_FILE == REPORTS / "record" / "run.schema.json"
    assert SCHEMA_FILE.exists()
    pages = [name for name in environment().list_templates() if name.endswith(".j2")]
    assert {"page.html.j2", "comparison.html.j2", "history.html.j2"} <= set(pages)
    for name in pages:
        environment().get_template(name)


def test_what_is_no_python_is_installed_too():
    packages = tomllib.loads((REPORTS.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    installed = {path for package, patterns in packages.items() for pattern in patterns for path in REPORTS.parent.joinpath(*package.split(".")).glob(pattern)}
    assert {path for path in REPORTS.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")} <= installed
