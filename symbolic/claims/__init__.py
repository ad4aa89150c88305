"""One file a claim, or a family of claims: the folder is the registry."""
