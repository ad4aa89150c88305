"""What a record amounts to, in words: violations, doubts, headline, outcomes, grid."""
