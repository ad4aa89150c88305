"""One constant, term or factor of a module made another: the mutants that its syntax tree allows, and the module with one of them in force.

Mutants are read off the source, so a term that is written tomorrow has its mutants tomorrow:

    c             c/2, 2c            a number in an expression; not one that is an axis, a shape or a place
    a + b         a, b               a term dropped, or what is subtracted
    a·b, a/b      a, b               a factor dropped, or a divisor
    f(x)          x                  what is rounded up or down, cut off or made absolute is left as it is: ``outward``, ``clamp_min``, ``abs``, ...
    max           min                and back; ``torch.hypot(a, b)`` becomes a, or b
    a < b         a > b              a condition turned about; ``a & b`` becomes a, or b; ``a |= b`` is dropped
    f             f/2                what a function of errors in ``HALVED`` returns
    if t          if not t           and the like (``turned.py``), in modules that are named there

A mutant is put into force by giving the module's own functions other code, so that whoever has imported one computes with the change.
"""

import ast
import copy
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.numeric.turned import TURNED_TOO, shown, turned

LEFT_AS_IT_IS = {"outward", "up", "down", "lowered", "clamp_min", "clamp_max", "clamp", "abs", "amax", "amin", "nan_to_num", "_float_above", "upper"}
"""Calls of which the operand is left as it is, where it is of the same shape."""
WIDENED = {"outward", "lowered", "up", "down", "_float_above"}
"""Calls that allow for float64's own rounding."""
OPPOSITE = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "amax": "amin", "amin": "amax", "up": "down", "down": "up"}
OPPOSITE |= {"exp_above": "exp_below", "exp_below": "exp_above", "sqrt_above": "sqrt_below", "sqrt_below": "sqrt_above", "floor": "ceil", "ceil": "floor"}
ONE_OF = {"hypot", "minimum", "maximum", "max", "min"}
"""Calls of two operands, of which one alone is left."""
HALVED = {"gamma", "rounding_error", "storage_error", "operand_error", "first_place", "subnormal_part", "product_error", "entrywise_rounding", "input_radius"}
HALVED |= {"underflow_unit", "flushed_below", "elementary_error", "product_radius", "deviations_allowed", "sum_error"}
OF_PLACES = {"unsqueeze", "squeeze", "sum", "mean", "any", "all", "flatten", "reshape", "view", "expand", "split", "unflatten", "cat", "stack", "norm"}
OF_PLACES |= {
    "cumsum",
    "topk",
    "movedim",
    "roll",
    "size",
    "range",
    "zeros",
    "ones",
    "full",
    "empty",
    "repeat",
    "eye",
    "diagonal",
    "median",
    "repeat_interleave",
}
OF_PLACES |= {"amax", "amin", "max", "min", "expand_as", "argmax", "zeros_like", "ones_like", "enumerate", "getattr", "hasattr", "isinstance", "zip"}
"""Calls whose whole numbers are axes, shapes or counts."""
TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.Gt, ast.Gt: ast.Lt, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change."""

    module: str
    function: str
    """By its qualified name; empty for a constant of the module."""
    before: str
    after: str
    count: int
    """Which of the like in the function, from 1."""
    node: int = field(compare=False)
    """Where it stands in the walk of the tree."""
    variant: int = field(compare=False)
    """Which of the changes of that node."""
    steps: bool = field(default=False, compare=False)
    """Whether it is of how far a number is rounded outward for float64's own rounding: a count of operations, or the rounding itself."""

    def __str__(self) -> str:
        return f"{self.function or 'constant'}: {self.before} → {self.after}" + (f" #{self.count}" if self.count > 1 else "")


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _scaled(node: ast.expr, factor: float) -> ast.expr:
    return ast.BinOp(copy.deepcopy(node), ast.Mult(), ast.Constant(factor))


def changes(node: ast.AST) -> list[ast.AST]:
    """What a node may become."""
    made: list[ast.AST] = []
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value:
        whole = type(node.value) is int
        half = node.value // 2 if whole and node.value % 2 == 0 else node.value / 2 if not whole else node.value - 1
        made = [ast.Constant(half), ast.Constant(node.value * 2)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult | ast.BitAnd | ast.BitOr):
        made = [] if _is_type(node.left) or _is_type(node.right) else [node.left, node.right]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.Pow):
        made = [node.left]
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.BitOr):
        made = [ast.Pass()]
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in TURNED:
        made = [ast.Compare(node.left, [TURNED[type(node.ops[0])]()], node.comparators)]
    elif isinstance(node, ast.IfExp):
        made = [node.body, node.orelse]
    elif isinstance(node, ast.Call):
        made = list(_of_calls(node))
    return [*made, *turned(node)]


