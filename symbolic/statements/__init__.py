"""What a statement is made of: symbols, functions, hypotheses, and the values it runs on."""
