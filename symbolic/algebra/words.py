"""Words: products of letters, and the three ways in which two of them can be the same.

A letter is a symbol or an opaque value, transposed or not. A 1x1 word equals its transpose; the trace of a word does not change under rotation and
transposition; a word that passes through a size 1 falls into pieces there, of which the 1x1 ones commute with everything.
"""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    """A symbol or an opaque value in a word, transposed or not. ``name`` is its identity; the shape is that of the letter as it stands.

    Two letters are equal if they are the same object of the same shape. Their text only puts them in an order; letters of one text are in none, so that
    what should be equal may be missed, and nothing else is ever taken to be equal.
    """

    name: Hashable
    transposed: bool = False
    rows: str = "1"
    columns: str = "1"

    @property
    def mT(self) -> "Letter":
        """The same letter, transposed."""
        return Letter(self.name, not self.transposed, self.columns, self.rows)

    def __lt__(self, other: "Letter") -> bool:
        return (str(self.name), self.transposed) < (str(other.name), other.transposed)

    def __str__(self) -> str:
        return str(self.name) + "ᵀ" * self.transposed


Word = tuple[Letter, ...]


def transposed(word: Word) -> Word:
    """(XY)ᵀ = YᵀXᵀ."""
    return tuple(factor.mT for factor in reversed(word))


def smaller(word: Word) -> Word:
    """The smaller of a 1x1 word and its transpose: xᵀy = yᵀx."""
    return min(word, transposed(word))


def smallest_turn(word: Word) -> Word:
    """The smallest rotation of a cyclic word or of its transpose: tr(XY) = tr(YX) = tr(XᵀYᵀ)."""
    return min(turned[k:] + turned[:k] for turned in (word, transposed(word)) for k in range(len(word)))


def cut(word: Word) -> tuple[list[Word], Word]:
    """The 1x1 pieces of a word that is cut wherever an inner size is 1, and what is left of it."""
    scalars: list[Word] = []
    kept: list[Letter] = []
    piece: list[Letter] = []
    for position, factor in enumerate(word):
        piece.append(factor)
        if factor.columns == "1" or position == len(word) - 1:
            if piece[0].rows == "1" and factor.columns == "1":
                scalars.append(tuple(piece))
            else:
                kept += piece
            piece = []
    return scalars, tuple(kept)