def _is_type(node: ast.expr) -> bool:
    """Of ``T | None`` or ``float | T``, which is no sum."""
    return (isinstance(node, ast.Constant) and node.value is None) or (isinstance(node, ast.Name) and node.id in ("float", "int", "str"))


def _of_calls(node: ast.Call) -> Iterator[ast.AST]:
    name, method = _name(node.func), isinstance(node.func, ast.Attribute) and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "torch")
    operand = node.func.value if method and isinstance(node.func, ast.Attribute) else node.args[0] if node.args else None
    if name in LEFT_AS_IT_IS and operand is not None and name not in ("amax", "amin"):
        yield operand
    if name in OPPOSITE:
        func = copy.deepcopy(node.func)
        setattr(func, "attr" if isinstance(func, ast.Attribute) else "id", OPPOSITE[name])
        yield ast.Call(func, node.args, node.keywords)
    if name in ONE_OF and not method and len(node.args) == 2 and not any(isinstance(arg, ast.Starred) for arg in node.args):
        yield from node.args
    if name == "where" and len(node.args) == 3:
        yield from node.args[1:]
    if name in HALVED:
        yield _scaled(node, 0.5)
    if name == "foretell_overflow":
        yield ast.Constant(None)


def _is_place(node: ast.Constant, parents: list[ast.AST]) -> bool:
    """Whether a number says where or how many, and not how much."""
    below: ast.AST = node
    for parent in reversed(parents):
        if isinstance(parent, ast.Subscript) and below is parent.slice:
            return True
        if isinstance(parent, ast.keyword) and parent.arg in ("dim", "dims", "maxsplit", "strict", "precision"):
            return True
        if isinstance(parent, ast.Call) and type(node.value) is int and _name(parent.func) in OF_PLACES and below is not parent.func:
            return _name(parent.func) != "full" or below is parent.args[0]  # what it is filled with is a number
        if isinstance(parent, ast.Compare) and type(node.value) is int:
            return True  # a count of axes or of terms
        if isinstance(parent, ast.JoinedStr | ast.Raise | ast.Assert):
            return True
        if isinstance(parent, ast.Call | ast.BinOp | ast.Compare) and type(node.value) is float:
            return False
        below = parent
    return False


class _Walk(ast.NodeVisitor):
    """Numbers the nodes of the functions, and keeps what each may become."""

    def __init__(self, module: str) -> None:
        self.module, self.parents, self.qualified, self.found = module, [], [], []  # type: ignore[var-annotated]
        self.number = -1

    def _counts_steps(self, node: ast.AST) -> bool:
        """Whether a node is in the second argument of ``outward`` or its like."""
        below = node
        for parent in reversed(self.parents):
            if isinstance(parent, ast.Call) and _name(parent.func) in WIDENED and below in parent.args[1:]:
                return True
            below = parent
        return False

    def _annotates(self, node: ast.AST) -> bool:
        """Whether a node says of which type something is."""
        inner = [*self.parents[1:], node]
        return any(below in (getattr(parent, "returns", None), getattr(parent, "annotation", None)) for parent, below in zip(self.parents, inner, strict=True))

    def parents_named(self) -> list[ast.AST]:
        return [each for each in self.parents if isinstance(each, ast.FunctionDef | ast.ClassDef)]

    def generic_visit(self, node: ast.AST) -> None:
        self.number += 1
        number, named = self.number, isinstance(node, ast.FunctionDef | ast.ClassDef)
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.arguments) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            self.number += sum(1 for _ in ast.walk(node)) - 1
            return
        depth = 1 + next((place for place, each in enumerate(self.parents_named()) if isinstance(each, ast.FunctionDef)), 0)
        function = ".".join(self.qualified[:depth])
        constant = not self.qualified and any(isinstance(parent, ast.Assign) for parent in self.parents)
        if (constant or (function and any(isinstance(parent, ast.FunctionDef) for parent in self.parents))) and not (
            (isinstance(node, ast.Constant) and _is_place(node, self.parents)) or self._annotates(node)
        ):
            made = changes(node)
            for variant, after in enumerate(made if self.module in TURNED_TOO else made[: len(made) - len(turned(node))]):
                steps = self._counts_steps(node) or (isinstance(node, ast.Call) and _name(node.func) in WIDENED and after in (node.args[:1]))
                self.found.append(Mutant(self.module, function, _text(node), _text(after), 0, number, variant, steps))
        self.parents.append(node)
        if named:
            self.qualified.append(node.name)  # type: ignore[attr-defined]
        super().generic_visit(node)
        if named:
            self.qualified.pop()
        self.parents.pop()


def _text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(shown(node)))) if not isinstance(node, ast.Pass) else "nothing"


