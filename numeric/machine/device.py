"""What this machine is, as torch sees it."""

import re
from dataclasses import dataclass

import torch

from symbolic.vocabulary import CallError


class NoSuchDevice(CallError):
    """The device is not here."""


DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The parts that a result may depend on."""

    torch: str
    device: str
    blas: str
    threads: int


def device_named(name: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes the GPU where there is one. Raises NoSuchDevice."""
    if name not in DEVICES:
        raise NoSuchDevice(f'no device named "{name}"; allowed are {", ".join(DEVICES)}.')
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise NoSuchDevice("torch finds no CUDA GPU here; run with --device cpu.")
    return "cuda" if name == "cuda" or (name == "auto" and available) else "cpu"


def describe(device: str) -> DeviceInfo:
    """The machine.  device: ``cpu`` or ``cuda``."""
    settings = torch.__config__.show()
    named = re.search(r"BLAS_INFO=(\w+)", settings)
    blas = named.group(1) if named else "unknown"
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    return DeviceInfo(torch.__version__, name, blas, torch.get_num_threads())


def use_one_thread() -> None:
    """Compute with one thread: the sums of a product may depend on their number, and small matrices gain nothing from more."""
    torch.set_num_threads(1)
