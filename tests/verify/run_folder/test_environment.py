"""What a record says of the code that ran."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.verify.calling import ROOT, Answer, called, environment, scratch_copy
from verify.plan import version
from verify.run_folder.environment import code_digest

COMMIT = "from verify.run_folder import describe_environment; print(describe_environment('cpu', []).commit)"
VERSION = "from verify.run_folder import describe_environment; print(describe_environment('cpu', []).versions['icl-verify'])"
FOLDERS = ("verify", "reports", "numeric", "symbolic", "verify/engine", "reports/record", "numeric/sides", "symbolic/claims")
DIGESTS = f"""
from pathlib import Path
from verify.run_folder.environment import code_digest
print(code_digest())
for package in {FOLDERS}:
    Path(package, "one_more.py").write_text("x = 1")
    print(code_digest())
    Path(package, "one_more.py").write_text("x = 2")
    print(code_digest())
"""


def run(code: Path, script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script], cwd=code, env=environment(code), capture_output=True, text=True, check=True)
    return done.stdout.split()


def commit_of(code: Path) -> str:
    return run(code, COMMIT)[0]


def git(code: Path, *words: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(["git", "-C", str(code), *author, *words], capture_output=True, text=True, check=True).stdout.strip()


def test_a_file_that_is_not_committed_is_a_change(tmp_path: Path) -> None:
    """A claim's file that was added and not committed is proved like the others: the commit alone does not say what ran."""
    code = scratch_copy(tmp_path / "code")
    assert commit_of(code) == "unknown"
    (code / ".gitignore").write_text("__pycache__/\n")
    git(code, "init", "-q")
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "all")
    commit = git(code, "rev-parse", "HEAD")
    assert commit_of(code) == commit
    (code / "symbolic" / "claims" / "one_more.py").write_text("")
    assert commit_of(code) == f"{commit}+changes"


def test_the_digest_covers_each_of_the_four_packages_and_its_wings(tmp_path: Path) -> None:
    """A file more in any of them, and a byte changed in it, are other code; a copy elsewhere is the same."""
    digests = run(scratch_copy(tmp_path / "code"), DIGESTS)
    assert len(set(digests)) == 1 + 2 * len(FOLDERS)
    assert digests[0] == code_digest()


def test_a_digest_of_no_code_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for in the wrong place, every code would be the same, and any run would be resumed."""
    monkeypatch.setattr("verify.run_folder.environment.CODE_FOLDER", tmp_path)
    with pytest.raises(AssertionError, match="no code of verify"):
        code_digest()


def test_the_record_has_the_version_of_the_checkout_that_runs(tmp_path: Path) -> None:
    """Where there is no commit, and whatever version is installed."""
    code = scratch_copy(tmp_path / "code")
    (code / "pyproject.toml").write_text('[project]\nname = "icl-verify"\nversion = "7.8.9"\n')
    assert run(code, COMMIT + "\n" + VERSION) == ["unknown", "7.8.9"]


def test_the_version_without_a_checkout_is_that_of_the_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "PROJECT_FILE", ROOT / "no" / "pyproject.toml")
    monkeypatch.setattr(version, "version", lambda name: f"installed {name}")
    assert version.suite_version() == "installed icl-verify"


def test_the_version_of_another_project_s_folder_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package may lie in a folder in which another project has its own file."""

    def missing(name: str) -> str:
        raise version.PackageNotFoundError(name)

    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1.0"\n')
    monkeypatch.setattr(version, "PROJECT_FILE", tmp_path / "pyproject.toml")
    monkeypatch.setattr(version, "version", missing)
    assert version.suite_version() == "unknown"


def test_the_command_prints_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert called("--version") == Answer(0, f"icl-verify {project['version']}\n", "")
