"""Which numbers there are, and the ways of computing with them."""
