"""What a block is: a contextual layer, a network, their wiring, and the block's form."""
