"""The ways of computing that a run can ask for, one row each; what the machine then really does is probed.

A mode says in which format weights are stored, in which activations are, in which the update is computed, and what is
switched on while kernels run. ``--format`` takes a mode's id; most modes are a format and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch

from numeric.formats.emulation import BlockwiseSums, RoundedOperands, wide_weights
from numeric.formats.format import Format, UnknownFormat, format_named
from symbolic.vocabulary import chosen

FP32, BF16 = format_named("fp32"), format_named("bf16")

Context = Callable[[], AbstractContextManager[object]]

BLOCK = 8
"""Terms that an emulated kernel with reduced-precision sums adds before it rounds to storage."""


@contextmanager
def _flag(name: str) -> Iterator[None]:
    """A setting of torch's CUDA products switched on, and put back."""
    before = getattr(torch.backends.cuda.matmul, name)
    setattr(torch.backends.cuda.matmul, name, True)
    try:
        yield
    finally:
        setattr(torch.backends.cuda.matmul, name, before)


@contextmanager
def _flushing() -> Iterator[None]:
    """The processor flushes subnormal numbers; radii, which must not, are computed outside of this."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


# What a row switches on, given a device. All of it can be pickled, so that a cell can be measured in another process.


def _everywhere(context: Context, device: str) -> Context:
    return context


_NOTHING = partial(_everywhere, nullcontext)


def _tf32(device: str) -> Context:
    return partial(_flag, "allow_tf32") if device == "cuda" else partial(RoundedOperands, format_named("tf32"))


def _reduced(name: str, device: str) -> Context:
    return partial(_flag, f"allow_{name}_reduced_precision_reduction") if device == "cuda" else partial(BlockwiseSums, BLOCK, of=format_named(name))


def _autocast(device: str) -> Context:
    return partial(torch.autocast, device, dtype=torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Mode:
    """A way of computing."""

    id: str
    title: str
    activations: Format
    """What tokens, A(C,x) and the results of products are stored in."""
    weights: Format
    """What W, W + ΔW and biases are stored in."""
    update: Format
    """What the update is computed in."""
    operands: Format | None = None
    """What a matrix product first rounds its operands to."""
    bias_is_an_operand: bool = False
    """Whether the bias is rounded so too."""
    inputs: Format | None = None
    """What A(C,x) is rounded to when it is stored, where that is no format of torch's own."""
    while_running: Callable[[str], Context] = _NOTHING
    """What is switched on while a layer of the block runs, on a device."""
    update_runs_so_too: bool = True
    """Whether the same is switched on while the update is computed."""
    runs_on: tuple[str, ...] = ("cpu", "cuda")
    """The devices that have it, or on which it is emulated."""
    emulated_on: tuple[str, ...] = ()
    """The devices on which it is emulated."""

    @property
    def range(self) -> Format:
        """The format whose range A(C,x) is held in."""
        return self.inputs or self.activations

    @property
    def uniform(self) -> bool:
        """Whether the update and the layers are computed in one arithmetic."""
        return self.update == self.activations == self.weights and self.update_runs_so_too

    @property
    def casts(self) -> bool:
        """Whether what is switched on casts operands before an operator is called, as torch.autocast does."""
        return self.operands == self.activations

    @property
    def tokens(self) -> Format:
        """What a module that runs its own code is given: under torch.autocast its own format, as a user would give it."""
        return self.weights if self.casts else self.activations

    def update_context(self, device: str) -> Context:
        """What is switched on while the update is computed."""
        return self.while_running(device) if self.update_runs_so_too else nullcontext


def _plain(name: str) -> Mode:
    row = format_named(name)
    return Mode(name, row.title, row, row, row)


def _fp8(name: str) -> Mode:
    row = format_named(name)
    title, rounded = f"{row.title}: weights and layer inputs stored in it, summed in fp32", partial(_everywhere, partial(RoundedOperands, row))
    return Mode(name, title, FP32, row, FP32, operands=row, inputs=row, while_running=rounded, update_runs_so_too=False, emulated_on=("cpu", "cuda"))


def _reduced_mode(name: str) -> Mode:
    row = format_named(name)
    title = f"{row.title}, partial sums rounded to it"
    return Mode(f"{name}-reduced", title, row, row, row, while_running=partial(_reduced, name), emulated_on=("cpu",))


_fp32_weights = partial(Mode, activations=BF16, weights=FP32, update=FP32, update_runs_so_too=False)

MODES = (
    *map(_plain, ("fp64", "fp32", "bf16", "fp16")),
    Mode("tf32", "fp32, products from operands of 11 bits", FP32, FP32, FP32, operands=format_named("tf32"), while_running=_tf32, emulated_on=("cpu",)),
    Mode("fp32-ftz", "fp32, subnormal numbers flushed to zero", FP32, FP32, FP32, while_running=partial(_everywhere, _flushing), runs_on=("cpu",)),
    _reduced_mode("bf16"),
    _reduced_mode("fp16"),
    _fp32_weights(
        "bf16-autocast",
        "fp32 weights, dense layers under torch.autocast in bfloat16",
        operands=BF16,
        bias_is_an_operand=True,
        while_running=_autocast,
    ),
    _fp32_weights("bf16-fp32-weights", "fp32 weights, bfloat16 activations", while_running=partial(_everywhere, wide_weights), emulated_on=("cpu", "cuda")),
    _fp8("fp8-e4m3"),
    _fp8("fp8-e5m2"),
)


def modes_named(names: Sequence[str] | None = None) -> list[Mode]:
    """The modes of these names, or all. Raises UnknownFormat."""
    return chosen({mode.id: mode for mode in MODES}, names, "format", UnknownFormat)
