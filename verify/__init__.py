"""What is run: the command line, the plan, the engine, the store."""
