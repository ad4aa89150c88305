"""Two runs, or many, held against each other: baseline, margins, differences, history."""
