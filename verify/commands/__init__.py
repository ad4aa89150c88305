"""The commands, one file each; each calls one function and prints.

Nothing is handed on here: each loads what it needs itself.
"""
