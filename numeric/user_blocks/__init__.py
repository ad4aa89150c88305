"""A user's own block and prompts: admitted or refused, then measured."""
