"""What is told: the run record as plain data, and the page that renders it."""
