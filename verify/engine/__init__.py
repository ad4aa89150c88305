"""Runs a plan: pool, jobs, state, failures.

Nothing is handed on here: training alone needs little of it.
"""
