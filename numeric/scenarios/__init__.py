"""The registry of scenarios: one file a family of contexts."""
