"""Asking the machine how wrong its elementary functions are, and whether its activations keep to their rules.

Every function is evaluated on operands drawn over the format's whole range and on crafted ones (subnormal numbers, neighbours of powers of
two and of the places where e^x leaves the range, numbers near Ω), in one long tensor, for the vectorised body of a kernel, and in short
ones, for its scalar tail; and compared with balls. What exceeds the table (``library_errors.py``) is refused. Activations are run as the
modules that a block holds, at its widths, and each result has to lie within the radius of its rule.

What a probe has seen it has seen on its operands; that the library errs no more elsewhere stays an assumption.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from flint import arb, ctx
from torch import Tensor, nn

from numeric.arithmetics import exact, hazards
from numeric.arithmetics.balls import BITS
from numeric.formats import Format, torch_dtype
from numeric.machine import FP64, ErrorModel, UnsupportedNumerics
from numeric.machine.error_model import opmath_of
from numeric.machine.probing import Answer
from numeric.rules import reference as reference
from numeric.rules.library_errors import elementary_error
from numeric.rules.table import rule_for

BODY = 1536
"""Random operands of a long tensor."""
TAILS = (1, 2, 3, 5, 7, 9, 15, 17, 31, 33)
"""Lengths of short tensors: about the widths of SIMD registers."""
WIDTHS = (3, 32, 33)
COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Question:
    """An elementary function to ask about."""

    name: str
    run: Callable[[Tensor], Tensor]
    truth: Callable[[arb], arb]
    window: Callable[[Format], tuple[float, float]]
    """Where it is asked, given the format of computation: a window of moderate operands, beside the whole range."""
    positive: bool = False
    """Whether it is defined for x > 0 only."""


def _log_range(opmath: Format) -> tuple[float, float]:
    """Where e^x is a finite number of the format, subnormal ones included."""
    return math.log(2.0) * (opmath.min_exponent - opmath.significand_bits), math.log(2.0) * (opmath.max_exponent + 1)


QUESTIONS = (
    Question("exp", torch.exp, lambda x: x.exp(), _log_range),
    Question("erf", torch.erf, lambda x: x.erf(), lambda opmath: (-7.0, 7.0)),
    Question("tanh", torch.tanh, lambda x: x.tanh(), lambda opmath: (-25.0, 25.0)),
    Question("sqrt", torch.sqrt, lambda x: x.sqrt(), lambda opmath: (0.0, 4.0), positive=True),
    Question("rsqrt", torch.rsqrt, lambda x: 1 / x.sqrt(), lambda opmath: (0.0, 4.0), positive=True),
    # Further left e^{-x} overflows and the result is zero: a matter of SiLU's rule, and not of ulps.
    Question("sigmoid", torch.sigmoid, reference.sigmoid, lambda opmath: (1.0 - _log_range(opmath)[1], 40.0)),
)


def probe_elementary(storage: Format, device: str = "cpu", *, widths: Sequence[int] = WIDTHS, seed: int = 0) -> tuple[Answer, ...]:
    """Ask the machine about every elementary function and activation in a format.

    widths: the lengths of the columns that activations will see. Raises UnsupportedNumerics where an error is larger than assumed.
    """
    saved, ctx.prec = ctx.prec, BITS
    try:
        functions = [_ask(question, storage, device, seed) for question in QUESTIONS]
        if storage != FP64.storage:  # the functions of which radii are made
            functions += [_ask(question, FP64.storage, device, seed) for question in QUESTIONS if question.name in ("exp", "sqrt")]
        return (*functions, *(_ask_module(module, width, storage, device, seed) for width in widths for module in _modules(width, seed)))
    finally:
        ctx.prec = saved


def plain_numerics(storage: Format, device: str) -> ErrorModel:
    """The arithmetic of elementwise kernels that keep subnormal numbers."""
    opmath = opmath_of(storage)
    return ErrorModel(storage, opmath, opmath, frozenset(), False, False, False, device)


def operands(storage: Format, window: tuple[float, float], seed: int, *, positive: bool = False) -> Tensor:
    """Random and crafted numbers of a format, as it holds them: in a window, over the whole range, and where something ends."""
    generator = torch.Generator().manual_seed(seed)
    low, high = window

    def uniform() -> Tensor:
        return torch.rand(BODY // 3, generator=generator, dtype=torch.float64)

    inside = low + (high - low) * uniform()
    exponents = storage.min_exponent - storage.significand_bits + uniform() * (storage.max_exponent - storage.min_exponent + storage.significand_bits)
    anywhere = torch.ldexp(1.0 + uniform(), exponents.floor().int()) * torch.where(uniform() < 0.5, -1.0, 1.0)
    small = torch.ldexp(1.0 + uniform(), -(2 * storage.significand_bits * uniform()).floor().int())
    powers = torch.tensor([2.0**e * (1.0 + k * 2.0 * storage.unit_roundoff) for e in (-1, 0, 1, 2) for k in (-1, 0, 1)], dtype=torch.float64)
    eta, normal, omega = storage.smallest_subnormal, storage.smallest_normal, storage.largest
    ends = torch.tensor([eta, 3 * eta, normal - eta, normal, omega, omega / 2, -low or 1.0, high, 0.0], dtype=torch.float64)
    x = torch.cat([inside, anywhere, small, powers, -powers, ends, -ends])
    x = x.clamp(-omega, omega).to(torch_dtype(storage))
    x = x.abs()[x != 0] if positive else x
    return x[torch.isfinite(x)]


def _ask(question: Question, storage: Format, device: str, seed: int) -> Answer:
    """The largest error of one function, in units in the last place of the format of computation, or of storage where that is narrower."""
    opmath = opmath_of(storage)
    row = elementary_error(question.name, device, storage.name)
    assumed, one = row.ulps, 2.0 * opmath.unit_roundoff
    window = question.window(opmath)
    x = operands(storage, window, seed, positive=question.positive)
    if question.name == "sigmoid":
        x = x[x.double() >= window[0]]
    narrow = storage != opmath and not row.in_storage
    pairs = list(_run(question.run, x, device))
    worst, excess, where = 0.0, 0.0, 0.0
    for operand, value in pairs:
        truth = question.truth(arb(operand))
        # Infinity is right if the exact value, wrong by as much as assumed, may round to it.
        if math.isinf(value) and float(abs(truth).upper()) * (1.0 + 4.0 * assumed * opmath.unit_roundoff) >= storage.largest:
            continue
        error = float(abs(arb(value) - truth).upper()) if math.isfinite(value) else math.inf
        own = ulp(truth, storage)
        allowed = assumed * (one if row.of_one else ulp(truth, storage if row.in_storage else opmath)) + (own / 2 if narrow else 0.0)
        unit = max(own, one) if row.of_one else own
        if error / unit > worst:
            worst, where = error / unit, operand
        excess = max(excess, error / allowed)
    if excess > 1.0:
        raise UnsupportedNumerics(
            f"on {device} {question.name} of {storage.name} numbers erred by {worst:.4g} ulps, at x = {where!r}; the error model assumes {assumed:g}"
            f"{' and one rounding' if narrow else ''}. Correct its row in numeric/rules/library_errors.py, or use another build of the library."
        )
    of = " of 1" if row.of_one else ""
    said = (
        f"{worst:.3f} ulps"
        + (f" of {storage.name}, one rounding included; assumed: {assumed:g} of {opmath.name}" if narrow else f"; assumed: {assumed:g}")
        + of
    )
    return Answer(f"{storage.name}/{question.name}", f"How far is {question.name} of {len(pairs)} {storage.name} numbers from the exact value?", said)


def ulp(y: arb, target: Format) -> float:
    """ulp(y) = max(2u·ufp(y), η), of the binade in which y's midpoint lies."""
    middle = abs(y).mid()
    if middle == 0:
        return target.smallest_subnormal
    exponent = int(middle.man_exp()[0].bit_length() + middle.man_exp()[1]) - 1
    return 2.0 ** max(exponent - target.significand_bits + 1, target.min_exponent - target.significand_bits + 1)


