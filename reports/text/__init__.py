"""Numbers and names as readers see them."""

from reports.text.escaping import printable, printable_lines
from reports.text.numbers import count, counted, joined, ratio, real, seconds, two_to, words

__all__ = ["count", "counted", "joined", "printable", "printable_lines", "ratio", "real", "seconds", "two_to", "words"]