class _Put(ast.NodeTransformer):
    """Puts one change in its place."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant, self.number = mutant, -1

    def generic_visit(self, node: ast.AST) -> ast.AST:
        self.number += 1
        if self.number == self.mutant.node:
            return ast.copy_location(copy.deepcopy(changes(node)[self.mutant.variant]), node)
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.arguments) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            self.number += sum(1 for _ in ast.walk(node)) - 1
            return node
        return super().generic_visit(node)


@cache
def mutants(module: str) -> tuple[Mutant, ...]:
    """Every mutant of a module, in the order of the source."""
    walk = _Walk(module)
    walk.visit(ast.parse(inspect.getsource(importlib.import_module(module))))
    counts: dict[tuple[str, str, str], int] = {}
    numbered = []
    for each in walk.found:
        key = (each.function, each.before, each.after)
        counts[key] = counts.get(key, 0) + 1
        numbered.append(Mutant(each.module, *key, counts[key], each.node, each.variant, each.steps))
    return tuple(numbered)


def functions(module: ModuleType) -> dict[str, FunctionType]:
    """The functions and methods that a module defines, by the qualified name of their code."""
    found: dict[str, FunctionType] = {}

    def add(thing: Any) -> None:
        thing = inspect.unwrap(getattr(thing, "fget", None) or getattr(thing, "__func__", None) or thing)
        if isinstance(thing, FunctionType) and thing.__module__ == module.__name__:
            found.setdefault(thing.__code__.co_qualname, thing)
        elif inspect.isclass(thing) and thing.__module__ == module.__name__:
            for inner in vars(thing).values():
                if not inspect.isclass(inner):
                    add(inner)

    for thing in list(vars(module).values()):
        add(thing)
        for registered in getattr(thing, "registry", {}).values():
            add(registered)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


@contextmanager
def in_force(mutant: Mutant) -> Iterator[None]:
    """The module with this change, for everybody who has imported it."""
    module = importlib.import_module(mutant.module)
    tree = ast.fix_missing_locations(_Put(mutant).visit(ast.parse(inspect.getsource(module))))
    if not mutant.function:
        with _constants(module, tree):
            yield
        return
    made = {code.co_qualname: code for code in _codes(compile(tree, module.__file__ or "", "exec"))}
    own = functions(module)
    function = own[mutant.function]
    before = function.__code__
    assert made[mutant.function].co_freevars == before.co_freevars, "a closure that needs other cells"
    function.__code__ = made[mutant.function]
    try:
        yield
    finally:
        function.__code__ = before


@contextmanager
def _constants(module: ModuleType, tree: ast.AST) -> Iterator[None]:
    """Constants of a module that are others, wherever they were imported to; and what the module made of them."""
    changed: dict[str, Any] = {}
    again = ModuleType(module.__name__)
    again.__dict__.update({"__file__": module.__file__})
    exec(compile(tree, module.__file__ or "", "exec"), again.__dict__)  # type: ignore[arg-type]
    for name, value in vars(again).items():
        old = vars(module).get(name)
        if not name.lstrip("_").isupper() or isinstance(value, bool):
            continue
        if (_numbers(value) and value != old) or (_rows(value) and repr(value) != repr(old)):
            changed[name] = (old, value)
    assert changed, "no constant has another value"
    restore: list[Callable[[], None]] = []
    for other in _wearers():
        for name, (old, value) in changed.items():
            if vars(other).get(name) is old and old is not None:
                restore.append(lambda other=other, name=name, old=old: setattr(other, name, old))  # type: ignore[misc]
                setattr(other, name, value)
    for thing in vars(module).values():  # rows of tables that hold a constant as a field
        for slot in getattr(type(thing), "__dataclass_fields__", {}):
            for old, value in changed.values():
                if getattr(thing, slot) is old:
                    restore.append(lambda thing=thing, slot=slot, old=old: object.__setattr__(thing, slot, old))  # type: ignore[misc]
                    object.__setattr__(thing, slot, value)
    try:
        yield
    finally:
        for put_back in restore:
            put_back()


def _numbers(value: object) -> bool:
    return isinstance(value, int | float | slice) or (isinstance(value, tuple) and all(isinstance(each, int | float) for each in value))


def _rows(value: object) -> bool:
    """Whether it is a table; its rows are of another class where the module was made again, and differ by what they print."""
    return isinstance(value, tuple) and bool(value) and all(hasattr(each, "__dataclass_fields__") for each in value)


def _wearers() -> list[ModuleType]:
    return [each for name, each in list(sys.modules.items()) if name.split(".")[0] in ("numeric", "tests") and isinstance(each, ModuleType)]
