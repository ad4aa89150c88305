"""The structure of the house, which a newcomer reads off the listing: wings, faces, names, sizes."""

import ast
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("verify", "reports", "numeric", "symbolic")
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
WINGS = sorted(path.parent for floor in FLOORS for path in (ROOT / floor).glob("*/__init__.py"))
REGISTRIES = ("numeric/blocks", "numeric/scenarios", "symbolic/claims")
"""Folders whose files are rows, each with names of its own; their faces are the lookups."""

FACE = 10
"""Names that a face hands on at most."""
SHARED = 3
"""Files of other wings that use a name before the face has to hand it on, if it has room."""
LINES, PARAMETERS = 350, 6

SAME_IN_SEVERAL: dict[str, str] = {
    "Counterexample": "a row of the record is what the search found, as it is stored",
    "Formula": "a row of the record is a statement's formula, as it is stored",
    "TrialSummary": "a row of the record is a mean over trials, as it is stored",
    "Step": "a row of the record is a line of a proof, as it is stored",
    "Product": "numeric's is a module of torch that users import, symbolic's a term of a statement",
    "Refinement": "a row of the record is a refinement of the machine's error model, as it is stored",
    **dict.fromkeys(("cast_up", "dense_layer", "in_arithmetic", "stored"), "one operation in two arithmetics, value and radius and value and variance"),
}
"""Public names that several modules define, because they are one thing there too; and why."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def handed_on(wing: Path) -> list[str]:
    """The face's ``__all__``."""
    for node in parsed(wing / "__init__.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


@cache
def imported(wing: Path) -> dict[str, dict[str, set[Path]]]:
    """What files outside of a wing import of it: by the module that it is taken from, by name, who."""
    dotted = ".".join(wing.relative_to(ROOT).parts)
    found: dict[str, dict[str, set[Path]]] = defaultdict(lambda: defaultdict(set))
    for path in SOURCES:
        if wing not in path.parents:
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{dotted}."):
                    for alias in node.names:
                        found[node.module or ""][alias.name].add(path)
    return found


@pytest.mark.parametrize("wing", WINGS, ids=name)
def test_a_face_says_what_the_wing_is_and_hands_on_what_others_import(wing: Path) -> None:
    """Ten names at most, each imported by another wing; and what several files of other wings use is among them as long as there is room."""
    face, dotted = parsed(wing / "__init__.py"), ".".join(wing.relative_to(ROOT).parts)
    said = ast.get_docstring(face)
    assert said is not None
    sentence = said.split("\n\n")[0]
    assert sentence.endswith(".")
    assert not re.search(r"[.] [A-Z`]", sentence), "what the wing is, in one sentence; more of it in a paragraph of its own"
    names, from_face = handed_on(wing), imported(wing).get(dotted, {})
    assert len(names) <= FACE
    unused = [each for each in names if each not in from_face]
    assert not unused, f"no other wing imports {unused} from {name(wing)}"
    modules = {path.stem for path in wing.iterdir()}
    assert not modules & set(names), f"a file of {name(wing)} has the name of what its face hands on"
    past = [
        f"{name(who)}: {each} from {module}"
        for module, taken in imported(wing).items()
        if module != dotted
        for each in taken
        if each in names
        for who in taken[each]
    ]
    assert not past, f"to be taken from the face {dotted}: {past}"
    hidden = [each for each in from_face if each not in names and each not in modules]
    assert not hidden, f"{dotted} does not hand on {hidden}"
    if len(names) < FACE:
        users: dict[str, set[Path]] = defaultdict(set)
        for module, taken in imported(wing).items():
            for each, who in taken.items():
                if module != dotted:
                    users[each] |= who
        shared = sorted(each for each, who in users.items() if len(who) >= SHARED)
        assert not shared, f"{shared} are used in {SHARED} files and more: the face {dotted} has room for them"


@pytest.mark.parametrize("wing", [wing for wing in WINGS if name(wing) not in REGISTRIES], ids=name)
def test_a_face_defines_nothing(wing: Path) -> None:
    for node in parsed(wing / "__init__.py").body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert text or names or isinstance(node, ast.ImportFrom), f"{name(wing)}/__init__.py, line {node.lineno}"


def test_every_module_is_in_a_wing_but_the_faces_and_what_is_run() -> None:
    loose = {floor: sorted(path.stem for path in (ROOT / floor).glob("*.py")) for floor in FLOORS}
    assert loose == {
        "verify": ["__init__", "__main__", "apart", "exit_status", "progress", "pytest_plugin", "streams"],
        "reports": ["__init__", "page", "terminal"],
        "numeric": ["__init__"],
        "symbolic": ["__init__", "claim", "errata", "formulas", "prover"],
    }


def test_the_contract_of_imports_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@cache
def comments(path: Path) -> frozenset[int]:
    """The lines that hold a comment; a ``#`` in a string is none."""
    with path.open("rb") as file:
        return frozenset(token.start[0] for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT)


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=name)
def test_a_file_is_short_and_formatted_and_its_functions_have_few_parameters(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES
    assert not any(re.search(r"#\s*fmt:\s*(skip|off)", line) for line in lines)
    if ROOT / "tests" not in path.parents:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                every = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
                parameters = [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]
                signature = range(node.lineno, node.body[0].lineno + 1)
                assert len(parameters) <= PARAMETERS or any(line in signature for line in comments(path)), (
                    f"{node.name} has {len(parameters)} parameters, and no reason beside it"
                )


def test_one_name_is_one_thing() -> None:
    """No two modules define the same public class, function or constant; rows of registries excepted, and what is listed with its reason."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        if name(path.parent) not in REGISTRIES:
            for node in parsed(path).body:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
                defined = [each.id for each in chain.from_iterable(map(ast.walk, targets)) if isinstance(each, ast.Name)]
                for each in [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else defined:
                    places[each].add(name(path))
    several = {each: where for each, where in places.items() if len(where) > 1 and not each.startswith("_")}
    assert not {each: where for each, where in several.items() if each not in SAME_IN_SEVERAL}
    assert set(SAME_IN_SEVERAL) <= set(several), "a name that only one module defines needs no reason"
