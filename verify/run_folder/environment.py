"""Where a run runs: what a result may depend on, and what a reader needs to repeat it."""

import hashlib
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from reports.record.environment import Environment, Probe
from verify.plan.version import NAME, suite_version

FLOORS = ("verify", "reports", "numeric", "symbolic")

CODE_FOLDER = Path(__file__).resolve().parents[2]
"""The folder that the four packages are in."""

PACKAGES = ("torch", "sympy", "python-flint", "mpmath", "numpy", "safetensors", "pydantic", "pyarrow", "matplotlib", "jinja2")


def describe_environment(device: str, probes: list[Probe]) -> Environment:
    """The environment.  device: ``cpu`` or ``cuda``."""
    from numeric.machine.device import describe

    return Environment(
        **asdict(describe(device)),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=_processor(),
        commit=_commit(),
        versions={NAME: suite_version(), **{name: version(name) for name in PACKAGES}},
        probes=probes,
    )


def code_digest() -> str:
    """SHA-256 of the code that runs: every Python file of the four packages, by its path. It tells edited files apart, where a commit does not."""
    digest = hashlib.sha256()
    for package in FLOORS:
        files = sorted((CODE_FOLDER / package).rglob("*.py"))
        assert files, f"there is no code of {package} in {CODE_FOLDER}"  # else every code would have the same digest
        for path in files:
            digest.update(f"{path.relative_to(CODE_FOLDER).as_posix()}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _processor() -> str:
    """The processor's name; Linux keeps it where ``platform`` does not look."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    """The commit of the checkout that runs, with ``+changes`` if a file was edited or added; "unknown" outside a checkout."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(CODE_FOLDER), *words], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    top = git("rev-parse", "--show-toplevel")
    commit = git("rev-parse", "HEAD") if top is not None and Path(top) == CODE_FOLDER else None
    if commit is None:
        return "unknown"
    return commit + ("+changes" if git("status", "--porcelain") else "")
