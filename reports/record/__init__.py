"""The run record and its files; plain data."""
