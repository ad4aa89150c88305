"""From results to rows of the record."""
