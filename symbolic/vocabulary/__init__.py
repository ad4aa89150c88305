"""Words that every floor uses: verdicts, wrong calls, the name of a cell."""
