"""Where a false statement fails, and the check of that."""
