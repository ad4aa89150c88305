"""One proof: what is known, what follows from it, and the lines written so far."""
