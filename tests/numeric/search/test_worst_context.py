"""The search for the worst context: it comes further than random contexts do, and past a bound that lacks a rounding which they do not miss."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from numeric.arithmetics.value_and_radius import dense_layer, from_module
from numeric.cells import Cell
from numeric.cells.replay import replayed
from numeric.formats import modes_named
from numeric.machine import BATCH, ProbedMode
from numeric.machine.kernels import DENSE, PATCHED_WEIGHT, SHARED_PRODUCT, KernelAt
from numeric.machine.summation_tree import ADD, PUSH
from numeric.search import Best, Budget, Found, bench, save_search, saved_search, search, search_file, shrink, worst_context
from numeric.search.readable_context import KEPT, Simplicity, in_words, simplest
from numeric.search.search_file import DamagedSearch, SearchNotKept, place_of
from numeric.search.surrogate import surrogate
from numeric.search.worst_context import STARTS, TOKENS, ascend
from numeric.sides import Batch, in_format, measure_sides, one_side
from numeric.sides.variant import VARIANTS
from numeric.training import TrainedBlock
from symbolic.vocabulary import Verdict


@pytest.fixture(scope="module")
def cells(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> dict[str, Cell]:
    return {name: bench(blocks["attention"], VARIANTS[0], machine[name]) for name in ("fp32", "bf16")}


SEARCHED = ["fp32", pytest.param("bf16", marks=pytest.mark.soak)]


class OnDemand(dict[str, Any]):
    """What is made when it is asked for."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Any:
        self[name] = self._make(name)
        return self[name]


@pytest.fixture(scope="module")
def history(cells: dict[str, Cell]) -> dict[str, list[Found]]:
    """What is known after each of six batches."""

    def told(name: str) -> list[Found]:
        rows: list[Found] = []
        assert search(cells[name], Budget(6 * BATCH), 0, progress=rows.append) is rows[-1]
        return rows

    return OnDemand(told)


@pytest.fixture(scope="module")
def found(history: dict[str, list[Found]]) -> dict[str, Found]:
    return OnDemand(lambda name: history[name][-1])


@pytest.mark.parametrize("name", SEARCHED)
def test_the_search_uses_up_most_of_what_random_contexts_leave_of_the_bound(name: str, found: dict[str, Found]) -> None:
    """Twice as far as random is out of reach where they come to half; half of the rest is what a search that searches takes."""
    row = found[name]
    assert row.evaluations == 6 * BATCH
    assert not row.violated
    assert 0 < row.random.ratio < row.best.ratio < 1
    assert (row.best.ratio - row.random.ratio) / (1 - row.random.ratio) > 0.5


@pytest.mark.parametrize("name", SEARCHED)
def test_the_worst_context_is_a_witness_that_comes_out_again(name: str, found: dict[str, Found]) -> None:
    row = found[name]
    assert row.best.witness is not None
    again = replayed(row.best.witness)
    assert again.reproduces
    assert again.verdict == Verdict.HOLDS
    assert again.ratio == row.best.ratio
    assert again.certificate is not None
    assert again.certificate.inside


def test_a_search_is_determined_by_its_seed_and_its_cases(cells: dict[str, Cell], history: dict[str, list[Found]]) -> None:
    """A longer search begins as a shorter one; numpy's own random numbers are neither used nor touched."""
    before = np.random.get_state()[1].copy()
    same = search(cells["fp32"], Budget(2 * BATCH), 0)
    assert np.array_equal(before, np.random.get_state()[1])
    for stage in ("random", "ascent", "evolution"):
        one, other = getattr(history["fp32"][1], stage), getattr(same, stage)
        assert one.ratio == other.ratio > 0
        assert torch.equal(one.tokens, other.tokens)


def test_a_budget_in_seconds_ends_a_search_after_a_batch(cells: dict[str, Cell], history: dict[str, list[Found]]) -> None:
    row = search(cells["fp32"], Budget(10**9, 0.0), 1)
    assert row.evaluations == BATCH
    assert row.ascent.ratio != history["fp32"][0].ascent.ratio, "another seed, another search"
    assert row.random.ratio != history["fp32"][0].random.ratio


