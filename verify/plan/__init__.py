"""What was requested, settled before anything runs."""
