"""The one place where a library of the corpus is imported, and where its warnings are dealt with.

A library is imported when a block of it is built: transformers alone takes seconds, which a run of other tests need not wait for.
"""

import importlib
import os
import warnings
from types import ModuleType

IGNORED = ((r"`torch\.jit\.script` is deprecated\. Please switch to `torch\.compile` or `torch\.export`\.", DeprecationWarning),)
"""x-transformers scripts one small function when it is imported; the function is not run by any block of the corpus."""


def library(name: str) -> ModuleType:
    """A module of transformers or x-transformers. Nothing is downloaded: the libraries are told to stay offline before they are imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        for message, category in IGNORED:
            warnings.filterwarnings("ignore", message=f"{message}$", category=category)
        return importlib.import_module(name)
