"""What is true: formulas, claims, the prover, counterexamples."""
