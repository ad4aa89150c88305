"""How a term is shown. SymPy, which prints it, is loaded with the first one: to list the claims must not take that long."""

from symbolic.terms.term import Term


def text(term: Term) -> str:
    """One line of Unicode for a terminal."""
    return _printed(term, 0)


def latex(term: Term) -> str:
    """LaTeX without delimiters."""
    return _printed(term, 1)


def _printed(term: Term, notation: int) -> str:
    from symbolic.terms.printing import printed

    return printed(term, notation)
