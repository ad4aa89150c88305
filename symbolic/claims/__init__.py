"""One file a claim, or a family of claims: the folder is the registry, and a new file is found by being there.

A file defines ``ORDER`` (its place in lists) and ``CLAIM`` or ``CLAIMS``. A claim's two sides are functions of one ``Values`` and take every
formula of the paper from ``v.formulas``, never by import, so that what is proved is the formula as it is at that moment and a mutant can replace
it. Its proof is a function that writes lines on a ``Derivation``. Nothing here imports SymPy: a list of claims costs no more than reading these files.
"""
