"""Runs a plan: pool, jobs, state, failures."""
