"""Which numbers there are, and the ways of computing with them."""

from numeric.formats.format import Format, format_named
from numeric.formats.mode import MODES, Context, Mode, modes_named
from numeric.formats.storage import in_storage, round_to, torch_dtype

__all__ = ["MODES", "Context", "Format", "Mode", "format_named", "in_storage", "modes_named", "round_to", "torch_dtype"]
