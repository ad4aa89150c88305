"""The whole block as its library computes it, next to the block that was rebuilt from its parts: in float64 both must be the same function.

Nothing else shows that what was rebuilt is the block: a bias that is left out, another activation or a scale that is missing leaves every claim true, of
another block. Both run on the same tokens, with a context and without one, operator by operator in float64, wherever their code casts.

What is allowed, as in ``numeric/operators/double_check.py``: each pass has at most n roundings one after the other, each of at most u relative to an operand
that the output depends on with the condition number κ; so (n + n′)uκ of the output. n is counted from the shapes. κ is measured: by how much an output
moves when every entry that any operator reads is moved by a relative 2⁻³⁰, each in its own direction. It is no bound, but counts roundings as if they all
went the same way. The planted negative: the block without its context must be further from the whole block with it than that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, UnusableBlock
from numeric.architecture.compiled import written_throughout
from numeric.operators import MATRIX_PRODUCTS, Execution, tensors_in
from numeric.operators.double_check import DRAWS, NUDGE, in_series
from numeric.operators.double_precision import SHORTER, in_double
from numeric.operators.walk import Walk, operators_apart
from numeric.user_blocks.user_code import contained, error_in_words

Whole = Callable[[Tensor | None, Tensor], Tensor]
"""``whole(context, query)``: context (batch, n, d_in) or None, query (batch, d_in); returns the block's output (batch, d_out)."""


class _InDouble(Walk):
    """Executes every operator in float64, and counts its roundings.  moved_by: draws the directions in which every operand is moved; None moves nothing."""

    def __init__(self, moved_by: torch.Generator | None = None) -> None:
        super().__init__()
        self.moved_by = moved_by
        self.roundings = 0

    def execute(self, step: Execution) -> Any:
        """Views are looks at what is there: neither widened nor moved, so that what is written through them arrives."""
        if any(result.alias_info for result in step.operator._schema.returns) and not step.written:
            return step.operator(*step.args, **step.kwargs)
        read = {index: x for index, x in step.tensors if not any(x is each for each in step.written)}
        step = step.replaced({index: self._moved(x.double() if x.dtype in SHORTER else x) for index, x in read.items()})
        if step.kwargs.get("dtype") in SHORTER:
            step = Execution(step.place, step.operator, step.args, {**step.kwargs, "dtype": torch.float64})
        result = step.operator(*step.args, **step.kwargs)
        results = [each for each in tensors_in(result) if each.is_floating_point()]
        operands = [x for _, x in step.tensors if x.is_floating_point()]
        if results and operands:
            self.roundings += in_series(step.operator in MATRIX_PRODUCTS, operands, results)
        return result

    def _moved(self, x: Tensor) -> Tensor:
        if self.moved_by is None or x.dtype != torch.float64:
            return x
        signs = torch.randint(0, 2, x.shape, generator=self.moved_by).double() * 2 - 1
        return x * (1 + NUDGE * signs)


@dataclass(frozen=True, slots=True)
class Compared:
    """How far the rebuilt block is from the whole one on some tokens; numbers are of the largest entry of a case's output."""

    off: float
    allowed: float


def refuse_another_block(block: ContextualBlock, whole: Whole, tokens: tuple[Tensor, Tensor], more: tuple[Tensor, Tensor]) -> None:
    """Raise UnusableBlock unless the block computes what ``whole`` does.  tokens: context (batch, n, d_in) and query (batch, d_in).

    more: many others, of which as many are looked at as closely: those in which the two are farthest from each other, for they may differ in few.
    """
    rebuilt = in_double(block)
    if isinstance(whole, nn.Module):
        whole = in_double(written_throughout(whole)).eval()
    _compare_on(rebuilt, whole, *(x.double() for x in tokens))
    context, query = (x.double() for x in more)
    outputs = [_run(function, context, query, _InDouble(), "the block or whole(context, query) on more contexts") for function in (rebuilt, whole)]
    farthest = (outputs[0] - outputs[1]).abs().amax(-1).argsort(descending=True)[: len(tokens[1])]
    _compare_on(rebuilt, whole, context[farthest], query[farthest])


def _compare_on(rebuilt: Whole, whole: Whole, context: Tensor, query: Tensor) -> None:
    parts = (("a context", context), ("every other token of it", context[:, ::2]), ("one token of it", context[:, :1]), ("no context (None)", None))
    for words, tokens in parts:
        found = _compared(rebuilt, whole, tokens, query, words)
        if not found.off <= found.allowed:
            raise UnusableBlock(
                f"the block is not the whole one: on {words} its output differs from whole(context, query) by {found.off:.1e} of its size in float64, where "
                f"{found.allowed:.1e} is allowed; a bias, a scale, a residual or another activation is missing, or differs."
            )
        if tokens is not None:
            without, with_context = _run(rebuilt, None, query, _InDouble(), "the block"), _run(whole, tokens, query, _InDouble(), "whole(context, query)")
            if not _distance(without, with_context) > found.allowed:
                raise UnusableBlock(
                    f"whole(context, query) cannot be told from the block without its context: {found.allowed:.1e} of the output is roundoff, more than the "
                    "context does."
                )


def _compared(block: Whole, whole: Whole, tokens: Tensor | None, query: Tensor, words: str) -> Compared:
    outputs, roundings, condition = [], 0, 1.0
    for function, name in ((block, "the block"), (whole, "whole(context, query)")):
        walk = _InDouble()
        output = _run(function, tokens, query, walk, f"{name} on {words}")
        if not torch.equal(output, _run(function, tokens, query, _InDouble(), name)):
            raise UnusableBlock(f"{name} is not deterministic: the same tokens gave another result the second time; call eval() on its modules.")
        outputs.append(output)
        roundings += walk.roundings
        for draw in range(DRAWS):
            moved = _run(function, tokens, query, _InDouble(torch.Generator().manual_seed(draw)), name)
            condition = max(condition, _distance(moved, output) / NUDGE)
    return Compared(_distance(*outputs), roundings * torch.finfo(torch.float64).eps / 2 * condition)


def _run(function: Whole, tokens: Tensor | None, query: Tensor, walk: Walk, words: str) -> Tensor:
    """The output in float64.  words: what is run, for the reader of a refusal."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # what is created without a dtype
    try:
        with contained(), operators_apart(), walk:
            output = function(None if tokens is None else tokens.clone(), query.clone())
    except Exception as error:
        raise UnusableBlock(
            f"{words} fails in float64: {error_in_words(error)}; whole(context, query) is given (batch, n, d_in) or None, and (batch, d_in): write it as an "
            "nn.Module, whose weights can be cast."
        ) from error
    finally:
        torch.set_default_dtype(default)
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != len(query) or not output.is_floating_point():
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UnusableBlock(f"{words} returned {shape}; the output of the query alone is asked for, ({len(query)}, d_out).")
    if not bool(torch.isfinite(output).all()):
        raise UnusableBlock(f"{words} returned a NaN or an infinity.")
    return output.double()


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference of a case, of the largest entry of its output; infinite where the widths differ."""
    if one.shape != other.shape:
        return torch.inf
    off = (one - other).abs().amax(-1)
    return float(torch.where(off == 0, 0.0, off / other.abs().amax(-1)).max())
