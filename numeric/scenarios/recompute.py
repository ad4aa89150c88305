"""The update is made from one A(C∖Y,x), and the patched pass computes another: by another kernel, in batches of another size.

That is what a deployed patch meets. â + ε in place of â moves the patched layer by (WΔA)(aᵀε)/‖a‖² + Wε, exactly (claim
``perturbed-query``); the measured error is what is left once that has been taken away.

Both kernels round the same sums in another way, so ‖ε‖ is some roundoffs of what is summed. To see it grow against ‖a‖,
what is kept of the context is half of its tokens and their negatives: the attention has no biases, so A(C∖Y,x) goes to
zero with the query, which is scaled down in steps, while the tokens and with them ε stay as large as they are.
"""

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.architecture import Block, ContextualBlock
from numeric.cells import Scenario, Subject, drawn
from numeric.formats import Format, Mode
from numeric.machine import ProbedMode
from numeric.sides import Batch
from numeric.sides.passes import attend

SERVED = 7
"""Cases that the update's â is computed for at once: the size of a small service's batch, and no power of two."""

LEVELS = 16
"""Scales of the query, from 1 down to about the format's roundoff."""


def _draw(subject: Subject, storage: Format, cases: int, generator: torch.Generator) -> Batch:
    context, query = drawn(subject, cases, generator)
    half = context[:, : context.shape[1] // 2]
    mirrored = torch.cat([half, -half], dim=1)
    order = torch.rand(mirrored.shape[:2], generator=generator).argsort(-1).unsqueeze(-1)  # so that no sum cancels term by term
    kept = mirrored.gather(1, order.expand_as(mirrored))
    levels = torch.linspace(0, storage.significand_bits, LEVELS, dtype=torch.float64).round()
    scale = torch.exp2(-levels[torch.arange(cases) % LEVELS])
    return Batch(torch.cat([kept, context], dim=1), kept, query * scale.unsqueeze(-1))


def _attend(block: ContextualBlock, cases: Batch, probed: ProbedMode) -> Tensor:
    assert cases.kept is not None
    served = zip(cases.kept.split(SERVED), cases.query.split(SERVED), strict=True)
    with sdpa_kernel(SDPBackend.MATH):  # the patched pass takes a fused one, where torch has it
        return torch.cat([attend(block, kept, query, probed) for kept, query in served])


def _refuses(block: Block, mode: Mode) -> str | None:
    return None if block.cancels else "tokens and their negatives do not cancel in A(C∖Y,x), so what another kernel moves stays below the bound"


SCENARIO = Scenario(
    "recompute", "A(C∖Y,x) computed anew by another kernel, and cancelling", "perturbed-query", _draw, attend=_attend, one_claim=True, refuses=_refuses
)
