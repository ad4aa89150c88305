"""The commands, one file each; each calls one function and prints."""
