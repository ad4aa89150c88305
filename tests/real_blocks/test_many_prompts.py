"""Layers in our own words on a few dozen prompts: what the analysis measures is what a loop over cases with a patch that is written by hand gives."""

import pytest
import torch

from numeric import ContextualBlock
from numeric.operators.block import WatchedBlock
from numeric.operators.many_cases import PromptBatch, measure_prompts
from numeric.operators.updates import Mistake
from symbolic import formulas
from tests.real_blocks import own_words
from tests.real_blocks.by_hand import with_parameters
from tests.real_blocks.cases import agree, apart, drawn, module_of
from tests.real_blocks.real_block import RealBlock
from tests.real_blocks.test_patched_by_hand import Case, patches

CASES, LENGTH, REMOVED = 24, 5, (0, 2)
SHARE = 2.0**-7
"""By how much more than ΔW the wrong update is."""


def by_hand(real: RealBlock, with_context: Case, without: Case) -> tuple[float, float]:
    """By how much the patched block differs with the wrong update, and with nothing patched."""
    module = module_of(real)
    first, _, absorber = patches(real, with_context, without)
    output = real.call(module, *with_context)
    assert agree(with_parameters(real, module, first | absorber, *without), output)
    wrong = {name: W + SHARE * (W - module.get_parameter(name)) for name, W in first.items()}
    return apart(with_parameters(real, module, wrong | absorber, *without), output), apart(real.call(module, *without), output)


@pytest.mark.soak
@pytest.mark.parametrize("real", own_words.BLOCKS, ids=str)
def test_a_layer_is_equal_on_every_prompt_and_a_wrong_update_is_off_by_what_hand_and_loop_give(real: RealBlock) -> None:
    block = WatchedBlock.of(ContextualBlock.of(real.build(), real.call, real.w))
    context, query = drawn(CASES, length=LENGTH)
    batches = [PromptBatch(context[rows], query[rows], REMOVED) for rows in (slice(13), slice(13, None))]
    right = measure_prompts(block, batches)
    assert (right.cases, right.refused, right.unequal) == (CASES, 0, 0)
    assert all(2 * noticed >= tried == CASES for noticed, tried in right.planted.values())
    wrong = measure_prompts(block, batches, lambda W, delta, a: (1 + SHARE) * formulas.rank_one_update(W, delta, a))
    kept = [token for token in range(LENGTH) if token not in REMOVED]
    positions = torch.arange(LENGTH + 1)
    found = [
        by_hand(real, (context[[at]], query[[at]], positions), (context[at : at + 1, kept], query[[at]], positions[[*kept, LENGTH]])) for at in range(CASES)
    ]
    assert right.planted[Mistake.NOTHING] == (CASES, CASES)
    assert min(nothing for _, nothing in found) > 2.0**-26
    if not real.reads_context:
        assert wrong.unequal == 0
        return
    off = max(off for off, _ in found)
    assert wrong.unequal == CASES
    assert abs(wrong.off - off) <= 2.0**-30 * off
