"""Many batches of cases: what is drawn, what is left out, the witness and its replay."""
