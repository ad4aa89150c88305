"""The patch against loops over Python floats, written from the formulas: ΔW, the bias, the scale, the matrix, the experts."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from numeric.operators.block import WatchedBlock
from numeric.operators.recording import Cases
from numeric.operators.updates import Mistake, absorber_changes, patched_with, weight_changes
from tests.numeric.operators.small_blocks import D, M, admitted, attended, rms

CASES = 2
U = torch.finfo(torch.float64).eps / 2


def both_sides(name: str) -> tuple[WatchedBlock, nn.Module, Tensor, Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """The block, its parameters, the streams s with and without the context, and what is added to the parameters."""
    block = admitted(name)
    drawn = torch.randn((CASES, 4, D), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    cases = Cases(drawn[:, :3].clone(), drawn[:, 3].clone(), torch.arange(4))
    kept = cases.without([1, 2])
    left, bare = block.double.record(cases), block.double.record(kept)
    streams = [(x + attended(x))[:, -1] for x in (drawn, drawn[:, [0, 3]])]
    update = weight_changes(block.double, block.anatomy, left, bare)
    return block, block.double.module, streams[0], streams[1], update, absorber_changes(block.double, block.anatomy, left, bare)


def by_loops(W: Tensor, z: Tensor, a: Tensor) -> list[list[float]]:
    """W(z - a)aᵀ/‖a‖², entry by entry."""
    size = math.fsum(x * x for x in a.tolist())
    moved = [math.fsum(w * (p - q) for w, p, q in zip(row, z.tolist(), a.tolist(), strict=True)) for row in W.tolist()]
    return [[v * x / size for x in a.tolist()] for v in moved]


def assert_near(found: Tensor, wanted: list[list[float]] | list[float], roundings: int) -> None:
    """Equal up to that many roundoffs of the largest entry; each formula below has fewer than its loops have terms."""
    expected = torch.tensor(wanted, dtype=torch.float64)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= roundings * U * float(expected.abs().max()) * 2**6


@pytest.mark.parametrize("name", ["gated", "sandwich norms, 1 + g", "an outer skip"])
def test_every_matrix_that_is_w_takes_equation_1(name: str) -> None:
    _, p, s, t, update, _ = both_sides(name)
    assert set(update) == {"gate", "up"}
    for case in range(CASES):
        for each in ("gate", "up"):
            assert_near(update[each][case].view(M, D), by_loops(p.get_parameter(each), rms(s[case]), rms(t[case])), 4 * D)


def test_of_a_fused_matrix_read_from_the_right_every_entry() -> None:
    _, p, s, t, update, _ = both_sides("functional calls, in place, fused")
    z, a = (torch.rms_norm(x, (D,)) for x in (s, t))
    for case in range(CASES):
        assert_near(update["w"][case].view(D, 2 * M).mT, by_loops(p.w.mT, z[case], a[case]), 4 * D)  # type: ignore[operator]


def test_a_bias_takes_what_the_stream_lacks() -> None:
    _, _, s, t, _, absorbed = both_sides("in place on the network's value")
    for case in range(CASES):
        assert_near(absorbed["c"][case], [(x - y) / 0.5 for x, y in zip(s[case].tolist(), t[case].tolist(), strict=True)], 4)


def test_a_subtracted_network_takes_its_negative_and_a_gate_of_the_query_divides() -> None:
    _, _, s, t, _, absorbed = both_sides("subtracted")
    assert_near(absorbed["c"], (t - s).tolist(), 4)
    _, _, s, t, _, absorbed = both_sides("gated by the query")
    query = torch.randn((CASES, 4, D), generator=torch.Generator().manual_seed(8), dtype=torch.float64)[:, 3]
    assert_near(
        absorbed["c"],
        [[(u - v) * (1 + math.exp(-x)) for u, v, x in zip(*rows, strict=True)] for rows in zip(s.tolist(), t.tolist(), query.tolist(), strict=True)],
        8,
    )


def test_several_sums_are_one_stream() -> None:
    """F stands in 0.5 (F + A) + x + 0.25 A: what lacks is 0.75 ΔA, and the bias takes twice as much."""
    drawn = torch.randn((CASES, 4, D), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    _, _, _, _, _, absorbed = both_sides("two sums, scaled")
    moved = attended(drawn)[:, -1] - attended(drawn[:, [0, 3]])[:, -1]
    assert_near(absorbed["c"], (1.5 * moved).tolist(), 8)


def hidden(p: nn.Module, z: list[float]) -> list[float]:
    """SiLU(W_g z) ⊙ W_u z."""
    gates, ups = ([math.fsum(w * x for w, x in zip(row, z, strict=True)) for row in p.get_parameter(name).tolist()] for name in ("gate", "up"))
    return [g / (1 + math.exp(-g)) * u for g, u in zip(gates, ups, strict=True)]


def test_a_matrix_takes_it_as_an_outer_product_and_a_scale_entry_by_entry() -> None:
    _, p, s, t, _, absorbed = both_sides("gated")
    for case in range(CASES):
        h = hidden(p, rms(s[case]).tolist())
        size = math.fsum(x * x for x in h)
        lacking = (s - t)[case].tolist()
        assert_near(absorbed["down"][case].view(D, M), [[d * x / size for x in h] for d in lacking], 4 * (D + M))
    _, p, s, t, _, absorbed = both_sides("sandwich norms, 1 + g")
    for case in range(CASES):
        h = hidden(p, rms(s[case]).tolist())
        out = [math.fsum(w * x for w, x in zip(row, h, strict=True)) for row in p.get_parameter("down").tolist()]
        root = math.sqrt(math.fsum(x * x for x in out) / D + 1e-5)
        assert_near(absorbed["g"][case], [d * root / x for d, x in zip((s - t)[case].tolist(), out, strict=True)], 4 * (D + M))


def test_the_chosen_experts_share_it_by_their_gates() -> None:
    """ΔP_e = γ_e δ h_eᵀ / Σ γ_e²‖h_e‖², and every expert's first matrix takes Eq. (1), chosen or not."""
    _, p, s, t, update, absorbed = both_sides("experts")
    parameters = dict(p.named_parameters())
    for case in range(CASES):
        z, a = rms(s[case]), rms(t[case])
        assert_near(update["r"][case].view(3, D), by_loops(parameters["r"], z, a), 4 * D)
        for expert in range(3):
            assert_near(update["w"][case].view(3, M, D)[expert], by_loops(parameters["w"][expert], z, a), 4 * D)
        gates = torch.softmax(parameters["r"] @ z, -1).tolist()
        chosen = sorted(range(3), key=lambda e: -gates[e])[:2]
        h = {e: (parameters["w"][e] @ z).clamp(min=0).tolist() for e in chosen}
        size = math.fsum(gates[e] ** 2 * x * x for e in chosen for x in h[e])
        for expert in range(3):
            shares = [gates[expert] * x / size for x in h[expert]] if expert in chosen else [0.0] * M
            found = absorbed["out"][case].view(3, D, M)[expert]
            if expert in chosen:
                assert_near(found, [[d * x for x in shares] for d in (s - t)[case].tolist()], 8 * (D + M))
            else:
                assert not found.any()


