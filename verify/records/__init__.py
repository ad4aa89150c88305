"""From results to rows of the record.

Nothing is handed on here: ``claim_rows`` needs no torch, and would load it.
"""
