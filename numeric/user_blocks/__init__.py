"""A user's own block and prompts: let in or refused with the reason, then measured like any other."""

from numeric.user_blocks.admission import own_block
from numeric.user_blocks.block_as_written import OwnAsWritten, own_as_written
from numeric.user_blocks.prompts import ProbeCache, Transfer, transfers
from numeric.user_blocks.user_block import OwnBlock
from numeric.user_blocks.user_code import contained, error_in_words

__all__ = ["OwnAsWritten", "OwnBlock", "ProbeCache", "Transfer", "contained", "error_in_words", "own_as_written", "own_block", "transfers"]
