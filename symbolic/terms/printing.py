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
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from symbolic.terms.term import (
    Application,
    Constant,
    Defined,
    Difference,
    Gradient,
    Identity,
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
    """A symbol that is shown in one way in a terminal and in another in LaTeX; SymPy's MatrixSymbol underneath."""

    @property
    def shape(self) -> Any:
        """That of the symbol."""
        return self.args[0].shape


class Over(MatrixExpr):  # type: ignore[misc]
    """A matrix over a 1x1 matrix."""

    precedence = PRECEDENCE["Mul"]

    @property
    def shape(self) -> Any:
        """That of the numerator."""
        return self.args[0].shape


class Times(MatrixExpr):  # type: ignore[misc]
    """A 1x1 matrix times a matrix."""

    precedence = PRECEDENCE["Mul"]

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


class Slope(MatrixExpr):  # type: ignore[misc]
    """A gradient: (text, latex, rows, columns, loss, variable) and the point if it is not the variable itself."""

    @property
    def shape(self) -> Any:
        """That of the variable."""
        return self.args[2], self.args[3]


COMPOUND = (sympy.MatAdd, sympy.MatMul, sympy.Transpose, Times, Over)
"""What needs brackets before it can be transposed."""


@cache
def expression(term: Term) -> Any:
    """The term as a SymPy expression, as it stands."""
    match term:
        case Symbol():
            return Named(sympy.MatrixSymbol(term.name, *map(_size, term.shape)), Str(term.text), Str(term.latex))
        case Constant():
            return Named(sympy.MatrixSymbol(str(term.value), 1, 1), Str(str(term.value)), Str(sympy.latex(sympy.Rational(str(term.value)))))
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
            point = () if term.at == term.variable or text(term.at) == term.variable.text else (expression(term.at),)
            return Slope(*slope, *map(_size, term.shape), expression(term.body), expression(term.variable), *point)
        case Application():
            size = map(_size, term.shape)
            return Applied(Str(term.text), Str(term.latex), *size, *map(expression, term.arguments))
        case Defined():
            return Named(sympy.MatrixSymbol(term.text, *map(_size, term.shape)), Str(term.text), Str(term.latex))


def text(term: Term) -> str:
    """One line of Unicode for a terminal."""
    return str(_TextPrinter().doprint(expression(term)))


def latex(term: Term) -> str:
    """LaTeX without delimiters."""
    return str(_LatexPrinter().doprint(expression(term)))


class _OneLine:
    """What both printers do alike: where brackets go, and ‖a‖² for aᵀa."""

    def _join(self, expr: Any, brackets: tuple[str, str], between: str) -> str:
        printed = []
        for factor in expr.args:
            shown = self._print(factor)  # type: ignore[attr-defined]
            bare = isinstance(factor, sympy.Transpose) or not (isinstance(factor, COMPOUND) or _entrywise(factor))
            printed.append(shown if bare else f"{brackets[0]}{shown}{brackets[1]}")
        return between.join(printed)

    def _add(self, expr: Any) -> str:
        shown = ""
        for position, part in enumerate(_flat(expr)):
            minus = isinstance(part, Times) and part.args[0] == -1
            body = part.args[1] if minus else part
            printed = self._print(body)  # type: ignore[attr-defined]
            if minus and isinstance(body, sympy.MatAdd):
                printed = f"({printed})"
            shown += (" - " if minus else " + ") + printed if position else ("-" if minus else "") + printed
        return shown


def _factors(term: Term) -> list[Any]:
    """The factors of a product; (W ΔA) aᵀ keeps its brackets, because they say in which order it is evaluated."""
    return [expression(part) for part in (term.left, term.right)] if isinstance(term, Product) else [expression(term)]


def _flat(expr: Any) -> list[Any]:
    """The summands of a sum that is evaluated from left to right."""
    first, *rest = expr.args
    return [*(_flat(first) if isinstance(first, sympy.MatAdd) else [first]), *rest]


def _entrywise(expr: Any) -> bool:
    """Whether this is an entrywise product or quotient."""
    return isinstance(expr, Applied) and expr.args[0].name in ("⊙", "⊘")


def _squared(expr: Any) -> Any:
    """a if the expression is aᵀa for a column a, else None."""
    match expr.args if isinstance(expr, sympy.MatMul) else ():
        case (sympy.Transpose() as left, right) if left.arg == right and right.shape[1] == 1:
            return right
    return None


class _TextPrinter(_OneLine, StrPrinter):  # type: ignore[misc]
    def _print_Named(self, expr: Any) -> str:
        return str(expr.args[1].name)

    def _print_MatMul(self, expr: Any) -> str:
        return self._join(expr, ("(", ")"), " ")

    def _print_MatAdd(self, expr: Any) -> str:
        return self._add(expr)

    def _print_Transpose(self, expr: Any) -> str:
        shown = self._print(expr.arg)
        return f"({shown})ᵀ" if (isinstance(expr.arg, COMPOUND) or _entrywise(expr.arg)) else f"{shown}ᵀ"

    def _print_Over(self, expr: Any) -> str:
        above, below = (self._print(part) for part in expr.args)
        inner = _squared(expr.args[1])
        above = f"({above})" if isinstance(expr.args[0], sympy.MatAdd | Times) else above
        if inner is not None:
            return f"{above} / ‖{self._print(inner)}‖²"
        return f"{above} / ({below})" if isinstance(expr.args[1], sympy.MatAdd | sympy.MatMul | Times | Over) else f"{above} / {below}"

    def _print_Times(self, expr: Any) -> str:
        factor, body = expr.args
        shown = f"({self._print(body)})" if isinstance(body, sympy.MatAdd) else self._print(body)
        if factor == -1:
            return f"-{shown}"
        front = self._print(factor)
        return f"({front}) {shown}" if isinstance(factor, sympy.MatAdd | sympy.MatMul | Over) else f"{front} {shown}"

    def _print_Applied(self, expr: Any) -> str:
        name, inner = expr.args[0].name, ", ".join(self._print(argument) for argument in expr.args[4:])
        if name == "√" and (root := _squared(expr.args[4])) is not None:
            return f"‖{self._print(root)}‖"
        if name == "nonzero":
            return f"[{inner} ≠ 0]"
        return self._join(sympy.Tuple(*expr.args[4:]), ("(", ")"), f" {name} ") if _entrywise(expr) else f"{name}({inner})"

    def _print_Slope(self, expr: Any) -> str:
        at = f"|_{{{self._print(expr.args[5])} = {self._print(expr.args[6])}}}" if len(expr.args) == 7 else ""
        return f"{expr.args[0].name}({self._print(expr.args[4])}){at}"

    def _print_Identity(self, expr: Any) -> str:
        return "1"

    def _print_ZeroMatrix(self, expr: Any) -> str:
        return "0"


class _LatexPrinter(_OneLine, LatexPrinter):  # type: ignore[misc]
    def _print_Named(self, expr: Any) -> str:
        return str(expr.args[2].name)

    def _print_MatMul(self, expr: Any) -> str:
        return self._join(expr, (r"\left(", r"\right)"), r"\, ")

    def _print_MatAdd(self, expr: Any) -> str:
        return self._add(expr)

    def _print_Transpose(self, expr: Any) -> str:
        shown = self._print(expr.arg)
        return rf"\left({shown}\right)^{{\top}}" if (isinstance(expr.arg, COMPOUND) or _entrywise(expr.arg)) else rf"{{{shown}}}^{{\top}}"

    def _print_Over(self, expr: Any) -> str:
        inner = _squared(expr.args[1])
        below = rf"\lVert {self._print(inner)} \rVert^{{2}}" if inner is not None else self._print(expr.args[1])
        return rf"\frac{{{self._print(expr.args[0])}}}{{{below}}}"

    def _print_Times(self, expr: Any) -> str:
        factor, body = expr.args
        shown = rf"\left({self._print(body)}\right)" if isinstance(body, sympy.MatAdd) else self._print(body)
        if factor == -1:
            return f"-{shown}"
        front = self._print(factor)
        return rf"\left({front}\right)\, {shown}" if isinstance(factor, sympy.MatAdd | sympy.MatMul) else rf"{front}\, {shown}"

    def _print_Applied(self, expr: Any) -> str:
        name, inner = expr.args[0].name, ", ".join(self._print(argument) for argument in expr.args[4:])
        if name == "√":
            root = _squared(expr.args[4])
            return rf"\lVert {self._print(root)} \rVert" if root is not None else rf"\sqrt{{{inner}}}"
        if name == "nonzero":
            return rf"\left[{inner} \neq 0\right]"
        if _entrywise(expr):
            return self._join(sympy.Tuple(*expr.args[4:]), (r"\left(", r"\right)"), rf" {expr.args[1].name} ")
        return rf"{expr.args[1].name}\left({inner}\right)"

    def _print_Slope(self, expr: Any) -> str:
        at = rf"\Big|_{{{self._print(expr.args[5])} = {self._print(expr.args[6])}}}" if len(expr.args) == 7 else ""
        return rf"{expr.args[1].name}\left({self._print(expr.args[4])}\right){at}"

    def _print_Identity(self, expr: Any) -> str:
        return "1"

    def _print_ZeroMatrix(self, expr: Any) -> str:
        return "0"


def _size(name: str) -> Any:
    return sympy.Integer(1) if name == "1" else sympy.Symbol(name, integer=True, positive=True)
