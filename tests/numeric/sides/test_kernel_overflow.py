"""A norm inside the network whose sum of squares overflows on one side of the claim and not on the other: refused, and never VIOLATED.

W and b are so large that the first layer's outputs lie about √Ω, where 8x² passes Ω in some cases. What is left is finite: x/√∞ = 0.
"""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock
from numeric.formats import modes_named
from numeric.machine import probe
from numeric.rules import normalisation
from numeric.sides import Batch, Judged, block_in_format, in_format, judge, measure_sides, variants_named
from numeric.sides.judging import Reason
from symbolic.vocabulary import Verdict

D, M, CASES = 16, 8, 2048
(FORMULA,) = variants_named(["formula"])


class Average(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(D, D, bias=False)

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        asked = query.unsqueeze(1)
        return self.map((asked if context is None else torch.cat([context, asked], dim=1)).mean(dim=1))


def judged(norm: nn.Module, name: str, scale: float) -> Judged:
    """Random prompts through a block whose first layer is 2^62 times as large as usual, times a scale."""
    torch.manual_seed(0)
    first = nn.Linear(D, M)
    with torch.no_grad():
        first.weight.mul_(0.25 * scale * 2.0**62)
        first.bias.fill_(scale * 2.0**62.51)
    block = ContextualBlock(Average(), nn.Sequential(first, norm, nn.Linear(M, 4)), "0", input_width=D).requires_grad_(False)
    probed = probe(modes_named([name])[0], shapes=((4, M), (M, D)), first=((M, D),))
    cases = Batch(torch.randn(CASES, 6, D, dtype=torch.float64), None, torch.randn(CASES, D, dtype=torch.float64))
    block = block_in_format(block, probed)
    return judge(measure_sides(block, in_format(block, cases, probed), FORMULA, probed))


@pytest.mark.parametrize("name", ["fp32", "bf16"])
@pytest.mark.parametrize("norm", [nn.RMSNorm(M, eps=1e-6), nn.LayerNorm(M)], ids=["rms-norm", "layer-norm"])
def test_an_overflow_inside_a_norm_is_refused(norm: nn.Module, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what lies far below is judged. The planted negative: where an overflow cannot hide, right updates are VIOLATED."""
    found = judged(norm, name, 1.0)
    assert not (found.verdict == Verdict.VIOLATED.value).any()
    reasons = Counter(found.reason)
    assert reasons[Reason.KERNEL_OVERFLOW.value] > 0
    assert not found.well_inside[found.reason == Reason.KERNEL_OVERFLOW.value].any(), "a kernel's range limit is one"
    below = judged(norm, name, 2.0**-8)
    assert set(below.reason) == {""}
    assert not (below.verdict == Verdict.VIOLATED.value).any()
    if isinstance(norm, nn.RMSNorm) and name == "bf16":  # in fp32 both sides lie too near to each other, and overflow alike
        real = normalisation.foretell_overflow
        monkeypatch.setattr(normalisation, "foretell_overflow", lambda found, largest, storage, *, hides=False: real(found, largest, storage))
        assert (judged(norm, name, 1.0).verdict == Verdict.VIOLATED.value).any()
