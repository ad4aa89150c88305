"""What a library changes in a process while something is measured: noticed at the end, reported, and put back."""

import ctypes
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.cells import variant_of
from numeric.experiments.near_zero_sweep import Attended, sweep
from numeric.formats import modes_named
from numeric.machine import UnsupportedNumerics, probe, questions
from numeric.machine.environment_questions import SWITCHES, ChangedArithmetic, arithmetic_now, plain_switches, undisturbed
from numeric.sides import block_in_format
from numeric.user_blocks import own_block, transfers
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import Average, D, block, measured
from verify.engine.jobs import make_row, probe_mode

UPWARD, DOWNWARD, TO_ZERO = 0x800, 0x400, 0xC00
"""Of the C libraries of x86; on ARM other modes have these numbers, and the questions there are the same."""


def rounding(mode: int) -> None:
    ctypes.CDLL(None).fesetround(mode)


def flushing() -> None:
    torch.set_flush_denormal(True)


DISTURBANCES: dict[str, tuple[Callable[[], object], str]] = {
    "upward": (lambda: rounding(UPWARD), "fp64, fp32.* are not rounded to nearest"),
    "downward": (lambda: rounding(DOWNWARD), "fp64, fp32.* are not rounded to nearest"),
    "towards zero": (lambda: rounding(TO_ZERO), "fp64, fp32.* are not rounded to nearest"),
    "flushing": (flushing, "subnormal numbers of fp64, fp32.* are flushed to zero"),
    "bf16 products": (lambda: torch.set_float32_matmul_precision("medium"), "the precision of fp32 products is"),
    "tf32 products": (lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True), "the precision of fp32 products is"),
    "autocast": (lambda: torch.set_autocast_enabled("cpu", True), "autocast on a CPU is True and was False"),
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), "the default dtype is torch.float64"),
    "deterministic algorithms": (lambda: torch.use_deterministic_algorithms(True), "the demand for deterministic algorithms is True"),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), "the number of threads is"),
    "oneDNN": (lambda: setattr(torch.backends.mkldnn, "enabled", False), "the use of oneDNN is False"),
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """A test that fails must not spoil the next."""
    before = {switch.name: switch.read() for switch in SWITCHES}
    yield
    rounding(0)
    torch.set_flush_denormal(False)
    for switch in SWITCHES:
        switch.write(before[switch.name])


class Disturbing(Average):
    """Changes something from one of its calls in a format on, as a library might when it is first used."""

    def __init__(self, change: Callable[[], object], after: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.change, self.left, self.dtype = change, after, dtype

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        found = super().forward(context, query)
        self.left -= query.dtype == self.dtype
        if self.left < 0:
            self.change()
        return found

    def __deepcopy__(self, memo: object) -> "Disturbing":
        """As modules are copied, but for the function."""
        other = Disturbing(self.change, self.left, self.dtype)
        other.load_state_dict(self.state_dict())
        return other.to(next(self.parameters()).dtype)


def plain_now() -> bool:
    now = arithmetic_now("cpu")
    return not now.misrounded and not now.flushed


def test_a_process_that_nobody_disturbed_is_plain() -> None:
    assert plain_now()
    with undisturbed() as ask:
        ask()
        assert torch.ones(2) + 2.0**-30 == pytest.approx(1.0, abs=0)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_change_is_noticed_and_put_back(name: str) -> None:
    change, words = DISTURBANCES[name]
    before = arithmetic_now("cpu")
    with pytest.raises(ChangedArithmetic, match=words), undisturbed():
        change()
    assert arithmetic_now("cpu") == before


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_change_is_put_back_where_the_measurement_breaks(name: str) -> None:
    """What broke may have broken of it, and stands as the cause; the next measurement begins as this one did."""
    before = arithmetic_now("cpu")

    def breaking() -> None:
        with undisturbed():
            DISTURBANCES[name][0]()
            raise ZeroDivisionError

    with pytest.raises(ChangedArithmetic) as changed:
        breaking()
    assert isinstance(changed.value.__cause__, ZeroDivisionError)
    assert arithmetic_now("cpu") == before


def test_what_breaks_in_an_undisturbed_process_breaks_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), undisturbed():
        raise ZeroDivisionError


@pytest.mark.parametrize("change", [lambda: rounding(UPWARD), flushing], ids=["upward", "flushing"])
def test_nothing_is_measured_in_a_process_that_is_changed_already(change: Callable[[], None]) -> None:
    change()
    with pytest.raises(ChangedArithmetic, match="before anything was measured"), undisturbed():
        pytest.fail("it is not begun")


def test_threads_are_asked_each() -> None:
    """With two threads an operation of many numbers is shared, and each has a rounding mode of its own."""
    torch.set_num_threads(2)
    assert plain_now()
    rounding(UPWARD)
    assert "fp32" in arithmetic_now("cpu").misrounded


