"""Numbers and names as readers see them."""

from reports.text.numbers import count, counted, joined, ratio, real, seconds, two_to, words

__all__ = ["count", "counted", "joined", "ratio", "real", "seconds", "two_to", "words"]
