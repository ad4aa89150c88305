"""Both sides of a claim on one batch of cases: measured, bounded, judged, certified."""
