"""The tests mirror the tree: ``tests/<floor>/<wing>/test_<file or concern>.py``."""
