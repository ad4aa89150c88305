"""Operands that lie in memory otherwise than torch makes them: other code runs on them, and the table of errors and the rules hold for that too."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.formats import format_named, torch_dtype
from numeric.machine import UnsupportedNumerics
from numeric.machine.environment_questions import SHARE
from numeric.machine.error_model import opmath_of
from numeric.machine.operands import CACHE_LINE, Operand
from numeric.rules import layouts, library_probe, probe_elementary
from numeric.rules.layouts import LAYOUTS, PLAIN, in_every_layout
from tests.numeric.arithmetics.rule_trials import nearest
from tests.numeric.formats.drawn_operands import NAMES, draw
from tests.numeric.rules.drawn_columns import CASES, MODULES, WIDTH, batch, carefully, flushed, honest, module_named, outcome, seeds

COPIES = SHARE // (CASES * WIDTH) + 1
"""So many of a batch that torch gives some to a second thread."""


@pytest.fixture
def _torchs_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe as it would be if it asked about operands as torch makes them, and no others."""
    monkeypatch.setattr(layouts, "LAYOUTS", {PLAIN: LAYOUTS[PLAIN]})


def _rough(x: Tensor, right: Tensor) -> Tensor:
    """The planted kernel: on entries that lie apart its results err in their last three bits, and else they are right."""
    return right if x.is_contiguous() else right * (1.0 + 2.0**-21)


def _rough_exponential(monkeypatch: pytest.MonkeyPatch) -> None:
    question = next(q for q in library_probe.QUESTIONS if q.name == "exp")
    monkeypatch.setattr(library_probe, "QUESTIONS", (replace(question, run=lambda x: _rough(x, question.run(x))),))


def _rough_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.SiLU, "forward", lambda self, x: _rough(x, nn.functional.silu(x)))


def test_a_function_that_errs_more_where_entries_lie_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _rough_exponential(monkeypatch)
    with pytest.raises(UnsupportedNumerics, match=r"exp of fp32 .* of operands that lie as slices of longer rows; the error model assumes 1"):
        probe_elementary(format_named("fp32"), widths=())


def test_a_module_that_errs_more_where_entries_lie_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _rough_module(monkeypatch)
    with pytest.raises(UnsupportedNumerics, match=r"SiLU of fp32 columns of 17 that lie as slices of longer rows erred"):
        probe_elementary(format_named("fp32"), widths=(WIDTH,))


@pytest.mark.usefixtures("_torchs_own_alone")
def test_neither_is_seen_on_operands_as_torch_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the other layouts are what refuses them."""
    _rough_exponential(monkeypatch)
    _rough_module(monkeypatch)
    assert probe_elementary(format_named("fp32"), widths=(WIDTH,))


def test_a_function_that_errs_more_in_short_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    question = next(q for q in library_probe.QUESTIONS if q.name == "tanh")
    rough = replace(question, run=lambda x: question.run(x) * (1.0 + 2.0**-21) if x.shape[-1] == 3 else question.run(x))
    monkeypatch.setattr(library_probe, "QUESTIONS", (rough,))
    with pytest.raises(UnsupportedNumerics, match="tanh"):
        probe_elementary(format_named("fp32"), widths=())


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (6, 9)])
def test_the_layouts_are_what_they_are_called(shape: tuple[int, int]) -> None:
    values = torch.arange(shape[0] * shape[1], dtype=torch.float32).reshape(shape)
    found = dict(in_every_layout(values, "cpu"))
    assert torch.equal(found.pop("as one row for all"), values[:1].expand(shape))
    assert torch.equal(found.pop("as one number a row"), values[:, :1].expand(shape))
    assert all(torch.equal(operands, values) for operands in found.values())
    if min(shape) > 1:
        apart = [words for words, operands in found.items() if not operands.is_contiguous()]
        assert apart == ["as slices of longer rows", "with every other entry left out", "column by column", "as slices of longer columns"]
        assert len({Operand.of(operands) for operands in found.values()}) == len(found), "two of them are one"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A layout of a batch of rows, and who computes on it."""

    by_column: bool
    gaps: tuple[int, int]
    """Entries of other tensors between neighbours, and between rows or columns."""
    first: int
    threads: int
    copies: int
    """How often the batch is there."""

    def lay(self, values: Tensor) -> Tensor:
        """(rows, width) numbers, so many copies of them, laid out so."""
        rows, width = self.copies * len(values), values.shape[1]
        inner = 1 + self.gaps[0]
        outer = inner * (rows if self.by_column else width) + self.gaps[1]
        strides = (inner, outer) if self.by_column else (outer, inner)
        dtype = str(values.dtype).removeprefix("torch.")
        return Operand(dtype, (rows, width), strides, self.first * values.dtype.itemsize).laid_out(values.repeat(self.copies, 1), "cpu")

    def run(self, module: nn.Module, operands: Tensor) -> Tensor:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            return module(operands)
        finally:
            torch.set_num_threads(before)


