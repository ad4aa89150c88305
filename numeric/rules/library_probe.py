"""Asking the machine how wrong its elementary functions are, and whether its activations keep to their rules.

Every function is evaluated on operands drawn over the format's whole range and on crafted ones (subnormal numbers, neighbours of powers of
two and of the places where e^x leaves the range, numbers near Ω): in one long tensor, and again in rows about as wide as registers, in every layout
(``layouts.py``), since vector code, scalar code and the ends of rows may each have a function of their own. The results are compared with balls; what exceeds
the table (``library_errors.py``) is refused. Activations are run as the modules that a block holds, at its widths, in every layout, and each result has to
lie within the radius of its rule.

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
from numeric.rules.layouts import PLAIN, in_every_layout
from numeric.rules.library_errors import elementary_error
from numeric.rules.table import rule_for

BODY = 1536
"""Random operands of a long tensor."""
TAILS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
"""Widths of rows: about those of SIMD registers."""
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
    starts: bool = False
    """Whether it is asked from the window's left end on: it is not defined further left, or is something else than the function there."""


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
    Question("sigmoid", torch.sigmoid, reference.sigmoid, lambda opmath: (1.0 - _log_range(opmath)[1], 40.0), starts=True),
)
"""Those that the modules of a block compute."""
POWERS = (2.5, -1.75, 0.3125, 7.0)
OF_OPERATORS = (
    Question("exp2", torch.exp2, lambda x: arb(2) ** x, lambda opmath: (opmath.min_exponent - opmath.significand_bits, opmath.max_exponent + 1.0)),
    Question("expm1", torch.expm1, lambda x: x.expm1(), _log_range),
    Question("log", torch.log, lambda x: x.log(), lambda opmath: (0.0, 4.0), positive=True),
    Question("log2", torch.log2, lambda x: x.log() / arb(2).log(), lambda opmath: (0.0, 4.0), positive=True),
    Question("log1p", torch.log1p, lambda x: x.log1p(), lambda opmath: (2.0 * opmath.unit_roundoff - 1.0, 4.0), starts=True),
    Question("sin", torch.sin, lambda x: x.sin(), lambda opmath: (-25.0, 25.0)),
    Question("cos", torch.cos, lambda x: x.cos(), lambda opmath: (-25.0, 25.0)),
    *(
        Question("pow", lambda x, p=p: torch.pow(x, torch.full_like(x, p)), lambda x, p=p: x ** arb(p), lambda opmath: (0.0, 4.0), positive=True)  # type: ignore[misc]
        for p in POWERS
    ),
)
"""Those that operators of a whole block compute besides (``numeric/operator_rules``)."""


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


def probe_operator_functions(storage: Format, device: str = "cpu", *, seed: int = 0) -> tuple[Answer, ...]:
    """Ask about the functions of which only the rules of operators make use, and those of which their radii are made.  Raises UnsupportedNumerics."""
    saved, ctx.prec = ctx.prec, BITS
    try:
        asked = [_ask(question, storage, device, seed) for question in OF_OPERATORS]
        return (*asked, *(_ask(question, FP64.storage, device, seed) for question in OF_OPERATORS if question.name in ("log", "pow")))
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
    if question.starts:
        x = x[x.double() >= window[0]]
    narrow = storage != opmath and not row.in_storage
    worst, excess, where, truths = 0.0, 0.0, "", [question.truth(arb(operand)) for operand in x.tolist()]
    for place, value, layout in _results(question.run, x, device):
        truth = truths[place]
        # Infinity is right if the exact value, wrong by as much as assumed, may round to it.
        if math.isinf(value) and float(abs(truth).upper()) * (1.0 + 4.0 * assumed * opmath.unit_roundoff) >= storage.largest:
            continue
        error = float(abs(arb(value) - truth).upper()) if math.isfinite(value) else math.inf
        own = ulp(truth, storage)
        allowed = assumed * (one if row.of_one else ulp(truth, storage if row.in_storage else opmath)) + (own / 2 if narrow else 0.0)
        unit = max(own, one) if row.of_one else own
        if error / unit > worst:
            worst, where = error / unit, f"x = {x[place].item()!r} of operands that lie {layout}"
        excess = max(excess, error / allowed)
    if excess > 1.0:
        raise UnsupportedNumerics(
            f"on {device} {question.name} of {storage.name} numbers erred by {worst:.4g} ulps, at {where}; the error model assumes {assumed:g}"
            f"{' and one rounding' if narrow else ''}. Correct its row in numeric/rules/library_errors.py, or use another build of the library."
        )
    of = " of 1" if row.of_one else ""
    said = (
        f"{worst:.3f} ulps"
        + (f" of {storage.name}, one rounding included; assumed: {assumed:g} of {opmath.name}" if narrow else f"; assumed: {assumed:g}")
        + of
    )
    asked = f"How far is {question.name} of {len(x)} {storage.name} numbers, however they lie, from the exact value?"
    return Answer(f"{storage.name}/{question.name}", asked, said)


