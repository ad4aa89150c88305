"""What a formula looks like on symbols, and how it is printed."""