def test_a_parallel_block_has_no_update_and_one_without_a_stream_no_absorber() -> None:
    *_, update, absorbed = both_sides("parallel")
    assert update == {}
    assert set(absorbed) == {"c"}
    *_, absorbed = both_sides("no stream")
    assert absorbed == {}


def test_rows_of_one_parameter_leave_the_others_as_they_are() -> None:
    """A stream in front of the rows moves them; here z does not depend on the context, so the mistake of patching all would not show in the output."""
    block, *_ = both_sides("rows of one parameter")
    (weights,) = block.anatomy.weights
    assert sorted(weights.entries.flatten().tolist()) == list(range(D * D, D * (D + M)))


def test_changes_of_one_parameter_add_up() -> None:
    block, module, *_ = both_sides("gated")
    one = {"gate": torch.ones(CASES, M * D, dtype=torch.float64)}
    values = patched_with(block.double, CASES, one, one).values["gate"]
    assert torch.equal(values, module.get_parameter("gate").flatten() + 1 + 1 - torch.zeros(CASES, 1))


def test_mistakes_are_other_patches() -> None:
    right: Callable[..., object] = weight_changes
    block = admitted("gated")
    drawn = torch.randn((CASES, 4, D), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    cases = Cases(drawn[:, :3].clone(), drawn[:, 3].clone(), torch.arange(4))
    left, bare = block.double.record(cases), block.double.record(cases.without([0]))
    good, wrong = (right(block.double, block.anatomy, left, bare, mistake) for mistake in (None, Mistake.Z_FOR_A))
    assert all(not torch.equal(good[name], wrong[name]) for name in ("gate", "up"))  # type: ignore[index]