@pytest.mark.parametrize("name", ["upward", "flushing", "bf16 products", "threads"])
def test_a_cell_in_which_a_library_changes_it_late_is_an_error(name: str) -> None:
    """Upward rounding was HOLDS, and late flushing VIOLATED with ratio 0."""
    change, words = DISTURBANCES[name]
    with pytest.raises(ChangedArithmetic, match=words):
        measured("formula", block(Disturbing(change, 3)))
    assert plain_now()
    assert measured("formula", block()).verdict is Verdict.HOLDS, "the next cell in this process is not spoiled"


def test_a_library_that_would_change_it_later_is_measured() -> None:
    """The control."""
    assert measured("formula", block(Disturbing(lambda: rounding(UPWARD), 10_000))).verdict is Verdict.HOLDS


@pytest.mark.parametrize("name", ["upward", "flushing"])
def test_a_block_that_changes_it_at_once_is_refused(name: str) -> None:
    change, words = DISTURBANCES[name]
    with pytest.raises(UnusableBlock, match=f"{words}|not deterministic"):  # the second time it is rounded otherwise
        own_block("mine", block(Disturbing(change, 0, torch.float32)))
    assert plain_now()


def test_prompts_in_one_format_are_an_error_and_the_other_formats_are_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    made = block(Disturbing(lambda: rounding(UPWARD), 1))
    rows = transfers(made, torch.randn(2, 3, D, generator=generator), torch.randn(2, D, generator=generator), formats=["fp64", "fp32"])
    assert [row.verdict for row in rows] == [Verdict.ERROR, Verdict.HOLDS]
    assert "are not rounded to nearest" in rows[0].reason


@pytest.mark.parametrize("name", ["upward", "flushing"])
def test_a_sweep_is_an_error(name: str) -> None:
    change, words = DISTURBANCES[name]
    subject = own_block("mine", block(Disturbing(change, 5)))
    (mode,) = modes_named(["fp64"])
    probed = probe(mode, shapes=((6, 4), (4, 6)), first=((6, 4),))
    attended = Attended(subject, block_in_format(subject.model.block, probed), probed, 0)
    with pytest.raises(ChangedArithmetic, match=words):
        sweep(attended, variant_of(subject, "scaled"))
    assert plain_now()


def test_an_experiment_is_an_error() -> None:
    with pytest.raises(ChangedArithmetic, match="are not rounded to nearest"):
        make_row(rounding, "cpu", (UPWARD,))  # type: ignore[arg-type]  # it gives no row
    assert plain_now()


def test_a_machine_that_rounds_upward_is_not_asked() -> None:
    (mode,) = modes_named(["fp64"])
    rounding(UPWARD)
    with pytest.raises(UnsupportedNumerics, match="in fp64 the machine cannot be asked"):
        probe_mode(mode, {"shapes": ((4, 4),), "first": ((4, 4),), "bare": ()}, "cpu", 8, ())


def test_a_comparison_that_flushes_is_not_what_is_asked() -> None:
    """Bits are compared: under flushing 4η == 0, and a comparison of numbers would find nothing."""
    flushing()
    assert not bool((torch.full((64,), 4, dtype=torch.int64).view(torch.float64) != 0.0).any())
    assert "fp64" in arithmetic_now("cpu").flushed
    torch.set_flush_denormal(False)
    assert not questions.elementwise_flushes(modes_named(["fp64"])[0].activations, "cpu")


@pytest.mark.parametrize("word", ["medium", "high"])
def test_plain_switches_are_put_back(word: str) -> None:
    torch.set_float32_matmul_precision(word)
    before = {switch.name: switch.read() for switch in SWITCHES}
    with torch.autocast("cpu", dtype=torch.bfloat16), plain_switches():
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.is_autocast_enabled("cpu")
    assert {switch.name: switch.read() for switch in SWITCHES} == before


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_no_compiler_starts_under_plain_switches() -> None:
    """And it starts outside of them."""

    def compiler(graph: object, operands: object) -> None:
        raise AssertionError("a compiler starts")

    compiled, x = torch.compile(lambda x: x + 1, backend=compiler), torch.zeros(2)
    with plain_switches():
        assert torch.equal(compiled(x), x + 1)
    with pytest.raises(Exception, match="a compiler starts"):
        compiled(x)


def test_precision_that_is_set_by_the_newer_names_is_put_back() -> None:
    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("this torch knows the older name alone")
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]
    before = {switch.name: switch.read() for switch in SWITCHES}
    with plain_switches():
        assert torch.get_float32_matmul_precision() == "highest"
    assert {switch.name: switch.read() for switch in SWITCHES} == before
