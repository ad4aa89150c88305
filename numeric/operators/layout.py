"""Where a case's query stands in an operand that holds all tokens of all cases."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of an operand (…, features) are numbered: tokens within cases, or cases within tokens."""

    cases_first: bool
    token: int
    """The query's: from the end, -1 the last; from the start where it is 0 or more."""

    def rows(self, x: Tensor, cases: int) -> Tensor:
        """(cases, tokens, features), of (…, features)."""
        flat = x.reshape(-1, x.shape[-1])
        assert len(flat) % cases == 0
        if len(flat) == cases:
            return flat.unsqueeze(1)
        return flat.view(cases, -1, x.shape[-1]) if self.cases_first else flat.view(-1, cases, x.shape[-1]).transpose(0, 1)

    def query(self, x: Tensor, cases: int) -> Tensor:
        """The query's rows: (cases, features)."""
        found = self.rows(x, cases)
        return found[:, self.token if found.shape[1] > 1 else 0]

    def back(self, rows: Tensor, shape: torch.Size) -> Tensor:
        """(cases, tokens, features) in the order of an operand of this shape."""
        return (rows if self.cases_first else rows.transpose(0, 1)).reshape(*shape[:-1], rows.shape[-1])

    def only_query(self, query: Tensor, like: Tensor) -> Tensor:
        """A tensor of zeros like an operand, but for the query's rows.  query: (cases, features)."""
        rows = torch.zeros_like(self.rows(like, len(query)))
        rows[:, self.token if rows.shape[1] > 1 else 0] = query
        return self.back(rows, like.shape)


def orders(moved: Tensor, cases: int) -> list[bool]:
    """In which orders the rows that moved with the first case are that case's: True for tokens within cases.

    moved: (rows,), whether a row of the operand moved.
    """
    if len(moved) % cases or not bool(moved.any()):
        return []
    within = moved.view(cases, -1)
    across = moved.view(-1, cases)
    return [*([True] if not bool(within[1:].any()) else []), *([False] if not bool(across[:, 1:].any()) else [])]