def ulp(y: arb, target: Format) -> float:
    """ulp(y) = max(2u·ufp(y), η), of the binade in which y's midpoint lies."""
    middle = abs(y).mid()
    if middle == 0:
        return target.smallest_subnormal
    exponent = int(middle.man_exp()[0].bit_length() + middle.man_exp()[1]) - 1
    return 2.0 ** max(exponent - target.significand_bits + 1, target.min_exponent - target.significand_bits + 1)


def _results(run: Callable[[Tensor], Tensor], x: Tensor, device: str) -> Iterator[tuple[int, float, str]]:
    """All that becomes of each operand: its place in x, a result, and the layout that first gave it.  x: (numbers,)."""
    plain = run(x.to(device)).cpu()
    yield from ((place, value, PLAIN) for place, value in enumerate(plain.tolist()))
    seen: set[tuple[int, float]] = set()
    for width in TAILS:
        rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(width))[: len(x) // width * width].reshape(-1, width)
        for part in (rows, rows[:1]):
            for (layout, operands), (_, places) in zip(in_every_layout(x[part], device), in_every_layout(part, "cpu"), strict=True):
                values = run(operands).cpu()
                others = values != plain[places]
                fresh = set(zip(places[others].tolist(), values[others].tolist(), strict=True)) - seen
                yield from ((place, value, layout) for place, value in sorted(fresh))
                seen |= fresh


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
    kind = type(module).__name__ + (" (tanh)" if isinstance(module, nn.GELU) and module.approximate == "tanh" else "")
    truths = [module_truth(module, [arb(t) for t in column], numerics.opmath) for column in x.tolist()]
    earlier: list[Tensor] = []
    worst = 0.0
    for layout, columns, operands, value in _passes(module, x, device):
        fresh = torch.stack([value != result[columns] for result in earlier]).all(0) if earlier else torch.ones_like(value, dtype=torch.bool)
        if not bool(fresh.any()):
            continue
        found = hazards(len(operands), device)
        radii = rule(module, exact(operands.unsqueeze(-1), numerics, found), value.unsqueeze(-1)).entry_radius.squeeze(-1)
        excused = found.underflow | found.overflowed(torch.isfinite(value).all(-1))
        judged = fresh & ~excused.unsqueeze(-1)
        places = (torch.nonzero(judged) + torch.tensor([columns.start, 0], device=device)).tolist()
        for (column, entry), got, bound in zip(places, value[judged].tolist(), radii[judged].tolist(), strict=True):
            error = abs(arb(got) - truths[column][entry])
            if not error <= arb(bound):
                raise UnsupportedNumerics(
                    f"on {device} {kind} of {storage.name} columns of {width} that lie {layout} erred by {float(error):.4g}, and its rule allows "
                    f"{bound:.4g}: its kernel is none of those that the rule is proved for (numeric/rules/activations.py, numeric/rules/normalisation.py)."
                )
            worst = max(worst, float(error) / bound)
        whole = torch.full_like(x, torch.nan)
        whole[columns] = value
        earlier.append(whole)
    return Answer(
        f"{storage.name}/{kind.lower().replace(' ', '-')}-{width}",
        f"Does {kind} of {storage.name} columns of {width}, however they lie, keep within its rule?",
        f"{worst:.3f} of its radius at most",
    )


def _passes(module: nn.Module, x: Tensor, device: str) -> Iterator[tuple[str, slice, Tensor, Tensor]]:
    """What a module makes of columns, all and one of them, in every layout that holds their numbers.  x: (columns, width).

    Yields the layout in words, which columns, the operands, the results.
    """
    with torch.no_grad():
        for columns in (slice(0, COLUMNS), slice(5, 6)):
            for layout, operands in in_every_layout(x[columns], device):
                if 0 in operands.stride():
                    continue
                yield layout, columns, operands, module(operands)
