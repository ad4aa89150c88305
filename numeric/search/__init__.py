"""The search for the context that brings the error nearest to its bound."""
