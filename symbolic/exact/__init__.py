"""The same formulas over exact rationals, and a second opinion that shares no line with them."""
