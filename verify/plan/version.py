"""The version of this suite."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAME = "icl-verify"
PROJECT_FILE = Path(__file__).resolve().parents[2] / "pyproject.toml"


def suite_version() -> str:
    """The version of the code that runs: what the checkout's ``pyproject.toml`` says, or else the installed package; "unknown" without either."""
    if PROJECT_FILE.is_file():
        project = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == NAME:
            return str(project["version"])
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "unknown"