gaps = st.integers(0, 3)
drawn_layouts = st.builds(Drawn, st.booleans(), st.tuples(gaps, gaps), st.integers(0, 7), st.sampled_from([1, 2]), st.sampled_from([1, 1, COPIES]))


@carefully(56)
@given(st.sampled_from(MODULES), st.sampled_from(NAMES), seeds, drawn_layouts)
def test_a_module_keeps_within_its_rule_however_its_operands_lie(rule: str, name: str, seed: int, layout: Drawn) -> None:
    drawn = batch(rule, format_named(name), seed)
    operands = layout.lay(drawn.value.squeeze(-1))
    value = layout.run(module_named(rule, format_named(name), seed), operands)[-CASES:]
    found = outcome(rule, replace(drawn, value=operands[-CASES:].unsqueeze(-1)), honest(name), seed, value=value.unsqueeze(-1))
    assert not found.violations[:3]
    assert found.compared > 0


@pytest.mark.parametrize("rule", MODULES)
def test_flushing_is_covered_however_operands_lie(rule: str) -> None:
    """fp32 with flushing switched on, at operands about the smallest normal number; an activation's rule that ignores it is caught in each layout."""
    storage, numerics = format_named("fp32"), honest("fp32")
    drawn = batch(rule, storage, 3, spread="none", where=(storage.min_exponent - 23, storage.min_exponent + 2))
    module, ignored = module_named(rule, storage, 3), []
    for words, operands in in_every_layout(drawn.value.squeeze(-1), "cpu"):
        if 0 in operands.stride():
            continue
        with flushed():
            value = module(operands).unsqueeze(-1)
        held = replace(drawn, value=operands.unsqueeze(-1))
        assert not outcome(rule, held, replace(numerics, elementwise_flushes=True, running=flushed), 3, value=value).violations[:3]
        if not outcome(rule, held, numerics, 3, value=value).violations:
            ignored.append(words)
    assert not ignored or rule in ("softmax", "layer-norm", "rms-norm"), "in these ε, or e^0, hides what is flushed"


@pytest.mark.parametrize("rule", ["gelu-tanh", "silu"])
def test_a_module_that_errs_more_where_entries_lie_apart_leaves_its_rule(rule: str) -> None:
    """The planted one, of which the comparison above would have to tell."""
    layout = Drawn(by_column=False, gaps=(1, 0), first=0, threads=1, copies=1)
    drawn = batch(rule, format_named("fp32"), 0, spread="none")
    operands = layout.lay(drawn.value.squeeze(-1))
    value = _rough(operands, module_named(rule, format_named("fp32"), 0)(operands))
    assert outcome(rule, drawn, honest("fp32"), 0, value=value.unsqueeze(-1)).violations


OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"sum": torch.add, "difference": torch.sub, "product": torch.mul, "quotient": torch.div}
EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "sum": Fraction.__add__,
    "difference": Fraction.__sub__,
    "product": Fraction.__mul__,
    "quotient": Fraction.__truediv__,
}


def misrounded(computed: Tensor, exact: Sequence[Fraction | None], name: str) -> Iterator[tuple[float, float]]:
    """Results other than the exact one rounded to the format of computation and then to storage, subnormal ones included, but for those beyond Ω; and that."""
    storage = format_named(name)
    for got, q in zip(computed.flatten().tolist(), exact, strict=True):
        if q is not None and abs(q) < storage.largest:
            right = nearest(nearest(q, opmath_of(storage)), storage)
            if got != right:
                yield got, float(right)


def _fractions(x: Tensor) -> list[Fraction]:
    return [Fraction(t) for t in x.flatten().tolist()]


@carefully(32)
@given(st.sampled_from(sorted(OPERATIONS)), st.sampled_from(NAMES), seeds, drawn_layouts, drawn_layouts)
def test_single_numbers_are_computed_alike_however_they_lie(operation: str, name: str, seed: int, one: Drawn, other: Drawn) -> None:
    """Rounded once in the format of computation, and subnormal numbers kept: what the rules take for granted of sums, products and quotients."""
    drawn = draw(format_named(name), seed)
    x = drawn.numbers((CASES, WIDTH))
    y = drawn.beside(x) if seed % 2 else drawn.numbers((CASES, WIDTH))
    pairs = zip(_fractions(x), _fractions(y), strict=True)
    exact = [None if operation == "quotient" and b == 0 else EXACT[operation](a, b) for a, b in pairs]
    other = replace(other, copies=one.copies)
    before = torch.get_num_threads()
    torch.set_num_threads(one.threads)
    try:
        computed = OPERATIONS[operation](one.lay(x), other.lay(y))[-CASES:]
    finally:
        torch.set_num_threads(before)
    assert not list(misrounded(computed, exact, name))[:3]


@carefully(16)
@given(st.sampled_from(NAMES), st.sampled_from(NAMES), seeds, drawn_layouts)
def test_numbers_are_converted_alike_however_they_lie(name: str, target: str, seed: int, layout: Drawn) -> None:
    x = draw(format_named(name), seed).numbers((CASES, WIDTH))
    computed = layout.lay(x).to(torch_dtype(format_named(target)))[-CASES:]
    assert not list(misrounded(computed, _fractions(x), target))[:3]


def test_a_product_that_flushes_where_numbers_lie_apart_is_noticed() -> None:
    """The planted one."""
    x = torch.full((4, 3), 2.0**-127)
    y = torch.full((4, 6), 0.5)[:, ::2]
    exact = [Fraction(2) ** -128] * 12
    assert not list(misrounded(x * y, exact, "fp32"))
    product = x * y
    flushed = product if y.is_contiguous() else torch.where(product.abs() < torch.finfo(torch.float32).tiny, 0.0, product)
    assert list(misrounded(flushed, exact, "fp32")) == [(0.0, 2.0**-128)] * 12


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16"])
@pytest.mark.parametrize("words", LAYOUTS)
def test_a_layout_has_the_strides_and_the_place_that_it_says(words: str, name: str) -> None:
    """Its numbers are the rows, but where one stands for others; its first entry lies as many entries, and not bytes, behind a cache line."""
    rows, width = 3, 5
    values = torch.arange(1.0, rows * width + 1).reshape(rows, width).to(torch_dtype(format_named(name)))
    strides, first = LAYOUTS[words](rows, width)
    found = layouts.laid_out(values, LAYOUTS[words], "cpu")
    assert found.stride() == strides
    assert found.data_ptr() % CACHE_LINE == first * values.element_size()
    assert torch.equal(found, values[:1].expand(rows, width) if strides[0] == 0 else values[:, :1].expand(rows, width) if strides[1] == 0 else values)
