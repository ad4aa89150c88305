"""Who takes what the stream lacks in one case, and by how much: S = … + Σ_j f_j ⊙ (P_j h_j + p_j) for the operators j that read such a parameter.

f_j is carried on from operator to operator, with a radius: what an operator makes of r, f ⊙ r + …, it makes of f as well, if it multiplies by something
else (a gate), adds, or moves rows. Entries of r do not mix: each is followed with a power of two of its own, by which the factor at the end is divided.

Inherited: f g moves by |f|r_g + r_f(|g| + r_g). Introduced: float64's own roundings, one an operator or the number of summands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from numeric.arithmetics import WithRadius, outward
from numeric.operator_rules import Bounded, KnownTensors, NoOperatorRule
from numeric.operators import MATRIX_PRODUCTS, Execution, Memory
from numeric.operators.anatomy import Anatomy
from numeric.operators.cut import MatrixProduct
from numeric.operators.labels import CHOOSING
from numeric.operators.stream import SUMMANDS

if TYPE_CHECKING:
    from numeric.sides.written_choices import Choosing


Carried = tuple[Tensor, Tensor]
"""f beside each entry of a tensor, and its radius: float64."""


@dataclass(slots=True)
class StreamShare:
    """One operator that reads a parameter which takes a part of δ, on the query's row."""

    name: str
    """Of the parameter."""
    numbers: Tensor
    """The entries of its storage: (m, d) of a matrix P, (d,) of a bias."""
    h: Carried | None
    """What a matrix multiplies, (m,), and its radius; None of a bias."""
    entries: Tensor
    """(d,) powers of two, by which f is carried on."""
    value: Memory = field(default_factory=lambda: Memory(torch.float64), repr=False)
    radius: Memory = field(default_factory=lambda: Memory(torch.float64), repr=False)
    factor: tuple[float, float] = (0.0, 0.0)
    """f, the same for all entries, and its radius."""

    def holds(self, x: Tensor) -> bool:
        """Whether something is made of what the operator returned."""
        return self.value.knows(x) and bool((self.value.of(x) != 0).any())

    def put(self, x: Tensor, value: Tensor, radius: Tensor) -> None:
        """Write what f is at a tensor."""
        self.value.put(x, value)
        self.radius.put(x, radius)


def _entries(d: int) -> Tensor:
    """Powers of two, of either sign, no two neighbours' the same."""
    place = torch.arange(d)
    return torch.where(place % 2 == 0, 1.0, -1.0).double() * 2.0 ** ((place * 7) % 5 - 2).double()


