"""Evaluation orders of the update: equal over the reals (claim ``variants-equal``), different where a range limit is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from numeric.architecture import UnusableBlock
from numeric.arithmetics.largest_entry import largest_entry
from symbolic import formulas
from symbolic.vocabulary import CallError, chosen

OWN = "own"
"""The id of the variant that is the user's own update."""


class UnknownVariant(CallError):
    """No variant of that name."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table."""

    id: str
    title: str
    update: Callable[[Any, Any, Any], Any]
    """ΔW from W (m, d), ΔA (d, 1) and a (d, 1)."""
    factored: bool = False
    """Whether ΔW is never formed: the layer then keeps W and adds (WΔA)(aᵀx)/‖a‖² to what it computes from x."""


VARIANTS = (
    Variant("formula", "Eq. (1) as written: (W ΔA) aᵀ / ‖a‖²", lambda W, delta, a: formulas.rank_one_update(W, delta, a)),
    Variant("scaled", "a divided by max|a| first", lambda W, delta, a: formulas.scaled_rank_one_update(W, delta, a, largest_entry(a))),
    Variant("factored", "ΔW never formed: (W ΔA)(aᵀx)/‖a‖² is added to Wx + b", lambda W, delta, a: formulas.rank_one_update(W, delta, a), factored=True),
)


def in_place_refused(update: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The same update, which raises UnusableBlock if it changes a tensor that it is given: both sides are computed from those tensors."""

    def watched(*operands: Any) -> Any:
        before = [x.clone() if isinstance(x, torch.Tensor) else None for x in operands]
        found = update(*operands)
        names = [
            name
            for name, x, was in zip(("W", "delta", "a"), operands, before, strict=True)
            if was is not None and not bool(((x == was) | (x.isnan() & was.isnan())).all())
        ]
        if names:
            raise UnusableBlock(f"update(W, delta, a) changes its operands in place: {', '.join(names)}. Let it return ΔW, and leave them as they are.")
        return found

    return watched


def variants_named(names: Sequence[str] | None = None) -> list[Variant]:
    """The variants of these names, or all. Raises UnknownVariant."""
    return chosen({variant.id: variant for variant in VARIANTS}, names, "variant", UnknownVariant)
