"""Each condition at which a proof is refused is needed: with that one dropped, and every other in force, a false statement is derived.

The conditions are read off the syntax trees of the two modules that hold them, so a new one has to be given a false statement, or a reason.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from symbolic import prover
from symbolic.derivation import Derivation, inference
from symbolic.terms.legend import Legend
from tests.symbolic.false_claims import MISTAKEN
from tests.symbolic.false_inferences import INFERRED
from tests.symbolic.false_scopes import SCOPED

FALSE = MISTAKEN | SCOPED | INFERRED
DERIVATION, INFERENCE = inspect.getmodule(Derivation), inference

NEEDED = {
    "nonzero_by_map: not algebra.is_nonzero(algebra.normal_form(target))": ("not zero, by a target that may be zero",),
    "zero_by_map: not known.follows(value, zero)": ("zero, of a value that may be another",),
    'rank_of_outer_product: column.shape[1] != "1"': ("rank 1, of more columns than one",),
    "rank_of_outer_product: needed is None": ("rank 1, of another matrix",),
    "rank_of_outer_product: not algebra.is_nonzero(algebra.normal_form(column))": ("rank 1, of a column that may be zero",),
    "rank_of_outer_product: not algebra.is_nonzero(algebra.normal_form(row.mT))": ("rank 1, of a row that may be zero",),
    "_mapped: needed is None": ("not zero, by a map that does not lead to the target", "zero, by a map that does not lead to the target"),
    "_mapped: not known.follows(of_zero, Zero(target.shape))": (
        "not zero, by a map that does not take 0 to 0",
        "zero, by a map that does not take 0 to 0",
        "map_that_looks",
    ),
    "then: needed is None": ("fact_of_a_bound_letter", "known_after_both_cases"),
    "finish: self._origin != self.left": ("lemma_for_the_statement",),
    "dichotomy: zero and not self.known.follows(zero[0] - zero[1], value)": ("says_more_than_its_case",),
    "induction: self._origin != before": ("a step that begins elsewhere",),
    "induction: self._at != after": ("a step that ends elsewhere",),
    "_general: [bare(side) for side in statement(index)] != said": ("a statement about n alone",),
    "_infer: self.known is not known": ("moved_by_a_map",),
    "done: self._open": ("left_at_the_end",),
    "done: missing": ("reached in the first case", "reached in the second case"),
    "_require_innermost: self._open[-1] is not scope": (
        "overlapping_distinctions",
        "distinction_from_outside_an_induction",
        "begun_inside_and_ended_outside",
        "left_in_its_first_case",
    ),
    "derive: derivation.hypotheses != problem.hypotheses": ("assumed_by_the_proof",),
}
"""The false statements that are derived without this condition."""

SOONER = {
    "part: not 0 <= number < len(self.lefts)": "there is nothing at such a number; Python's own error would say less",
    "then: previous is None": "a chain of nothing is equal to nothing",
    "remember: self._origin is None": "likewise",
    "remember: self._at is None": "likewise",
    "dichotomy: by_case[-1] <= scope.before.reached": "what only one case reaches is not reached in the end; this names the case",
    "done: not self.lefts": "the statement says nothing that could be false",
    "done: len(self.lefts) != len(self.rights)": "the statement says nothing of a side without the other",
    "_require_going_on: self._over is not None": "the scope that was left stays open, and `done` refuses it; this refuses the next line",
}
"""The conditions without which nothing false is derived, and what they are there for."""

REPLACED = {
    "alone = scope.before.known.without_equations().without_letter(letter)": (
        "alone = scope.before.known.without_equations()",
        "captured_by_a_case_distinction",
    ),
    "self._reached = by_case[0] & by_case[1]": ("self._reached = by_case[0] | by_case[1]", "reached in the first case"),
    "                self._return_to(scope.before)\n                self.known +=": ("                self.known +=", "known_in_the_other_case"),
    "        self._return_to(scope.before)\n        self._origin": ("        self._origin", "known_after_both_cases"),
}
"""What holds a proof together and is no condition: as it is, as it is broken, and what is derived then."""


def operands(test: ast.expr) -> list[ast.expr]:
    """What is refused for several reasons is dropped reason by reason."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]


def conditions(module: ModuleType, only: str | None = None) -> Iterator[tuple[str, ast.expr, str]]:
    """Each condition at which StepFails is raised: its function and text, where it is, and the source without it."""
    source = inspect.getsource(module)
    for function in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and only in (None, node.name)]:
        for node in ast.walk(function):
            if isinstance(node, ast.If) and any(isinstance(inner, ast.Raise) and "StepFails" in ast.unparse(inner) for inner in node.body):
                for part in operands(node.test):
                    text = ast.get_source_segment(source, part)
                    assert text is not None
                    yield f"{function.name}: {text}", part, _without(source, part, "(needed := needed or ()) is None" if text == "needed is None" else "False")


def _without(source: str, part: ast.expr, passes: str) -> str:
    """The source with what is never true, and lets what comes after it run, in a condition's place."""
    lines = source.splitlines(keepends=True)
    assert part.lineno == part.end_lineno, "a condition stands on one line"
    line = lines[part.lineno - 1].encode()
    lines[part.lineno - 1] = (line[: part.col_offset] + passes.encode() + line[part.end_col_offset :]).decode()
    return "".join(lines)


CONDITIONS = {name: (module, changed) for module in (DERIVATION, INFERENCE) for name, _, changed in conditions(module)}
CONDITIONS |= {name: (prover, changed) for name, _, changed in conditions(prover, "derive")}


def use(module: ModuleType, changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the prover run with this source in place of the module's."""
    other = ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, other)  # where a dataclass looks for its module
    exec(compile(changed, str(module.__file__), "exec"), vars(other))
    if module is DERIVATION:
        monkeypatch.setattr(prover, "Derivation", other.Derivation)
    elif module is INFERENCE:
        monkeypatch.setattr(DERIVATION, "inference", other)
    else:
        monkeypatch.setattr(prover, "derive", other.derive)


def is_derived(name: str) -> bool:
    return prover.derive(prover.problem_of(FALSE[name]()))[1] is None


def test_every_condition_has_its_false_statement_or_a_reason() -> None:
    assert set(CONDITIONS) == set(NEEDED) | set(SOONER)
    assert not set(NEEDED) & set(SOONER)


@pytest.mark.parametrize(("condition", "name"), [(condition, name) for condition, names in NEEDED.items() for name in names])
def test_without_the_condition_it_is_derived(condition: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_derived(name)
    use(*CONDITIONS[condition], monkeypatch)
    assert is_derived(name)


@pytest.mark.parametrize("line", REPLACED)
def test_with_the_line_broken_it_is_derived(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, name = REPLACED[line]
    source = inspect.getsource(DERIVATION)
    assert source.count(line) == 1
    assert not is_derived(name)
    use(DERIVATION, source.replace(line, broken), monkeypatch)
    assert is_derived(name)


@pytest.mark.parametrize("condition", SOONER)
def test_without_the_others_none_is_derived(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted positive: what is said to be needed for clearness alone may be dropped, as far as these statements can tell."""
    use(*CONDITIONS[condition], monkeypatch)
    monkeypatch.setattr(Legend, "_name", lambda *_: None)
    for name in SCOPED | INFERRED:
        assert not is_derived(name), name