class SharesOfStream:
    """Finds the shares of a pass."""

    def __init__(self, anatomy: Anatomy, knowledge: KnownTensors) -> None:
        self.anatomy = anatomy
        self.knowledge = knowledge
        self.following: list[StreamShare] = []
        self.found: list[StreamShare] = []

    def after(self, step: Execution, before: Execution, results: list[Tensor], walk: "Choosing") -> None:
        """An operator was executed.  before: with copies of what it overwrote. Raises NoOperatorRule."""
        absorber, stream = self.anatomy.absorber, self.anatomy.stream
        if absorber is None or stream is None:
            return
        if results and not step.is_view(results):
            for each in self.following:
                self._follow(each, step, before, results[0])
        if results and step.place.line == absorber.place.line and step.operator not in CHOOSING:
            self._begin(step, results[0], walk)
        meeting = step.place.line == stream.meeting.line and step.place.operator == stream.meeting.operator
        if meeting and any(each.holds(results[0]) for each in self.following):
            self.found = [each for each in self.following if self._arrived(each, results[0])]
            self.following = []

    def _begin(self, step: Execution, result: Tensor, walk: "Choosing") -> None:
        """If the operator reads a parameter that takes a part of δ, on rows that are the query's."""
        absorber = self.anatomy.absorber
        assert absorber is not None
        named = dict(walk.block.module.named_parameters(remove_duplicate=False))
        for index, x in step.tensors:
            home = walk.home(x)
            if home is None or home[0] in walk.of_first or not any(self.knowledge.holds(y) for _, y in step.tensors):
                continue
            name = walk.names[home[0]]
            if named[name].shape != named[absorber.name].shape or index != absorber.weight:
                continue
            left = MATRIX_PRODUCTS.get(step.operator)
            if left is not None and index in (left, left + 1):
                self._begin_matrix(step, MatrixProduct(step.place, index, 2 * left + 1 - index), (name, home[1]), result, walk)
            elif index in SUMMANDS.get(step.operator, ()) and step.kwargs.get("alpha", 1) == 1 and "sub" not in str(step.operator):
                self._begin_bias(step, (name, home[1]), result, walk)
            else:
                raise NoOperatorRule(f"{name}, which takes what the stream lacks in {step.place},")

    def _begin_matrix(self, step: Execution, product: MatrixProduct, of: tuple[str, Tensor], result: Tensor, walk: "Choosing") -> None:
        numbers, operand, made = product.matrix(of[1]), product.operand(step.leaves[product.rows]), product.result(result)
        given = step.leaves[product.rows]
        known = self.knowledge.of(given) if self.knowledge.holds(given) else Bounded(torch.zeros((), dtype=torch.float64))
        if not isinstance(known, Bounded) or step.kwargs.get("alpha", 1) != 1:
            raise NoOperatorRule(f"{of[0]}, which takes what the stream lacks in {step.place},")
        radius = product.operand(known.radius.expand(given.shape)).reshape(-1, operand.shape[-1])
        rows = operand.reshape(-1, operand.shape[-1])
        for row in _rows_of_the_query(step, len(rows), walk):
            h = rows[row].clone(), radius[row].clone()
            seed = torch.zeros(made.shape, dtype=torch.float64).reshape(len(rows), -1)
            share = StreamShare(of[0], numbers[row * len(numbers) // len(rows)], h, _entries(made.shape[-1]))
            seed[row] = share.entries
            share.put(result, product.result(seed.reshape(made.shape)), torch.zeros((), dtype=torch.float64))
            self.following.append(share)

    def _begin_bias(self, step: Execution, of: tuple[str, Tensor], result: Tensor, walk: "Choosing") -> None:
        d = result.shape[-1]
        numbers = of[1].expand(result.shape).reshape(-1, d)
        for row in _rows_of_the_query(step, len(numbers), walk):
            seed, share = torch.zeros((len(numbers), d), dtype=torch.float64), StreamShare(of[0], numbers[row].clone(), None, _entries(d))
            seed[row] = share.entries
            share.put(result, seed.reshape(result.shape), torch.zeros((), dtype=torch.float64))
            self.following.append(share)

    def _follow(self, share: StreamShare, step: Execution, before: Execution, result: Tensor) -> None:
        """Carry f on to what an operator returned."""
        if not any(share.holds(x) for _, x in step.tensors):
            return
        linear = _LINEAR.get(str(step.operator).removeprefix("aten.").replace("_.", "."))
        made = None if linear is None else linear(_Following.of(share, step, before, self.knowledge))
        if made is None or made[0].numel() != result.numel():
            raise NoOperatorRule(f"{step.place}, between what takes what the stream lacks and where that meets the network,")
        share.put(result, made[0].reshape(result.shape), made[1].reshape(result.shape))

    def _arrived(self, share: StreamShare, result: Tensor) -> bool:
        """Whether the query's row has a part of it; then what f is.  Raises NoOperatorRule where it is not one number."""
        value, radius = (self.anatomy.layout.query(each.of(result), 1).reshape(-1) for each in (share.value, share.radius))
        if not bool((value != 0).any()):
            return False
        factors = value / share.entries
        if not bool((factors == factors[0]).all()):
            raise NoOperatorRule(f"{share.name}, which takes what the stream lacks by another factor in each entry,")
        share.factor = float(factors[0]), float((radius / share.entries.abs()).max())
        return True


def _rows_of_the_query(step: Execution, rows: int, walk: "Choosing") -> tuple[int, ...]:
    """Of as many rows as the operator of the cut before it read, or of all tokens'.  Raises NoOperatorRule for other numbers."""
    if rows == walk.rows.of:
        return walk.rows.z
    if walk.first_operand is not None and rows == walk.first_operand.numel() // walk.first_operand.shape[-1]:
        return (walk.layout.token % rows,)
    raise NoOperatorRule(f"{step.place}, which reads other rows than the operator of the cut before it,")


Linear = Callable[["_Following"], Carried | None]


@dataclass(frozen=True, slots=True)
class _Following:
    """An operator that reads what f is carried on by.  Its operands are as they were, f and what is known stand beside them."""

    share: StreamShare
    given: Mapping[str, Any]
    """Its arguments by their names; tensors as they lie, with f beside them."""
    before: Mapping[str, Any]
    """The same, with copies of what it overwrote."""
    knowledge: KnownTensors

    @classmethod
    def of(cls, share: StreamShare, step: Execution, before: Execution, knowledge: KnownTensors) -> "_Following":
        """An operator that was executed."""
        given, copies = ({each.name: value for each, value in one.arguments()} for one in (step, before))
        return cls(share, given, copies, knowledge)

    def f(self, name: str) -> Carried:
        """f at an operand, and its radius; zeros where it has none."""
        x = self.given[name]
        if not isinstance(x, Tensor) or not self.share.holds(x):
            zero = torch.zeros(x.shape if isinstance(x, Tensor) else (), dtype=torch.float64)
            return zero, zero
        return self.share.value.of(x).clone(), self.share.radius.of(x).clone()

    def exactly(self, name: str) -> Carried:
        """What another operand is, and its radius.  Raises NoOperatorRule."""
        x = self.before[name]
        if not isinstance(x, Tensor):
            return torch.tensor(float(x), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        if x is not self.given[name]:  # what is known of its copy is lost
            raise NoOperatorRule("a factor of what takes what the stream lacks that is overwritten by the product")
        known = self.knowledge.of(x) if self.knowledge.holds(x) else None
        if isinstance(known, WithRadius):
            raise NoOperatorRule("a factor that is a matrix of each case")
        return x.double(), torch.zeros(x.shape, dtype=torch.float64) if known is None else known.radius.expand(x.shape)

    @property
    def alpha(self) -> float:
        """By which a summand is multiplied."""
        return float(self.given.get("alpha", 1))


def _rounded(value: Tensor, radius: Tensor, roundings: int) -> Carried:
    return value, outward(radius + value.abs() * (2 * roundings * 2.0**-53), roundings + 3)


def _multiplied(at: _Following) -> Carried | None:
    """f g."""
    held = [name for name in ("self", "other") if isinstance(at.given[name], Tensor) and at.share.holds(at.given[name])]
    if len(held) > 1:
        return None
    f, r = at.f(held[0])
    g, spread = at.exactly("other" if held[0] == "self" else "self")
    return _rounded(f * g, outward(f.abs() * spread, 1) + outward(r * outward(g.abs() + spread, 1), 1), 1)


def _divided(at: _Following) -> Carried | None:
    """f/g, of an exact g."""
    f, r = at.f("self")
    g, spread = at.exactly("other")
    return None if at.f("other")[0].any() or bool((spread > 0).any()) or bool((g == 0).any()) else _rounded(f / g, r / g.abs(), 1)


def _negated(at: _Following) -> Carried:
    f, r = at.f("self")
    return -f, r


def _summed(sign: float) -> Linear:
    """f + α f', and f - α f'."""

    def row(at: _Following) -> Carried:
        (f, r), (g, s) = at.f("self"), at.f("other")
        return _rounded(f + sign * at.alpha * g, r + abs(at.alpha) * s, 2)

    return row


def _placed(at: _Following) -> Carried:
    """Rows that are added to rows."""
    (f, r), (g, s), dim, index = at.f("self"), at.f("source"), at.given["dim"], at.given["index"]
    return _rounded(f.index_add(dim, index, g * at.alpha), r.index_add(dim, index, s * abs(at.alpha)), 2 + index.numel())


def _total(at: _Following) -> Carried | None:
    """A sum along some axes."""
    (f, r), dims, keep = at.f("self"), at.given["dim"], bool(at.given.get("keepdim", False))
    return None if not dims else _rounded(f.sum(dims, keepdim=keep), r.sum(dims, keepdim=keep), f.numel())


def _same(at: _Following) -> Carried:
    """A cast or a copy: over the reals the same."""
    return at.f("self")


_LINEAR: dict[str, Linear] = {
    **dict.fromkeys(("mul.Tensor", "mul.Scalar"), _multiplied),
    **dict.fromkeys(("div.Tensor", "div.Scalar"), _divided),
    "neg.default": _negated,
    "add.Tensor": _summed(1.0),
    "sub.Tensor": _summed(-1.0),
    "index_add.default": _placed,
    "sum.dim_IntList": _total,
    **dict.fromkeys(("_to_copy.default", "clone.default", "_unsafe_view.default"), _same),
}
"""By the overload's name without ``aten.``; an in-place form, ``index_add_``, has the row of the form that it writes back."""
