"""Pictures, and the tables of their data."""
