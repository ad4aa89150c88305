"""How terms are shown: SymPy holds the expression, as unevaluated matrix expressions of symbolic shape, and prints it.

SymPy's own classes carry symbols, products, sums, transposes and traces; ``Over``, ``Applied`` and ``Times`` are matrix expressions for what it lacks: a
matrix over a 1x1 matrix, an opaque function, a 1x1 matrix times a matrix. Nothing is ever evaluated or simplified by SymPy: its matrix
simplification is not to be trusted (see tests/symbolic/algebra/test_sympy_traps.py).
"""

from functools import cache
from typing import Any

import sympy
from sympy.core.symbol import Str
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.printing.printer import Printer

from symbolic.terms.term import (
    Application,
    BuiltIn,
    Constant,
    Defined,
    Difference,
    Gradient,
    Identity,
    Operation,
    Product,
    Quotient,
    Scaled,
    Sum,
    Symbol,
    Term,
    Trace,
    Transposed,
    Zero,
)


class Named(MatrixExpr):  # type: ignore[misc]
    """A symbol, as (text, latex, SymPy's MatrixSymbol)."""

    @property
    def shape(self) -> Any:
        """That of the symbol."""
        return self.args[2].shape


class Over(MatrixExpr):  # type: ignore[misc]
    """A matrix over a 1x1 matrix."""

    @property
    def shape(self) -> Any:
        """That of the numerator."""
        return self.args[0].shape


class Times(MatrixExpr):  # type: ignore[misc]
    """A 1x1 matrix times a matrix."""

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[1].shape


class Applied(MatrixExpr):  # type: ignore[misc]
    """An opaque function: (text, latex, rows, columns, *arguments)."""

    @property
    def shape(self) -> Any:
        """That of the value."""
        return self.args[2], self.args[3]


class Operated(Applied):
    """An operation of the suite's own, likewise; a claim's function is none, whatever it is called."""


class Slope(Applied):
    """A gradient: (text, latex, rows, columns, loss, variable) and the point if it is not the variable itself."""


@cache
def expression(term: Term) -> Any:
    """The term as a SymPy expression, as it stands."""
    match term:
        case Symbol():
            return Named(Str(term.text), Str(term.latex), sympy.MatrixSymbol(str(term.name), *map(_size, term.shape)))
        case Constant():
            return Named(Str(str(term.value)), Str(sympy.latex(sympy.Rational(str(term.value)))), sympy.MatrixSymbol(str(term.value), 1, 1))
        case Identity():
            return sympy.Identity(_size(term.size))
        case Zero():
            return sympy.ZeroMatrix(*map(_size, term.shape))
        case Product():
            return sympy.MatMul(*_factors(term), evaluate=False)
        case Sum():
            return sympy.MatAdd(expression(term.left), expression(term.right), evaluate=False)
        case Difference():
            return sympy.MatAdd(expression(term.left), Times(sympy.Integer(-1), expression(term.right)), evaluate=False)
        case Scaled():
            factor = sympy.Integer(-1) if term.scalar == Constant(-1) else expression(term.scalar)  # type: ignore[arg-type]
            return Times(factor, expression(term.body))
        case Quotient():
            return Over(expression(term.body), expression(term.scalar))
        case Transposed():
            return sympy.Transpose(expression(term.body))
        case Trace():
            return Applied(Str("tr"), Str(r"\operatorname{tr}"), sympy.Integer(1), sympy.Integer(1), expression(term.body))
        case Gradient():
            slope = Str(f"∇_{term.variable.text}"), Str(rf"\nabla_{{{term.variable.latex}}}")
            point = () if term.at == term.variable or printed(term.at, 0) == term.variable.text else (expression(term.at),)
            return Slope(*slope, *map(_size, term.shape), expression(term.body), expression(term.variable), *point)
        case Application():
            size = map(_size, term.shape)
            return Applied(Str(term.text), Str(term.latex), *size, *map(expression, term.arguments))
        case BuiltIn():
            shown = Str(str(term.operation)), Str(_OPERATIONS.get(term.operation, ""))
            return Operated(*shown, *map(_size, term.shape), *map(expression, term.arguments))
        case Defined():
            return Named(Str(term.text), Str(term.latex), sympy.MatrixSymbol(term.text, *map(_size, term.shape)))


def printed(term: Term, notation: int) -> str:
    """The term in a notation: 0 for a terminal, where a fraction stands on one line and its parts need brackets, 1 for LaTeX."""
    return str(_Printer(notation).doprint(expression(term)))


_OPERATIONS = {
    Operation.RANK: r"\operatorname{rank}",
    Operation.POSITIVE: r"\operatorname{positive}",
    Operation.ENTRYWISE_PRODUCT: r"\odot",
    Operation.ENTRYWISE_QUOTIENT: r"\oslash",
}
"""In LaTeX; those that are left out have brackets of their own."""

