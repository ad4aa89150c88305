"""What a record says of the code that ran."""

import subprocess
import sys
from pathlib import Path

from tests.verify.calling import environment, scratch_copy


def commit_of(code: Path) -> str:
    script = "from verify.run_folder.environment import describe_environment; print(describe_environment('cpu', []).commit)"
    done = subprocess.run([sys.executable, "-c", script], cwd=code, env=environment(code), capture_output=True, text=True, check=True)
    return done.stdout.strip()


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
