"""Each block states which claims apply to it."""

from numeric.blocks import all_blocks
from symbolic.claims import claim_ids
from verify.plan.applicable_claims import DYNAMICS, OF_SOME_FORMS, claims_measured, claims_that_apply

APPLY = {block.id: claims_that_apply(block) for block in all_blocks()}


def test_they_are_claims() -> None:
    assert {claim for claims in APPLY.values() for claim in claims} | {"norm-scale"} == set(claim_ids()), "norm-scale has no block"
    assert set(claim_ids()) >= OF_SOME_FORMS | set(DYNAMICS)


def test_each_form_has_its_own() -> None:
    own = {block: [claim for claim in claims if claim in OF_SOME_FORMS] for block, claims in APPLY.items()}
    assert own == {
        **{block: [] for block in ("attention", "attention-one-head", "attention-residual", "rnn", "gru", "griffin", "selective-ssm")},
        "attention-skip": ["theorem-a.2"],
        "linear-attention": ["linear-attention"],
        "pre-ln": ["pre-ln"],
        "parallel": ["parallel"],
        "pre-ln-gated": ["gated", "bias-free-output"],
        "mixture-of-experts": ["mixture-of-experts"],
        "pre-ln-stack": ["pre-ln", "stack", "generation"],
    }


def test_of_a_parallel_block_nothing_about_its_first_layer() -> None:
    assert APPLY["parallel"] == ["parallel"]
    assert "theorem-2.2" in APPLY["pre-ln"]


def test_what_is_measured_applies() -> None:
    for block in all_blocks():
        assert claims_measured(block)
        assert set(claims_measured(block)) <= set(APPLY[block.id])
