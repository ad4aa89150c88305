"""What every refusal of a block is."""

from symbolic.vocabulary import CallError


class UnusableBlock(CallError):
    """The module is not a block to which the claims could apply."""
