"""The registry of blocks: one file a family."""
