"""The bound's own test: the arithmetic arrives by itself at the inequality that was derived by hand, and the truth is inside.

The hand-written inequality is to first order, with the error model in which a dense layer rounds Wa + b once:

    |ŷ_L - y| ≤ γ_{d+1}(|W||ẑ| + |b|) + u|ŷ_L|
    |ŷ_R - y| ≤ u|W||δ̂| + γ_d|W||δ̂| + u|v̂| + |v̂|(γ_d + 4u) + u(|W||â| + |v̂|) + γ_{d+1}(|W||â| + |v̂| + |b|) + u|ŷ_R|
"""

import pytest
import torch
from torch import Tensor

from numeric.arithmetics import ball, exact, hazards
from numeric.arithmetics.roundoff import gamma
from numeric.arithmetics.value_and_radius import dense_layer
from numeric.formats import Format, modes_named, torch_dtype
from numeric.machine import ErrorModel, probe
from numeric.sides.certificate import Enclosure, ExactLayer, Operands, certify
from numeric.sides.variant import VARIANTS
from symbolic import formulas
from tests.numeric.formats.drawn_operands import NATIVE
from tests.numeric.measuring import with_bias_apart

D, M = 3, 2
FORMULA = VARIANTS[0]


@pytest.fixture(scope="module", params=NATIVE, ids=lambda row: row.name)
def machine(request: pytest.FixtureRequest) -> tuple[Format, ErrorModel]:
    return request.param, probe(modes_named([request.param.name])[0], shapes=((M, D),)).layer


class OneCase:
    """A random case at d = 3, m = 2, run in the arithmetic; and the hand-written inequality for it."""

    def __init__(self, storage: Format, numerics: ErrorModel, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(torch_dtype(storage))

        self.W, self.b, self.z, self.a = draw(M, D), draw(M, 1), draw(1, D, 1), draw(1, D, 1)
        found = hazards(1)
        W, b, z, a = (exact(x, numerics, found) for x in (self.W, self.b, self.z, self.a))
        delta = formulas.context_vector(z, a)
        patched = formulas.patched_weight(W, FORMULA.update(W, delta, a))
        self.y_left = torch.nn.functional.linear(self.z.squeeze(-1), self.W, self.b.squeeze(-1)).unsqueeze(-1)
        self.y_right = patched.value @ self.a + self.b
        self.left = dense_layer(with_bias_apart(W, False), b, z, self.y_left).radius.dense(M, 1)
        self.right = dense_layer(with_bias_apart(patched, False), b, a, self.y_right).radius.dense(M, 1)
        self.right_apart = dense_layer(with_bias_apart(patched, True), b, a, self.y_right).radius.dense(M, 1)
        assert not found.overflow.any()
        assert not found.underflow.any()

        u, acc = storage.unit_roundoff, numerics.accumulation.unit_roundoff
        absW, absb = self.W.double().abs(), self.b.double().abs()
        absdelta, absv = delta.value.double().abs(), (W @ delta).value.double().abs()
        Wd, Wa, Wz = absW @ absdelta, absW @ self.a.double().abs(), absW @ self.z.double().abs()
        self.hand_left = gamma(D + 1, acc) * (Wz + absb) + u * self.y_left.double().abs()
        of_update = u * Wd + gamma(D, acc) * Wd + u * absv + absv * (gamma(D, acc) + 4 * u) + u * (Wa + absv)
        self.hand_right = of_update + gamma(D + 1, acc) * (Wa + absv + absb) + u * self.y_right.double().abs()


@pytest.mark.parametrize("seed", range(8))
def test_the_radius_is_at_most_a_tenth_above_the_inequality_by_hand(seed: int, machine: tuple[Format, ErrorModel]) -> None:
    case = OneCase(*machine, seed)
    assert bool((case.left <= 1.1 * case.hand_left).all())
    assert bool((case.right <= 1.1 * case.hand_right).all())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("machine", [row for row in NATIVE if row.significand_bits < 24], indirect=True, ids=lambda row: row.name)
def test_a_rounding_before_the_bias_adds_its_own_term_and_no_more(seed: int, machine: tuple[Format, ErrorModel]) -> None:
    """Where a kernel stores Wa before it adds b, one more u|fl(Wa)| ≤ u(|ŷ_R|(1+u) + |b|) belongs to the inequality.

    Asked of the formats with a wider accumulator: without one, the sum with the bias is one of the additions that γ_{d+1} already counts.
    """
    storage, _ = machine
    case = OneCase(*machine, seed)
    u = storage.unit_roundoff
    extra = u * (case.y_right.double().abs() * (1 + u) + case.b.double().abs())
    assert bool((case.right_apart > case.right).all())
    assert bool((case.right_apart <= 1.1 * (case.hand_right + extra)).all())


@pytest.mark.parametrize("seed", range(8))
def test_the_ball_reference_finds_the_true_error_inside(seed: int, machine: tuple[Format, ErrorModel]) -> None:
    case = OneCase(*machine, seed)

    def column(x: Tensor) -> list[float]:
        return x.double().flatten().tolist()

    layer = ExactLayer(ball(case.W.double().tolist()), ball([[x] for x in column(case.b)]))
    right_radius = case.right_apart if machine[1].opmath != machine[0] else case.right
    operands, right = Operands(*map(column, (case.z, case.a, case.a))), Enclosure(column(case.y_right), column(right_radius))
    found = certify(layer, operands, FORMULA, Enclosure(column(case.y_left), column(case.left)), right)
    assert found.inside
    assert max(found.left, found.right) > 0
    # The planted negative: radii smaller than the error that was certified cannot contain it.
    half = [min(found.left, r) / 2 for r in column(case.left)]
    if found.left > 0:
        assert not certify(layer, operands, FORMULA, Enclosure(column(case.y_left), half), right).inside