_GLYPHS = {
    "product": (" ", r"\, "),
    "brackets": ("({})", r"\left({}\right)"),
    "transposed": ("{}ᵀ", r"{{{}}}^{{\top}}"),
    "transposed in brackets": ("({})ᵀ", r"\left({}\right)^{{\top}}"),
    "fraction": ("{} / {}", r"\frac{{{}}}{{{}}}"),
    "norm": ("‖{}‖", r"\lVert {} \rVert"),
    "squared norm": ("‖{}‖²", r"\lVert {} \rVert^{{2}}"),
    "root": ("√({})", r"\sqrt{{{}}}"),
    "nonzero": ("[{} ≠ 0]", r"\left[{} \neq 0\right]"),
    "at a point": ("|_{{{} = {}}}", r"\Big|_{{{} = {}}}"),
}
"""How the parts of a term are written, in a terminal and in LaTeX."""


def _factors(term: Term) -> list[Any]:
    """The factors of a product; (W ΔA) aᵀ keeps its brackets, because they say in which order it is evaluated."""
    return [expression(part) for part in (term.left, term.right)] if isinstance(term, Product) else [expression(term)]


def _flat(expr: Any) -> list[Any]:
    """The summands of a sum that is evaluated from left to right."""
    first, *rest = expr.args
    return [*(_flat(first) if isinstance(first, sympy.MatAdd) else [first]), *rest]


def _compound(expr: Any) -> bool:
    """Whether this needs brackets before it can be transposed."""
    return isinstance(expr, sympy.MatAdd | sympy.MatMul | sympy.Transpose | Times | Over | Slope) or _entrywise(expr)


def _entrywise(expr: Any) -> bool:
    """Whether this is an entrywise product or quotient."""
    return isinstance(expr, Operated) and expr.args[0].name in ("⊙", "⊘")


def _squared(expr: Any) -> Any:
    """a if the expression is aᵀa for a column a, else None."""
    match expr.args if isinstance(expr, sympy.MatMul) else ():
        case (sympy.Transpose() as left, right) if left.arg == right and right.shape[1] == 1:
            return right
    return None


class _Printer(Printer):  # type: ignore[misc]
    def __init__(self, notation: int) -> None:
        super().__init__()
        self.notation, self.inline = notation, notation == 0

    def _glyph(self, name: str, *parts: Any) -> str:
        return _GLYPHS[name][self.notation].format(*map(self._print, parts))

    def _grouped(self, expr: Any, needed: bool) -> str:
        """The expression, in brackets if they are needed."""
        return self._glyph("brackets", expr) if needed else str(self._print(expr))

    def _join(self, factors: Any, between: str) -> str:
        return between.join(self._grouped(factor, _compound(factor) and not isinstance(factor, sympy.Transpose)) for factor in factors)

    def _print_Named(self, expr: Any) -> str:
        return str(expr.args[self.notation].name)

    def _print_MatMul(self, expr: Any) -> str:
        return self._join(expr.args, self._glyph("product"))

    def _print_MatAdd(self, expr: Any) -> str:
        shown = ""
        for position, part in enumerate(_flat(expr)):
            minus = isinstance(part, Times) and part.args[0] == -1
            body = part.args[1] if minus else part
            printed = f"({self._print(body)})" if minus and isinstance(body, sympy.MatAdd) else self._print(body)
            shown += (" - " if minus else " + ") + printed if position else ("-" if minus else "") + printed
        return shown

    def _print_Transpose(self, expr: Any) -> str:
        return self._glyph("transposed in brackets" if _compound(expr.arg) else "transposed", expr.arg)

    def _print_Over(self, expr: Any) -> str:
        above, below = expr.args
        root = _squared(below)
        top = self._grouped(above, self.inline and isinstance(above, sympy.MatAdd | Times))
        compound = self.inline and isinstance(below, sympy.MatAdd | sympy.MatMul | Times | Over)
        return self._glyph("fraction", top, self._grouped(below, compound) if root is None else self._glyph("squared norm", root))

    def _print_Times(self, expr: Any) -> str:
        factor, body = expr.args
        shown = self._grouped(body, isinstance(body, sympy.MatAdd))
        if factor == -1:
            return f"-{shown}"
        compound = isinstance(factor, sympy.MatAdd | sympy.MatMul) or (self.inline and isinstance(factor, Over))
        return self._grouped(factor, compound) + self._glyph("product") + shown

    def _print_Applied(self, expr: Any) -> str:
        return str(expr.args[self.notation].name) + self._glyph("brackets", ", ".join(map(self._print, expr.args[4:])))

    def _print_Operated(self, expr: Any) -> str:
        kind, name, arguments = expr.args[0].name, expr.args[self.notation].name, expr.args[4:]
        if _entrywise(expr):
            return self._join(arguments, f" {name} ")
        if kind == str(Operation.ROOT):
            root = _squared(arguments[0])
            return self._glyph("root", *arguments) if root is None else self._glyph("norm", root)
        return self._glyph("nonzero", *arguments) if kind == str(Operation.NONZERO) else self._print_Applied(expr)

    def _print_Slope(self, expr: Any) -> str:
        loss, *at = expr.args[4:]
        return f"{expr.args[self.notation].name}{self._glyph('brackets', loss)}{self._glyph('at a point', *at) if len(at) == 2 else ''}"

    def _print_Identity(self, expr: Any) -> str:
        return "1"

    def _print_ZeroMatrix(self, expr: Any) -> str:
        return "0"


def _size(name: str) -> Any:
    return sympy.Integer(1) if name == "1" else sympy.Symbol(name, integer=True, positive=True)
