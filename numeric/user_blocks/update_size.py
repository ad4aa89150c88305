"""How much a user's update may compute over tensors: one that doubles a term again and again would take all memory, and end the process."""

from typing import Any

from torch import Tensor
from torch._ops import OpOverload

from numeric.architecture import UnusableBlock
from numeric.formats.operator_mode import OperatorMode

MOST_UPDATE_ENTRIES = 64
"""Entries of a tensor, for each entry of a square matrix a case as wide as the wider side of W: room for W, ΔW and ΔA aᵀ, in fp64, several times over."""

MOST_OPERATORS = 100_000
"""Operators of an update over tensors; Eq. (1) takes five."""


class WithinReason(OperatorMode):
    """Refuses an update, by the operator, if it makes a tensor that is too large, or runs too many operators.  Raises UnusableBlock."""

    def __init__(self, W: Tensor, delta: Tensor) -> None:
        """W: (…, m, d); delta: (…, d, 1), with the cases in front."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._most = MOST_UPDATE_ENTRIES * max(W.numel(), delta[..., 0, 0].numel() * max(W.shape[-2:]) ** 2)
        self._operators = 0
        self._refused: UnusableBlock | None = None

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operator's results, if they are not too large."""
        found = operator(*args, **kwargs)
        self._operators += 1
        made = found if isinstance(found, tuple | list) else [found]
        entries = max((x.untyped_storage().nbytes() // x.itemsize for x in made if isinstance(x, Tensor)), default=0)
        if self._operators > MOST_OPERATORS:
            self._refuse(f"runs more than {MOST_OPERATORS:,} operators")
        if entries > self._most:
            self._refuse(f"makes a tensor of {entries:,} entries by {operator.name().partition('::')[2]}, and {self._most:,} are the most for its W")
        return found

    def ask(self) -> None:
        """Raise what was refused, even if the update went on."""
        if self._refused is not None:
            raise self._refused

    def _refuse(self, why: str) -> None:
        self._refused = self._refused or UnusableBlock(f"update(W, delta, a) {why}: add up what it needs, and let no term grow.")
        raise self._refused
