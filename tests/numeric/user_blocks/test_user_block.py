"""What is taken in is measured like any other block, with its own update."""

import pytest
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.cells import variant_of
from numeric.sides.variant import OWN, UnknownVariant
from numeric.user_blocks import own_block
from symbolic.vocabulary import Verdict
from tests.numeric.user_blocks.sample_blocks import EXPERTS, Average, D, M, SwiGlu, TwoExperts, block, measured


@pytest.mark.parametrize(
    "made",
    [
        block(),
        block(skip=True),
        block(net=nn.Sequential(nn.Linear(D, M, bias=False), nn.Dropout(), nn.Linear(M, D))),
        block(net=nn.Sequential(nn.Linear(D, M))),
        block(net=SwiGlu(), first=["gate", "up"]),
        block(net=SwiGlu(bias=True), first=["up", "gate"], norm=nn.LayerNorm(D)),
        block(net=SwiGlu(), first=["gate", "up"], norm=nn.RMSNorm(D, elementwise_affine=False)),
        block(norm=nn.Identity()),
        block(norm=nn.LayerNorm(D), parallel=True, net=nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Linear(M, D, bias=False))),
        block(net=TwoExperts(), first=EXPERTS),
        block(net=TwoExperts(), first=EXPERTS, norm=nn.LayerNorm(D)),
    ],
)
def test_what_they_apply_to_holds(made: ContextualBlock) -> None:
    """The control of the refusals."""
    assert measured("formula", made).verdict is Verdict.HOLDS


def test_a_parallel_block_with_dropout_has_a_planted_wrong_update() -> None:
    layers = nn.Sequential(nn.Linear(D, M), nn.GELU(), nn.Dropout(), nn.Linear(M, D, bias=False))
    assert measured("formula", block(net=layers, norm=nn.LayerNorm(D), parallel=True)).wrong_caught > 64


@pytest.mark.parametrize("made", [block(), block(norm=nn.LayerNorm(D))])
def test_a_block_bears_its_factorys_name(made: ContextualBlock) -> None:
    """And not that of a part of it, which every block of one's own would share."""
    assert own_block("mine.py:make_block", made).block.id == "mine.py:make_block"


@pytest.mark.parametrize(("bias", "homogeneous"), [(False, True), (True, False)])
def test_whether_the_query_scales_the_layer_is_found_out(bias: bool, homogeneous: bool) -> None:
    layer = Average()
    layer.map = nn.Linear(D, D, bias=bias)
    assert own_block("mine", block(layer)).block.homogeneous is homogeneous


def test_an_own_variant_without_an_update_is_told() -> None:
    with pytest.raises(UnknownVariant, match=r"the file has no function update\(W, delta, a\)"):
        variant_of(own_block("mine", block()), OWN)


def test_a_plain_function_is_a_contextual_layer() -> None:
    def average(context: Tensor | None, query: Tensor) -> Tensor:
        return query if context is None else (query + context.sum(dim=1)) / (1 + context.shape[1])

    assert measured("formula", block(average)).verdict is Verdict.HOLDS


def formula(W, delta, a):
    return (W @ delta) @ a.mT / (a.mT @ a)


FOR_TENSORS_ALONE = {
    "forgets ‖a‖²": lambda W, delta, a: (W @ delta) @ a.mT,
    "stores ΔW in bf16": lambda W, delta, a: formula(W, delta, a).bfloat16(),
    "adds an ε": lambda W, delta, a: (W @ delta) @ a.mT / (a.mT @ a + 1e-6),
    "is of the first case": lambda W, delta, a: formula(W, delta, a)[:1].expand(len(a), -1, -1) if a.dim() == 3 else formula(W, delta, a),
}


@pytest.mark.parametrize("what", FOR_TENSORS_ALONE)
def test_what_an_own_update_does_with_tensors_is_what_is_measured(what: str) -> None:
    """Tensors are what is deployed; over values with radii and over balls each of these is the formula."""
    wrong = measured(OWN, block(), lambda W, delta, a: (FOR_TENSORS_ALONE[what] if isinstance(W, Tensor) else formula)(W, delta, a))
    assert wrong.verdict is Verdict.VIOLATED
    assert wrong.counts[Verdict.VIOLATED] > 100


def test_the_formula_as_an_own_update_gives_the_same_bits() -> None:
    own, ours = measured(OWN, block(), formula), measured("formula", block())
    assert own.verdict is ours.verdict is Verdict.HOLDS
    assert (own.judged.error == ours.judged.error).all()
    assert (own.judged.ratio == ours.judged.ratio).all()


def test_an_own_update_is_judged() -> None:
    right = measured(OWN, block(), lambda W, delta, a: (W @ delta) @ a.mT / (a.mT @ a))
    assert right.verdict is Verdict.HOLDS
    with_epsilon = measured(OWN, block(), lambda W, delta, a: (W @ delta) @ a.mT / (a.mT @ a + 1e-6))
    assert with_epsilon.verdict is Verdict.VIOLATED
    of_the_context = measured(OWN, block(), lambda W, delta, a: (W @ delta) @ (a + delta).mT / ((a + delta).mT @ (a + delta)))
    assert of_the_context.verdict is Verdict.VIOLATED
