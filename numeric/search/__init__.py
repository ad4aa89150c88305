"""The search for the context that brings the error nearest to its bound."""

from numeric.search.readable_context import Shrunk, shrink
from numeric.search.search_file import save_search, saved_search
from numeric.search.worst_context import Best, Budget, Found, bench, search

__all__ = ["Best", "Budget", "Found", "Shrunk", "bench", "save_search", "saved_search", "search", "shrink"]