def test_a_bound_that_is_too_small_is_found_where_random_contexts_do_not_find_it(cells: dict[str, Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    """A radius of the dense layers that lies between what random contexts take of the sound one, and what the search takes of it, on this machine."""
    sound = search(cells["fp32"], Budget(BATCH), 0)
    share = math.sqrt(sound.random.ratio * sound.best.ratio)
    assert share < 1

    def too_small(*operands, **options):
        result = dense_layer(*operands, **options)
        return from_module(result.value, result.entry_radius * share, result)

    monkeypatch.setattr(one_side, "dense_layer", too_small)
    row = search(cells["fp32"], Budget(BATCH), 0)
    assert row.random.ratio < 1
    assert row.best.ratio > 1
    assert row.violated > 0
    assert row.best.witness.facts.verdict == Verdict.VIOLATED
    simple = shrink(cells["fp32"], row, 0)
    assert simple.best.ratio > 1, "a violation that was made simple is one still"
    assert 0 < simple.violated <= simple.tried, "what is tried on the way is judged, too"
    assert simple.worst.ratio >= simple.best.ratio


def test_the_ascent_climbs_the_surrogate(cells: dict[str, Cell]) -> None:
    cell = cells["fp32"]
    passed = ascend(cell, 0).float()
    assert passed.shape == (BATCH, TOKENS + 1, cell.block.input_width)
    with torch.no_grad():
        layer = cell.block.contextual
        height = surrogate(cell.block, cell.probed)(layer(passed[:, :-1], passed[:, -1]), layer(None, passed[:, -1])).amax(-1)
    assert bool((height[-STARTS:] > height[:STARTS]).all())


def test_the_surrogate_is_what_a_plain_loop_adds_up(cells: dict[str, Cell]) -> None:
    """One entry of one case in fp32, rounding by rounding, along the order in which each kernel adds."""
    cell = cells["fp32"]
    W, b, orders = cell.block.first.weight.double(), cell.block.first.bias.double(), cell.probed.layer.orders
    m, d = W.shape
    z, a = torch.randn(2, 1, d, generator=torch.Generator().manual_seed(5)).double()

    def of_sum(order, terms: list[float]) -> list[float]:
        stack, sums = [], []
        for op, leaf in order.program:
            if op == PUSH:
                stack.append(terms[leaf])
                continue
            stack[-1] += terms[leaf] if op == ADD else 0.0
            if op != ADD:
                top = stack.pop()
                stack[-1] += top
            sums.append(stack[-1])
        return sums + ([] if order.fused else terms[:d] + terms[d:])

    i, row = 7, W[7].tolist()
    zs, kept = z[0].tolist(), a[0].tolist()
    moved = [w * (x - y) for w, x, y in zip(row, zs, kept, strict=True)]
    v, s = sum(moved), sum(y * y for y in kept)
    update = [v * y * y / s for y in kept]
    patched = [w * y + u for w, y, u in zip(row, kept, update, strict=True)]
    roundings = of_sum(orders[KernelAt(DENSE, m, d)], [w * x for w, x in zip(row, zs, strict=True)] + [float(b[i])])
    roundings += of_sum(orders[KernelAt(PATCHED_WEIGHT, m, d)], [*patched, float(b[i])])
    roundings += moved + of_sum(orders[KernelAt(SHARED_PRODUCT, m, d)], moved)
    roundings += [v * part for part in of_sum(orders[KernelAt("inner product", 1, d)], [y * y / s for y in kept])]
    roundings += update + update + patched
    expected = math.sqrt(math.fsum(w * w for w in roundings)) / math.fsum(map(abs, roundings))
    got = float(surrogate(cell.block, cell.probed)(z.float(), a.float())[0, i].exp())
    assert math.isclose(got, expected, rel_tol=2.0**-24 * len(roundings))


def test_the_surrogate_ranks_entries_as_the_expected_bound_does(cells: dict[str, Cell]) -> None:
    """Another arithmetic, of variances, says how large an error is to be expected; ρ knows the order to which it comes in units of the bound."""
    cell = cells["fp32"]
    context, query = (x.double() for x in cell.subject.model.tokens(BATCH, torch.Generator().manual_seed(1)))
    both = measure_sides(cell.block, in_format(cell.block, Batch(context, None, query), cell.probed), cell.variant, cell.probed)
    likely = both.expected / both.bound
    guessed = surrogate(cell.block, cell.probed)(both.z, both.a)
    top = guessed.flatten() >= guessed.flatten().quantile(0.9)
    assert float(likely.flatten()[top].quantile(0.1)) > float(likely.flatten()[~top].quantile(0.9))


# What is kept for the next search.


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(search_file, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_the_next_search_starts_from_what_was_found(cells: dict[str, Cell], found: dict[str, Found], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, first = cells["fp32"], found["fp32"]
    assert saved_search(cell) is None
    save_search(first, cell)
    before = saved_search(cell)
    monkeypatch.setattr(worst_context, "ascend", lambda *_: pytest.fail("it was climbed before"))
    more = search(cell, Budget(BATCH), 1, before=before)
    assert more.evaluations == first.evaluations + BATCH
    assert (more.ascent.ratio, more.random.ratio) >= (first.ascent.ratio, first.random.ratio)
    assert more.best.ratio >= first.best.ratio
    assert saved_search(cells["bf16"]) is None, "each format has a file of its own"


def test_a_ratio_that_was_kept_is_not_believed(cells: dict[str, Cell], found: dict[str, Found], cache: Path) -> None:
    """What a bound of yesterday made of a context says nothing of today's."""
    lying = replace(found["fp32"], evolution=Best(0.999, found["fp32"].random.tokens))
    save_search(lying, cells["fp32"])
    assert search(cells["fp32"], Budget(BATCH), 1, before=saved_search(cells["fp32"])).evolution.ratio < 0.999


@pytest.mark.parametrize(
    "damage", [lambda x: x[:100], lambda x: x[:-3] + b"\0\1\2", lambda x: b"", lambda x: x.replace(b'"evaluations\\": 3', b'"evaluations\\": 4')]
)
def test_a_damaged_file_is_named_and_left_out(damage: Callable[[bytes], bytes], cells: dict[str, Cell], found: dict[str, Found], cache: Path) -> None:
    cell = cells["fp32"]
    save_search(found["fp32"], cell)
    content = place_of(cell).read_bytes()
    assert damage(content) != content
    place_of(cell).write_bytes(damage(content))
    with pytest.warns(DamagedSearch, match=place_of(cell).name):
        assert saved_search(cell) is None


def test_contexts_of_another_width_are_refused(cells: dict[str, Cell], cache: Path) -> None:
    save_search(Found(BATCH, Best(), Best(), Best(0.5, torch.ones(2, 3, dtype=torch.float64))), cells["fp32"])
    with pytest.warns(DamagedSearch, match="no tokens of width 32"):
        assert saved_search(cells["fp32"]) is None


def test_a_cache_that_cannot_be_written_is_a_warning(cells: dict[str, Cell], found: dict[str, Found], cache: Path) -> None:
    cache.write_text("a file, not a folder")
    with pytest.warns(SearchNotKept, match="cannot be kept"):
        save_search(found["fp32"], cells["fp32"])


# Made simple.


@pytest.mark.parametrize("name", SEARCHED)
def test_the_worst_context_is_made_simple(name: str, cells: dict[str, Cell], found: dict[str, Found]) -> None:
    row, cell = found[name], cells[name]
    simple = shrink(cell, row, 0)
    assert simple.simple is not None
    assert simple.violated == 0
    assert simple.best.ratio > KEPT * row.best.ratio
    assert simple.simple.tokens == TOKENS
    assert simple.simple.entries <= 4
    entries = simple.best.tokens[simple.best.tokens != 0]
    assert len(entries) <= (TOKENS + 1) * simple.simple.entries
    significand, _ = torch.frexp(entries)
    scaled = significand * 2.0**simple.simple.bits
    assert torch.equal(scaled, scaled.round()), "no entry has more bits than are said"
    assert simple.best.witness is not None
    assert replayed(simple.best.witness).ratio == simple.best.ratio


def test_the_simplest_is_found_and_no_simpler_one() -> None:
    """A measure that wants two tokens, three entries of each and two bits: 3/4 is one of them, and a power of two is not enough."""
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(4, 8, generator=generator, dtype=torch.float64)

    def measure(tokens: Tensor) -> tuple[Best, int]:
        significand = torch.frexp(tokens).mantissa.abs()
        wanted = (tokens.shape[1] >= 3) & ((tokens != 0).sum(-1) >= 3).all(-1) & (significand == 0.75).any(-1).any(-1)
        place = int(wanted.double().argmax())
        return Best(1.0 if bool(wanted[place]) else 0.25, tokens[place]), int(wanted.sum())

    got = simplest(measure, Best(1.0, whole), 24, 0, batches=200)
    assert got.simple == Simplicity(2, 3, 2)
    assert got.worst.ratio == got.best.ratio == 1.0


def test_what_cannot_be_made_simple_is_not_and_what_was_tried_is_judged_all_the_same() -> None:
    """Batches in which two cases each are violated, and none has the ratio that is wanted."""
    got = simplest(lambda tokens: (Best(0.5, tokens[0]), 2), Best(1.0, torch.ones(2, 4, dtype=torch.float64)), 24, 0, batches=5)
    assert got.simple is None
    assert got.worst.ratio == 0.5
    assert got.violated * BATCH == 2 * got.tried > 0


def test_a_context_in_words() -> None:
    tokens = torch.zeros(3, 6, dtype=torch.float64)
    tokens[0, 2], tokens[0, 5], tokens[2, 0], tokens[2, 1] = 3 / 8, -1 / 1024, 6.0, -(2.0**20)
    assert in_words(tokens) == "c₁: 3·2⁻³ at 2, -2⁻¹⁰ at 5; c₂: 0; x: 6 at 0, -2²⁰ at 1"


def test_every_mode_of_a_cpu_has_a_surrogate(blocks: dict[str, TrainedBlock], machine: dict[str, ProbedMode]) -> None:
    """Finite, with a gradient that is, and at most 1: as if one rounding were all there is."""
    z, a = (torch.randn(5, 32, generator=torch.Generator().manual_seed(seed), requires_grad=True) for seed in (0, 1))
    for mode in modes_named(None):
        if "cpu" not in mode.runs_on:
            continue
        cell = bench(blocks["attention"], VARIANTS[0], machine[mode.id])
        with torch.enable_grad():
            rho = surrogate(cell.block, machine[mode.id])(z, a)
            (gradient,) = torch.autograd.grad(rho.sum(), a)
        assert bool((torch.isfinite(rho) & (rho <= 2.0**-20)).all()), mode.id
        assert bool(torch.isfinite(gradient).all()), mode.id
