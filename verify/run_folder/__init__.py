"""A run on disk: its lock, its journal, how it is resumed, its environment."""
