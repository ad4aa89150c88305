"""What is run: the command line, the plan, the engine, the run on disk."""