def _run(run: Callable[[Tensor], Tensor], x: Tensor, device: str) -> Iterator[tuple[float, float]]:
    """Operands with their results: all in one tensor, and some again in short ones."""
    yield from zip(x.tolist(), run(x.to(device)).cpu().tolist(), strict=True)
    shuffled = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(len(x)))]
    start = 0
    for length in TAILS * 3:
        part = shuffled[start : start + length].clone()
        start += length
        yield from zip(part.tolist(), run(part.to(device)).cpu().tolist(), strict=True)


def _modules(width: int, seed: int) -> list[nn.Module]:
    generator = torch.Generator().manual_seed(seed)
    layer, rms = nn.LayerNorm(width), nn.RMSNorm(width)
    for parameter in (layer.weight, layer.bias, rms.weight):
        parameter.data.copy_(torch.randn(width, generator=generator))
    return [nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Softmax(dim=-1), layer, rms]


def module_truth(module: nn.Module, column: Sequence[arb], computing: Format) -> list[arb]:
    """What a module's function is of one column.  computing: the format of computation, for RMSNorm's own ε."""
    if isinstance(module, nn.Softmax):
        return reference.softmax(column)
    if isinstance(module, nn.LayerNorm):
        return reference.layer_norm(column, module.weight.tolist(), module.bias.tolist(), module.eps)
    if isinstance(module, nn.RMSNorm):
        return reference.rms_norm(column, module.weight.tolist(), 2.0 * computing.unit_roundoff if module.eps is None else module.eps)
    if isinstance(module, nn.GELU):
        return [reference.gelu(x) if module.approximate == "none" else reference.gelu_tanh(x) for x in column]
    assert isinstance(module, nn.SiLU)
    return [reference.silu(x) for x in column]


