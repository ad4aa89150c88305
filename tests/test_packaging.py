"""What a wheel holds: every wing, and every file that a module reads from beside itself."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("verify", "reports", "numeric", "symbolic")
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def is_carried(path: Path, data: dict[str, list[str]]) -> bool:
    """Whether package-data takes the file along: a pattern is relative to the folder of the package that it stands under."""
    return any(path in folder.glob(pattern) for folder, pattern in patterns(data))


def patterns(data: dict[str, list[str]]) -> list[tuple[Path, str]]:
    return [(ROOT.joinpath(*package.split(".")), pattern) for package, listed in data.items() for pattern in listed]


def carried_beside() -> list[Path]:
    """Files of the four floors that are no Python."""
    return [path for floor in FLOORS for path in (ROOT / floor).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]


def test_every_file_that_is_read_from_beside_a_module_is_in_the_wheel() -> None:
    """And without the wing's own line the schema would not be."""
    files, data = carried_beside(), SETUP["package-data"]
    assert {"page.html.j2", "run.schema.json", "style.css"} <= {path.name for path in files}
    assert [path for path in files if not is_carried(path, data)] == []
    assert [path.name for path in files if not is_carried(path, {"reports": data["reports"]})] == ["run.schema.json"]


def test_every_folder_of_modules_is_a_package() -> None:
    """setuptools finds a folder by its ``__init__.py``, and leaves others out in silence."""
    assert SETUP["packages"]["find"]["include"] == [f"{floor}*" for floor in FLOORS]
    folders = {path.parent for floor in FLOORS for path in (ROOT / floor).rglob("*.py")}
    assert len(folders) > len(FLOORS)
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_each_pattern_finds_a_file() -> None:
    """One that finds none is of a place that has moved."""
    assert [str(folder / pattern) for folder, pattern in patterns(SETUP["package-data"]) if not any(folder.glob(pattern))] == []
