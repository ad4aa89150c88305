"""The value-and-radius arithmetic with one of its terms made smaller: the sites where a constant stands, and the module that a change of one gives.

Its source is that of ``value_and_radius.py`` and of what that is made of, ``roundoff.py`` and ``hazard.py``, in one.

A site is a place in the source at which a rule takes a constant of the arithmetic (u, η/2, λ, Ω, γ_n), an error that another rule states, or a
radius or a magnitude that an operand brings along. The sites are read off the syntax tree, so a term that is written tomorrow is a site tomorrow.
"""

import ast
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from torch import Tensor

from numeric.arithmetics import hazard, roundoff, value_and_radius
from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.partial_sums import PartialSums
from numeric.machine import error_model

CONSTANTS = {"unit_roundoff", "half_subnormal", "smallest_normal", "elementwise_roundoff", "elementwise_underflow", "sum_roundoff", "largest"}
INHERITED = {"radius", "entry_radius", "magnitude", "slack"}
OF_ONE_ROUNDING = {"gamma", "first_place", "rounding_error", "entrywise_rounding", "sum_error", "operand_error", "subnormal_part"}
ERRORS = OF_ONE_ROUNDING | {"operand_error_of_matrix", "product_radius", "partial_sums", "_flushed_operands", "_sum_error_in_order"}
UPWARD = {"foretell_overflow.largest", "sum_error.first_place", "sum_error.smallest_normal"}
"""Thresholds below which nothing is foretold or nothing is lost: they loosen when they grow."""
PROPERTIES = ("sum_roundoff", "elementwise_roundoff", "elementwise_underflow")
"""Of ``ErrorModel``: constants that are made of a format's."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a term stands."""

    module: str
    function: str
    term: str
    count: int
    """Which of this name in the function, from 1."""

    def __str__(self) -> str:
        return f"{self.function}.{self.term}#{self.count}"

    @property
    def upward(self) -> bool:
        """Whether the rule loosens when the term grows."""
        return f"{self.function}.{self.term}" in UPWARD


HALF, NOTHING = (0.5, 2.0), (0.0, 2.0**400)
"""What a term is multiplied by, and a threshold in ``UPWARD``."""


def scaled(x: Any, factor: float) -> Any:
    """A term times a number, whatever it is made of."""
    if isinstance(x, Envelope):
        return Envelope() if factor == 0.0 else x.scaled(factor)
    if isinstance(x, PartialSums):
        return PartialSums(x.accumulated * factor, x.stored * factor)
    if isinstance(x, Tensor):
        return (x.double() * factor).to(x.dtype)
    return x if x is None else x * factor


class _Walk(ast.NodeTransformer):
    """Finds the sites; wraps those that it is told of in ``scaled(·, factor)``: one factor for terms, the other for thresholds that loosen upwards."""

    def __init__(self, module: str, targets: frozenset[Site] = frozenset(), factors: tuple[float, float] = (1.0, 1.0)) -> None:
        self.module, self.targets, self.factors = module, targets, factors
        self.sites: list[Site] = []
        self.functions: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if not self.functions:
            self.functions.append(node.name)
            node.body = [self.visit(statement) for statement in node.body]
            self.functions.pop()
        return node

    def _site(self, node: ast.expr, term: str) -> ast.expr:
        function = self.functions[-1]
        count = 1 + sum((found.function, found.term) == (function, term) for found in self.sites)
        site = Site(self.module, function, term, count)
        self.sites.append(site)
        if site not in self.targets:
            return node
        return ast.Call(ast.Name("scaled", ast.Load()), [node, ast.Constant(self.factors[site.upward])], [])

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return self._site(node, node.attr) if self.functions and node.attr in CONSTANTS | INHERITED else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        method = isinstance(node.func, ast.Attribute) and node.func.attr in CONSTANTS  # Envelope.largest() is no constant
        if method:
            assert isinstance(node.func, ast.Attribute)
            node.func.value = self.visit(node.func.value)
            node.args = [self.visit(arg) for arg in node.args]
        else:
            self.generic_visit(node)
        return self._site(node, node.func.id) if isinstance(node.func, ast.Name) and node.func.id in ERRORS else node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        node.value = self.visit(node.value)
        if node.arg == "radius":  # what a number is made with
            node.value = self._site(node.value, "given_radius")
        return node


MODULES = {"rounding": (hazard, roundoff, value_and_radius), "numerics": (error_model,)}


def source(module: str) -> ast.Module:
    """The modules in one, without what they import of each other."""
    names = {each.__name__ for each in MODULES[module]}
    statements = [node for each in MODULES[module] for node in ast.parse(inspect.getsource(each)).body]
    return ast.Module([node for node in statements if not (isinstance(node, ast.ImportFrom) and node.module in names)], [])


@cache
def sites(module: str) -> tuple[Site, ...]:
    """Every site of a module, in the order of the source."""
    walk = _Walk(module)
    walk.visit(source(module))
    return tuple(walk.sites)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module in which some terms are multiplied by a factor."""

    module: ModuleType
    reached: set[str]
    """Grows by a word when one of these terms is evaluated."""


def mutant(changed: Iterable[Site], factors: tuple[float, float]) -> Mutant:
    """The module in which these sites, all of one module, are so changed."""
    targets = frozenset(changed)
    (name,) = {site.module for site in targets}
    title = MODULES[name][-1].__name__
    tree = ast.fix_missing_locations(_Walk(name, targets, factors).visit(source(name)))
    made = Mutant(ModuleType(title), set())

    def noted(x: Any, factor: float) -> Any:
        made.reached.add("reached")
        return scaled(x, factor)

    made.module.__dict__["scaled"] = noted
    exec(compile(tree, f"{title} with {sorted(map(str, targets))} changed", "exec"), made.module.__dict__)
    return made


def rules() -> set[str]:
    """The public functions of these modules and the methods of ``WithRadius``."""
    modules = MODULES["rounding"]
    own = {name: found.__module__ for module in modules for name, found in inspect.getmembers(module, inspect.isfunction)}
    public = {name for name, where in own.items() if name[0] != "_" and where in {module.__name__ for module in modules}}
    tree = ast.parse(inspect.getsource(value_and_radius))
    (made,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "WithRadius")
    return public | {node.name for node in made.body if isinstance(node, ast.FunctionDef)}