def _ask_module(module: nn.Module, width: int, storage: Format, device: str, seed: int) -> Answer:
    """The largest share of its radius that a module's error takes."""
    numerics, dtype = plain_numerics(storage, device), torch_dtype(storage)
    module = module.to(device, dtype)
    rule = rule_for(module)
    assert rule is not None
    generator = torch.Generator().manual_seed(seed + width)
    scales = torch.ldexp(torch.ones((COLUMNS, 1), dtype=torch.float64), torch.arange(COLUMNS).remainder(9).unsqueeze(-1) - 4)
    shifts = torch.where(torch.arange(COLUMNS).unsqueeze(-1) % 3 == 2, 30.0, 0.0)
    scales[0], scales[1] = storage.smallest_normal / 4, storage.largest / 8  # subnormal operands, and what may overflow
    x = (torch.randn((COLUMNS, width), generator=generator, dtype=torch.float64) * scales + shifts).to(device, dtype)
    found = hazards(COLUMNS, device)
    with torch.no_grad():
        value = module(x)
    result = rule(module, exact(x.unsqueeze(-1), numerics, found), value.unsqueeze(-1))
    radii = result.entry_radius.squeeze(-1).cpu()
    kind = type(module).__name__ + (" (tanh)" if isinstance(module, nn.GELU) and module.approximate == "tanh" else "")
    worst = 0.0
    excused = (found.underflow | found.overflowed(torch.isfinite(value).all(-1))).tolist()
    for column, values, bounds, foretold in zip(x.cpu().tolist(), value.cpu().tolist(), radii.tolist(), excused, strict=True):
        if foretold:
            continue
        for true, got, bound in zip(module_truth(module, [arb(t) for t in column], numerics.opmath), values, bounds, strict=True):
            error = abs(arb(got) - true)
            if not error <= arb(bound):
                raise UnsupportedNumerics(
                    f"on {device} {kind} of {storage.name} columns of {width} erred by {float(error):.4g}, and its rule allows {bound:.4g}: its kernel is none "
                    "of those that the rule is proved for (numeric/rules/activations.py, numeric/rules/normalisation.py)."
                )
            worst = max(worst, float(error) / bound)
    return Answer(
        f"{storage.name}/{kind.lower().replace(' ', '-')}-{width}",
        f"Does {kind} of {storage.name} columns of {width} keep within its rule?",
        f"{worst:.3f} of its radius at most",
    )
