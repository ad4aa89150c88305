"""One file a block: the folder is the registry."""
