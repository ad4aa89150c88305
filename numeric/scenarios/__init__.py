"""One file a scenario: the folder is the registry."""
