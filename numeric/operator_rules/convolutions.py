"""The row of convolutions of every dimension, with groups, strides and dilations, transposed or not: sums of k products, one for each entry of the result.

    (|x̂| + r_x) ∗ r_w + r_x ∗ |ŵ| + r_b + γ'_{k+1}(|x̂| ∗ |ŵ| + |b̂|) + ω(ẑ)

∗ is the convolution itself, over what is known of its operands; γ' is that of the format in which the kernel adds, in any order: Higham §3.1, (4.4). The sum
may be stored before the bias is added: u|Σ| more where the storage is narrower, and a unit of underflow.

**Which kernel.** torch names it (``_select_conv_backend``). Those that multiply and add have this row: oneDNN's direct one, which adds bf16 products in fp32,
and ATen's own, which may store any partial sum in 16 bits (fp16 ones are seen to). Others have none: NNPACK's and the like may add and subtract before they
multiply (Winograd's transforms). oneDNN's products of bf16 numbers may take what is subnormal for zero, operands too.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from numeric.arithmetics import outward
from numeric.arithmetics.roundoff import gamma, rounding_error
from numeric.operator_rules.call import Bounded, Entries, OperatorCall
from numeric.operator_rules.doubts import Doubt, joint_doubts, marked
from numeric.operator_rules.norms import nothing

ADDS_WIDE = "Mkldnn"
DIRECT = (ADDS_WIDE, "Slow2d", "Slow3d", "SlowDilated2d", "SlowDilated3d", "SlowTranspose2d", "SlowTranspose3d")
"""The backends that multiply and add, and which of them adds 16-bit products in the format of computation."""
_PLACES = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")


def convolution(call: OperatorCall) -> list[Bounded]:
    """convolution: x ∗ w + b."""
    if call.result.numel() == 0:
        return [nothing(call.result)]
    backend = str(torch._C._select_conv_backend(call.tensor("input"), call.tensor("weight"), call.given["bias"], *(call.given[name] for name in _PLACES)))
    kind = backend.rsplit(".", 1)[-1]
    if call.result.device.type != "cpu" or kind not in DIRECT:
        raise call.refuse(f"by {backend}")
    return [_bounded(call, call.entries("input"), call.entries("weight"), None if call.given["bias"] is None else call.entries("bias"), wide=kind == ADDS_WIDE)]


def _bounded(call: OperatorCall, x: Entries, w: Entries, bias: Entries | None, *, wide: bool) -> Bounded:
    n, shape = call.model, call.result.shape
    channels = w.value.shape[1] if not call.given["transposed"] else w.value.shape[0] // int(call.number("groups"))
    k = channels * math.prod(w.value.shape[2:])
    column = (-1, *(1 for _ in w.value.shape[2:]))

    def convolved(a: Tensor, b: Tensor) -> Tensor:
        made = torch.ops.aten.convolution(a.contiguous(), b.contiguous(), None, *(call.given[name] for name in _PLACES))
        return outward(made, k + 1)

    of_bias, bias_radius = (0.0, 0.0) if bias is None else (bias.size.reshape(column), bias.radius.reshape(column))
    terms = outward(convolved(x.size, w.size) + of_bias, 1)
    inherited = outward(convolved(x.above, w.radius) + convolved(x.radius, w.size) + bias_radius, 2)
    u, unit = (n.opmath.unit_roundoff, n.opmath.half_subnormal) if wide else (n.elementwise_roundoff, n.elementwise_underflow)
    own = outward(gamma(k + 1, u) * terms, 1) + (k + 1) * unit
    if n.flushing or n.elementwise_flushes or (n.opmath != n.storage and n.storage.smallest_normal <= n.opmath.smallest_normal):
        small, ones = n.opmath.smallest_normal, torch.ones_like
        read = convolved(x.above, ones(w.size)) * small + convolved(ones(x.size), outward(w.above + small, 1)) * small  # operands, and what they lose
        own = outward(own + read + (2 * k + 2) * small, 3)
    if n.opmath != n.storage:
        apart = 0.0 if bias is None else outward((call.result.double().abs() + of_bias) * (2.0 * n.storage.unit_roundoff), 2) + n.storage.half_subnormal
        own = outward(own + rounding_error(call.result, n, once=True) + apart + n.storage.half_subnormal, 3)
    passes = ~(outward(terms + own, 1) < n.storage.largest)
    return call.within(outward(inherited + own, 2), passes, _doubts(call, x, w, convolved), None if bias is None else _along_channels(bias, column, shape))


def _along_channels(bias: Entries, column: tuple[int, ...], shape: torch.Size) -> Tensor | None:
    return None if bias.doubts is None else bias.doubts.reshape(column).expand(shape)


def _doubts(call: OperatorCall, x: Entries, w: Entries, convolved: Callable[[Tensor, Tensor], Tensor]) -> Tensor | None:
    """An entry has the doubts of all that its sum reads."""
    found: list[Tensor | None] = []
    for doubt in Doubt:
        for mine, other, turned in ((x, w, False), (w, x, True)):
            if mine.doubts is not None and bool((mine.doubts & int(doubt)).any()):
                where, ones = ((mine.doubts & int(doubt)) != 0).double(), torch.ones_like(other.value)
                found.append(marked(convolved(ones, where) > 0.5 if turned else convolved(where, ones) > 0.5, doubt))
    return joint_doubts(found, call.result.shape)
