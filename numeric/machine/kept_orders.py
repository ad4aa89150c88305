"""Orders of summation that an earlier run revealed, kept in the machine's cache as guesses.

To reveal an order takes some products a level of its tree, to see that a guess is right takes one. What is kept here is never believed: a bound uses an order
only after this process has seen the kernel add in it. The file's name has a digest of the library, its settings and the processor, so that another machine
begins anew.
"""

import hashlib
import json
import os
import platform
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs
import torch

from numeric.machine.operands import KernelCall
from numeric.machine.summation_tree import ADD, MERGE, PUSH, Order

SETTINGS = ("ATEN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH_")
"""Environment variables that choose kernels begin so."""


class OrdersNotKept(UserWarning):
    """What the machine was asked could not be written down; the next run asks again."""


def cache_folder() -> Path:
    """Where trained blocks and what is known of the machine are kept: $ICL_VERIFY_CACHE, or the user's cache folder."""
    named = os.environ.get("ICL_VERIFY_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("icl-verify")


def machine_digest() -> str:
    """Of all that can choose a kernel, but for what a ``KernelCall`` holds."""
    return _digest(torch.__config__.show(), *_settings())


def _settings() -> tuple[str, ...]:
    return tuple(sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(SETTINGS)))


@cache
def _digest(*told: str) -> str:
    parts = [torch.__version__, torch.backends.cpu.get_cpu_capability(), platform.processor(), platform.machine(), _processor(), *told]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """The processor's name, where the system tells it."""
    place = Path("/proc/cpuinfo")
    if not place.exists():
        return ""
    return next((line for line in place.read_text(errors="replace").splitlines() if line.startswith("model name")), "")


_READ: dict[Path, dict[str, list[int]]] = {}
"""What each file held when this process first read it, and what this process has found since."""


@dataclass(slots=True)
class KeptOrders:
    """The file, read when the first guess is wanted."""

    changed: bool = False
    """Whether there is something to write."""

    def guess(self, label: str, call: KernelCall) -> Order | None:
        """What an earlier run found, or None."""
        program = _known(_place()).get(_key(label, call))
        return None if program is None else _order(program)

    def keep(self, label: str, call: KernelCall, order: Order | None) -> None:
        """Remember what was found, until ``save``."""
        if order is None:
            return
        program, known = _program(order), _known(_place())
        if known.get(_key(label, call)) != program:
            known[_key(label, call)] = program
            self.changed = True

    def save(self) -> None:
        """Write what is new, whole or not at all; what others wrote meanwhile stays. A folder that cannot be written is a warning."""
        if not self.changed:
            return
        path = _place()
        whole = {**_read(path), **_known(path)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".kernels-", delete=False) as file:
                json.dump(whole, file, separators=(",", ":"))
            Path(file.name).replace(path)
        except OSError as error:
            warnings.warn(f"what was found of the machine's kernels could not be kept in {path}: {error}.", OrdersNotKept, stacklevel=2)
        self.changed = False


def _place() -> Path:
    return cache_folder() / f"kernels-{machine_digest()}.json"


def _known(path: Path) -> dict[str, list[int]]:
    if path not in _READ:
        _READ[path] = _read(path)
    return _READ[path]


def _read(path: Path) -> dict[str, list[int]]:
    """What a file holds; nothing where there is none, or one that is none of ours: it holds guesses only."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: program for key, program in content.items() if isinstance(program, list) and all(type(code) is int for code in program)}


def _key(label: str, call: KernelCall) -> str:
    return hashlib.sha256(f"{label}|{call}".encode()).hexdigest()[:24]


def _program(order: Order) -> list[int]:
    """Numbers: whether strands are stored, then leaf for a push, -2 - leaf for an addition, -1 for a merger."""
    codes = [leaf if op == PUSH else -2 - leaf if op == ADD else -1 for op, leaf in order.program]
    return [int(order.stored_strands), *codes]


def _order(codes: list[int]) -> Order | None:
    """The order of a program; None if the numbers are none's, as a damaged file's may be."""
    stored, *rest = codes or [2]
    heights: list[int] = []
    program, leaves = [], []
    for code in rest:
        op, leaf = (MERGE, -1) if code == -1 else (PUSH, code) if code >= 0 else (ADD, -2 - code)
        if len(heights) < (2 if op == MERGE else 1 if op == ADD else 0):
            return None
        if op == PUSH:
            heights.append(0)
        elif op == ADD:
            heights[-1] += 1
        else:
            top = heights.pop()
            heights[-1] = max(heights[-1], top) + 1
        program.append((op, leaf))
        leaves += [leaf] if op != MERGE else []
    if stored not in (0, 1) or len(heights) != 1 or sorted(leaves) != list(range(len(leaves))):
        return None
    return Order(tuple(program), len(leaves), heights[0], stored_strands=bool(stored))
