"""Rows that contradict themselves or each other: each rule is broken here by one row at least, and the run is refused."""

import ast
import json
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from reports.record import RunRecord, cell_contradictions, contradictions, experiment_contradictions
from tests import report_samples as samples
from tests.rich_record import refusal, written

NONE = {"holds": 0, "violated": 0, "vacuous": 0, "inconclusive": 0}
VIOLATED, HELD = "VIOLATED", "HOLDS"
LARGER, FEW = {"max": 1.0, "median": 0.5}, {"max": 1.0, "median": 0.0}

CELL: dict[str, tuple[dict[str, Any], str]] = {
    "skipped, with figures": ({"verdict": "SKIPPED", "batch": None}, "its verdict is SKIPPED, and it has error"),
    "skipped, with a batch": ({"verdict": "SKIPPED"}, "its verdict is SKIPPED, and it has batch"),
    "computed none at once": ({"batch": 0}, "no case was computed at once"),
    "more noticed without refinements than hold": (
        {"unrefined": {"cases": 5, "holds": 3, "noticed": 4, "resolution": 0.5, "refined": 0.25}},
        "without refinements 4 were noticed of 3 that hold",
    ),
    "broke, without a reason": ({"verdict": "ERROR", "reason": None}, "its verdict is ERROR"),
    "more cases than counted": ({"cases": 4097}, "its counts come to 4096 of 4097 cases"),
    "no cases": ({"cases": 0, "counts": NONE}, "its counts come to 0 of 0 cases"),
    "a reason for a case that was judged": ({"reasons": {"NormUnderflow": 1}}, "its reasons come to 1 of 0 cases"),
    "a reason for no case": ({"reasons": {"NormUnderflow": 0}}, "its reasons come to 0 of 0 cases"),
    "more noticed than hold": ({"mutant_caught": 4097}, "mutant_caught is 4097 of 4096"),
    "more blind than hold": ({"output_blind": 4097}, "output_blind is 4097 of 4096"),
    "well inside and unknown": ({"well_inside": None}, "well inside the range"),
    "more refused inside than refused": ({"well_inside": {"cases": 2, "refused": 1}}, "well inside the range"),
    "more refused inside than inside": ({"well_inside": {"cases": 0, "refused": 1}}, "well inside the range"),
    "noticed in half, and not": ({"mutant_verdict": HELD}, "its planted wrong update was noticed in 4096 of 4096"),
    "noticed in none, and noticed": ({"mutant_caught": 0}, "its planted wrong update was noticed in 0 of 4096"),
    "a reason that its numbers do not give": ({"reason": "all is well"}, "its reason is all is well, and its numbers say none"),
    "another reason than its numbers give": (
        {"counts": {**NONE, "holds": 4095, "vacuous": 1}, "mutant_caught": 4095, "reason": "2 of 4096 cases could not have seen a wrong update"},
        "its numbers say 1 of 4096 cases could not have seen a wrong update",
    ),
    "no reason, and its numbers give one": (
        {"counts": {**NONE, "holds": 4095, "vacuous": 1}, "mutant_caught": 4095},
        "its reason is none, and its numbers say 1 of 4096",
    ),
    "nothing planted": ({"mutant": None}, "its planted wrong update"),
    "a worst error below the median": ({"error": {"max": 1e-8, "median": 1e-7}}, "error.max is below error.median"),
    "a worst bound below the median": ({"bound": {"max": 1e-8, "median": 1e-7}}, "bound.max is below bound.median"),
    "quantiles in disorder": ({"tightness": {"p10": 30.0, "median": 20.0, "p90": 40.0}}, "not in their order"),
    "quantiles in disorder above": ({"tightness": {"p10": 10.0, "median": 20.0, "p90": 15.0}}, "not in their order"),
    "a bound below its error": ({"tightness": {"p10": 0.5, "median": 20.0, "p90": 25.0}}, "its bound over error is below 1"),
    "outside, and nothing violated": ({"worst_ratio": 1.5}, "and no case is violated"),
    "a bound of 0 beside an error": ({"bound": {"max": 0.0, "median": 0.0}}, "its error is above its bound"),
    "an error beyond its bound": ({"error": LARGER}, "its error is above its bound"),
    "a worst ratio below what the sizes say": ({"worst_ratio": 0.001}, "its worst error over bound is 0.001"),
    "no worst ratio": ({"worst_ratio": None}, "it must have all of"),
    "no effect of the context": ({"context_effect": None}, "it must have all of"),
    "no resolution at the output": ({"output_resolution": None}, "it must have all of"),
    "more certified than there are": ({"certified": {"cases": 5000, "by_formula": 4, "seconded": 4, "left": 0.0, "right": 0.0, "inside": True}}, "balls"),
    "more seconded than by formula": ({"certified": {"cases": 5, "by_formula": 4, "seconded": 5, "left": 0.0, "right": 0.0, "inside": True}}, "balls"),
    "certified in no case": ({"certified": {"cases": 0, "by_formula": 0, "seconded": 0, "left": 0.0, "right": 0.0, "inside": True}}, "balls"),
    "references that agree and do not": ({"certified": {"cases": 5, "by_formula": 4, "seconded": 3, "left": 0.0, "right": 0.0, "inside": True}}, "agreed"),
    "balls outside, and it holds": (
        {"certified": {"cases": 5, "by_formula": 4, "seconded": 4, "left": 0.0, "right": 0.0, "inside": False}},
        "its verdict is HOLDS, and its numbers say VIOLATED",
    ),
    "no digest of its cases": ({"cases_digest": None}, "no digest"),
    "a witness without a digest": ({"witness_digest": None}, "digest"),
    "another cell's witness": ({"witness": "witnesses/other.safetensors"}, "another cell's"),
    "a witness of a block as it is written": ({"as_written": True}, "it is of a block as it is written, and has a witness"),
    "a witness elsewhere": ({"witness": "../../etc/passwd"}, "another cell's"),
    "violated without a case": ({"verdict": VIOLATED}, "its verdict is VIOLATED, and its numbers say HOLDS"),
    "inconclusive with cases": ({"verdict": "INCONCLUSIVE"}, "its verdict is INCONCLUSIVE, and its numbers say HOLDS"),
    "too wide, and it holds": ({"resolution": 1.0}, "its verdict is HOLDS, and its numbers say VACUOUS"),
    "no move noticed, and it holds": ({"recomputed": {"cases": 4, "moved": FEW, "noticed": 0}}, "its verdict is HOLDS, and its numbers say VACUOUS"),
    "more moved than judged": ({"recomputed": {"cases": 4097, "moved": LARGER, "noticed": 1}}, "recomputed.cases is 4097 of 4096"),
    "more noticed than judged": ({"recomputed": {"cases": 4, "moved": FEW, "noticed": 4097}}, "recomputed.noticed is 4097 of 4096"),
    "a largest move below the median": ({"recomputed": {"cases": 4, "moved": {"max": 0.0, "median": 1.0}, "noticed": 1}}, "recomputed.moved.max"),
    "noticed where nothing moved": ({"recomputed": {"cases": 4, "moved": FEW, "noticed": 5}}, "5 cases noticed what moved in 4"),
    "nothing moved, and by how much": ({"recomputed": {"cases": 0, "moved": FEW, "noticed": 0}}, "and the largest move is 1.0"),
    "most moved, and by nothing": ({"recomputed": {"cases": 4000, "moved": FEW, "noticed": 1}}, "and the median move is 0.0"),
    "few moved, and most by something": ({"recomputed": {"cases": 4, "moved": LARGER, "noticed": 1}}, "and the median move is 0.5"),
    "another bound of its only batch": (
        {"batch": 4096, "unrefined": {"cases": 4096, "holds": 3, "noticed": 3, "resolution": 0.5, "refined": 0.25}},
        "its only batch has a bound over effect of 0.25",
    ),
    "one violated, and it holds": (
        {"counts": {**NONE, "holds": 4095, "violated": 1}, "mutant_caught": 4095},
        "its verdict is HOLDS, and its numbers say VIOLATED",
    ),
}
"""Changes of a cell that holds, and what is said of each."""

PROVED = {"text": "a", "latex": "a"}
LEVEL_ROW = {"error": 0.5, "error_median": 0.5, "bound": 1.0, "refused": 0.0, "cases": 4}
EXPECTED = ("cells", 0, "expected")
EXPECTATION = {"factor": samples.FACTOR, "failure_probability": 2.0**-10, "tightness_median": 4.0}
CLAIM, FALSE, MUTANT = ("claims", 1), ("claims", 0), ("claims", 0, "mutants", 0)
NUMBERS = (*MUTANT, "counterexample")
FIGURES = ("experiments",)
IDENTITY = (*FIGURES, "dynamics", 0, "formats", 0, "moved")
STATIC = (*FIGURES, "static_patch", 0)
STACK, SEARCH, IN_DOUBLE = (*FIGURES, "stacks", 0), (*FIGURES, "adversarial", 0), (*FIGURES, "in_double", 0)
WATCHED, LEFT_OUT = (*FIGURES, "watched", 0), ("not_measured", 0)
SWEEP, LEVEL = ("near_zero", 0), ("near_zero", 0, "levels", 0)

OTHERS: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "ended before it began": (("run", "finished"), "2026-11-24T09:59:59Z", "before it began"),
    "finished, and interrupted": (("run", "exit_status"), 130, "it is finished, with exit status 130"),
    "finished, without a status": (("run", "exit_status"), None, "it is finished, with exit status None"),
    "not finished, and held": (("run", "finished"), None, "it has exit status 0, and is not finished"),
    "of no version": (("environment", "versions"), {"numpy": "2.4.6"}, "the version of icl-verify is missing"),
    "bounds that rest on nothing": (("bounds", "assumptions"), [], "they take nothing for granted"),
    "a cell of another device": (("cells", 0, "device"), "cuda", "was measured on cuda, and the run on cpu"),
    "a run of another device": (("environment", "device"), "NVIDIA H200", "was measured on cpu, and the run on NVIDIA H200"),
    "measured, and not asked": (("cells", 0, "device"), "not asked", "was measured on not asked, and the run on cpu"),
    "a format computed in two ways": ((*SWEEP, "numerics"), "tf32", "the format fp32 is computed as fp32 and as tf32"),
    "proved, and in words alone": ((*CLAIM, "remark"), None, "its statement is in words"),
    "refuted by no numbers": ((*NUMBERS, "values"), {}, "its counterexample has no numbers"),
    "not measured after all tokens": ((*FIGURES, "dynamics", 0, "tokens"), 60, "it was not measured after all 60 tokens"),
    "without threads": (("environment", "threads"), 0, "there are none"),
    "more exceeded than judged": ((*EXPECTED, "exceeded"), 129, "expected.exceeded is 129 of 128"),
    "expected of other cases": ((*EXPECTED, "cases"), 127, "expected.cases is 127 of 128 asked, and 0 were refused"),
    "expected of more than judged": ((*EXPECTED, "cases"), 129, "expected.cases is 129 of 128"),
    "expected of fewer cases": (EXPECTED, {**EXPECTATION, "asked": 127, "cases": 127, "exceeded": 0}, "expected.cases is 127 of 127 asked"),
    "expected of more cases": (EXPECTED, {**EXPECTATION, "asked": 129, "cases": 129, "exceeded": 0}, "expected.cases is 129 of 129 asked"),
    "expected of more than there are": ((*EXPECTED, "asked"), 4097, "expected.asked is 4097 of 4096"),
    "deviations of no layer": ((*EXPECTED, "factor"), 5.0, "by no whole number of entries"),
    "deviations of a half layer": ((*EXPECTED, "failure_probability"), 2.0**-18 / 3, "by no whole number of entries"),
    "exceeded never": ((*EXPECTED, "failure_probability"), 0.0, "by no whole number of entries"),
    "infinite deviations": ((*EXPECTED, "factor"), "Infinity", "by no whole number of entries"),
    "not expected at all": (EXPECTED, None, "expected.cases is 0 of 128 asked, and 0 were refused"),
    "a vacuous claim": ((*CLAIM, "verdict"), "VACUOUS", "which is none of a claim's"),
    "violated by nothing": ((*FALSE, "counterexample"), None, "its verdict is VIOLATED, without a counterexample"),
    "proved, with a reason": ((*CLAIM, "reason"), "it broke", "with a reason why it does not hold"),
    "not proved, without one": ((*FALSE, "reason"), None, "without a reason"),
    "out of time, with steps": ((*CLAIM, "verdict"), "TIMEOUT", "without a reason"),
    "a mutant that ran out of time": ((*MUTANT, "verdict"), "TIMEOUT", "which is none of a false variant's"),
    "a mutant refuted by nothing": ((*MUTANT, "counterexample"), None, "its verdict is VIOLATED, without a counterexample"),
    "a dimension of 0": ((*NUMBERS, "sizes"), {"d": 0}, "a dimension of 0"),
    "no numbers": ((*NUMBERS, "left"), [["a lot"]], "left is no matrix of rationals"),
    "a number that never ends": ((*NUMBERS, "left"), [["1e9999999"]], "left is no matrix of rationals"),
    "a division by 0": ((*NUMBERS, "right"), [["1/0"]], "right is no matrix of rationals"),
    "a ragged matrix": ((*NUMBERS, "values"), {"W": [["1"], ["1", "2"]]}, "W is no matrix of rationals"),
    "two sides that are one": ((*NUMBERS, "left"), [["-3/2"]], "two sides that are the same"),
    "an erratum of another claim": (("errata", 0, "claim"), "theorem-2.2", "its corrected statement is not that of the claim"),
    "an erratum proved by a false claim": (("errata", 0, "claim"), "false", "it is called proved, and the claim false is VIOLATED"),
    "an erratum without a difference": (("errata", 0, "counterexample", "right"), [["1"]], "two sides that are the same"),
    "a block of nothing": (("models", 0, "parameters"), 0, "it has no parameters"),
    "a step after the last": (("models", 0, "losses"), [[1001, 0.5]], "beyond its 1001"),
    "steps in disorder": (("models", 0, "losses"), [[2, 0.5], [1, 0.5]], "not in their order"),
    "a radius predicted between two powers": ((*SWEEP, "predicted_radius"), 0.75, "is no power of two"),
    "no distances": ((*SWEEP, "levels"), [], "its distances are none"),
    "a radius between distances": ((*SWEEP, "measured_radius"), 0.3, "no distance at which it was measured"),
    "a distance without cases": ((*LEVEL, "cases"), 0, "a distance has no cases"),
    "a largest error below the median at a distance": ((*LEVEL, "error"), 0.5, "a largest error is below the median"),
    "a bound where cases were refused": ((*LEVEL, "bound"), 1.0, "a distance at which cases were refused has a bound"),
    "figure 1 without prompts": ((*FIGURES, "figure_1", "prompts"), 0, "it has no prompts"),
    "another difference of the losses": ((*FIGURES, "figure_1", "checkpoints", 0, "difference"), 0.5, "the difference of the two losses is not 0.5"),
    "figure 3 without trials": ((*FIGURES, "figure_3", "trials"), 0, "it has no trials"),
    "a layer without trials": ((*FIGURES, "layers", 0, "trials"), 0, "it has no trials"),
    "it vanishes nowhere": ((*FIGURES, "layers", 0, "vanishes_at"), 9, "which is none of its steps"),
    "a cosine of 2": ((*FIGURES, "layers", 0, "alignment"), -2.0, "its mean cosine is -2.0"),
    "tokens beyond the last": ((*FIGURES, "dynamics", 0, "tokens"), 40, "not of 40"),
    "vacuous, and not listed": ((*IDENTITY, "vacuous"), [], "which its list of vacuous ones contradicts"),
    "blunter than the bluntest": ((*IDENTITY, "resolution"), 0.5, "bound over effect is above the largest one"),
    "queries in disorder": ((*STATIC, "points", 0, "queries"), 3, "not in their order"),
    "more directions than dimensions": ((*STATIC, "directions"), 33, "span 33 directions"),
    "more refused than tried": ((*STATIC, "points", 2, "refused"), 9, "it refused 9 of 8 trials"),
    "refused, with numbers": ((*STATIC, "points", 0, "refused"), 1, "says otherwise"),
    "more prompts than there are": ((*STACK, "same"), 5, "more prompts or tokens than there are"),
    "post-norm without prompts": ((*FIGURES, "post_norm", "prompts"), 0, "it has no prompts"),
    "float64 without a case": ((*IN_DOUBLE, "cases"), 0, "of 0 cases it refused 2"),
    "float64, one unequal inside what is allowed": ((*IN_DOUBLE, "unequal"), 1, "1 cases are unequal, and the largest difference is 0.02"),
    "float64, all refused, and a difference": ((*IN_DOUBLE, "refused"), 512, "it judged no case, and has a difference"),
    "float64, noticed more often than tried": ((*IN_DOUBLE, "planted"), {"no patch at all": [9, 8]}, "no patch at all: noticed in 9 of 8"),
    "float64 of a block that was not watched": ((*IN_DOUBLE, "block"), "other", "it measured other in float64, which it did not watch"),
    "a cell of a block as it is written that was not watched": (("cells", 1, "as_written"), True, "is of a block as it is written, which was not watched"),
    "float64 of another claim": ((*IN_DOUBLE, "claim"), "theorem-2.2", "it is of the claim theorem-2.2, and the scenario random of corollary-2.3.1"),
    "float64 of no scenario": ((*IN_DOUBLE, "scenario"), "long", "it is of the claim corollary-2.3.1, and the scenario long of none"),
    "float64, an infinite difference inside what is allowed": ((*IN_DOUBLE, "off"), "Infinity", "its largest difference is inf of the output, and 0.02"),
    "float64, a difference that is not a number": ((*IN_DOUBLE, "off"), "NaN", "its largest difference is nan of the output, and 0.02"),
    "float64, no difference, and a share of what is allowed": ((*IN_DOUBLE, "off"), 0.0, "its largest difference is 0.0 of the output, and 0.02"),
    "float64, less than any allowance makes of it": ((*IN_DOUBLE, "off"), 2e-18, "its largest difference is 2e-18 of the output, and 0.02"),
    "float64, a wrong patch that is none of the block": (
        (*IN_DOUBLE, "planted"),
        {"no patch at all": [510, 510], "x": [510, 510]},
        "the block was watched without the wrong patch x",
    ),
    "watched, and without W": ((*WATCHED, "first"), [], "it has no W"),
    "watched, and nothing reads W": ((*WATCHED, "cuts"), [], "it has no W"),
    "watched, of no width": ((*WATCHED, "width"), 0, "it has no W"),
    "watched, without parameters": ((*WATCHED, "parameters"), 0, "it has no W"),
    "a stream of which nothing takes what is lacking": ((*WATCHED, "absorber"), None, "of which None takes what is lacking, as bias"),
    "what is lacking taken as nothing": ((*WATCHED, "absorbs_as"), None, "of which out.bias takes what is lacking, as None"),
    "what is lacking of no stream": ((*WATCHED, "stream"), None, "it has the stream None, of which out.bias"),
    "not proved, and not needed": ((*WATCHED, "unproved"), ["x"], "it needs no claim x, which it calls not proved"),
    "an operator twice": ((*WATCHED, "operators"), ["aten.mm.default"] * 2, "operators: aten.mm.default is there twice"),
    "a scenario left out, and measured": (LEFT_OUT, {"block": "attention", "what": "scenario random", "reason": "r"}, "fp32/formula/random was"),
    "a scenario left out in some formats, and measured": (
        LEFT_OUT,
        {"block": "attention", "what": "scenario random in bf16, fp32", "reason": "r"},
        "scenario random in bf16, fp32 of attention is listed as not measured, and ",
    ),
    "a variant left out, and measured": (LEFT_OUT, {"block": "attention", "what": "variant formula", "reason": "r"}, "/formula/"),
    "sweeps left out, and made": (LEFT_OUT, {"block": "attention", "what": "sweeps towards a = 0 in fp32", "reason": "r"}, "and the sweep attention/fp32/"),
    "a search of nothing": ((*SEARCH, "evaluations"), 0, "of 0, as many random ones"),
    "outside, and none violated": ((*SEARCH, "random"), 1.5, "and no case is violated"),
    "a simple context beyond all that were tried": ((*SEARCH, "simplest_ratio"), 97.0, "has the ratio 97.0, and all that were tried at most 0.5"),
    "a worst one of no simplified contexts": ((*SEARCH, "simplified"), 0, "a worst one of no simplified contexts"),
    "a simplified context outside, and none violated": ((*SEARCH, "simplified_worst"), 97.0, "its worst error is 97.0 times its bound"),
    "numbers of another shape": ((*NUMBERS, "values", "W"), [["1", "0", "0"]], "W is 1 by 3, which are none of its sizes"),
    "a matrix of no columns": ((*NUMBERS, "values", "W"), [[]], "W is no matrix of rationals"),
    "sides of two shapes": ((*NUMBERS, "left"), [["1", "2"]], "sides of two shapes"),
    "the same with sizes that no matrix has": ((*NUMBERS, "sizes"), {"d": 7, "m": 7}, "which are none of its sizes"),
    "dynamics with points worse than the worst": ((*IDENTITY, "worst"), 0.0, "after 50 tokens the error is"),
    "generations without a token": ((*STACK, "distinct"), 0.0, "more prompts or tokens than there are, or none"),
    "a proof cut to its first line": (("claims", 2, "steps"), [{"expression": PROVED, "rule": "where the chain begins"}], "no chain of its proof leads"),
    "a proof of another statement": (("claims", 2, "statement"), {"text": "a = d", "latex": "a = d"}, "no chain of its proof leads"),
    "formats that a check names, left out": (("run", "named_formats"), [], "it names the formats [] as asked for, and its command does not"),
    "formats named in no check": (("run", "command"), "verify all --format fp32 --format bf16", "as asked for, and its command does not"),
    "formats named in no command": (("run", "command"), "verify check 'b.py --format fp32", "as asked for, and its command does not"),
    "a context without its ratio": ((*SEARCH, "simplest_ratio"), None, "a simple context without its ratio"),
}
"""Changes of one value, and what is said of each."""

UPDATE = samples.UPDATE.model_dump()

SEVERAL: dict[str, tuple[dict[tuple[str | int, ...], Any], str]] = {
    "out of time, and put to the prover": ({(*FALSE, "verdict"): "TIMEOUT", (*FALSE, "counterexample"): None}, "it was put to the prover"),
    "it holds, and so does a false variant": (
        {(*FALSE, "verdict"): HELD, (*FALSE, "reason"): None, (*FALSE, "counterexample"): None, (*MUTANT, "verdict"): HELD},
        "and so does a false variant",
    ),
    "an erratum of no false variant": (
        {("errata", 0, "claim"): "theorem-2.2", ("errata", 0, "corrected"): UPDATE},
        "are those of no false variant of the claim theorem-2.2",
    ),
    "every cell of another device": ({("cells", 0, "device"): "cuda", ("cells", 1, "device"): "cuda"}, "was measured on cuda, and the run on cpu"),
    "not proved, and put to the prover": ({(*WATCHED, name): ["chained"] for name in ("claims", "unproved")}, "and the claim was put to the prover"),
    "a distance between two powers": ({(*LEVEL, "norm"): 0.75, (*SWEEP, "measured_radius"): 0.75}, "is no power of two"),
    "a distance with more cases": (
        {(*SWEEP, "levels"): [{**LEVEL_ROW, "norm": 1.0}, {**LEVEL_ROW, "norm": 0.0, "cases": 5}]},
        "its distances have more cases and fewer",
    ),
    "distances that rise": ({(*SWEEP, "levels"): [{**LEVEL_ROW, "norm": 0.0}, {**LEVEL_ROW, "norm": 1.0}]}, "do not fall"),
    "replays in disorder": ({(*STACK, "replays"): [{"kept": 1, "apart": [], "planted": {}}, {"kept": 0, "apart": [], "planted": {}}]}, "not in their order"),
}
"""Changes of several values, and what is said of each."""

TWICE = (("claims",), ("errata",), ("models",), ("cells",), ("near_zero",), ("not_swept",), ("bounds", "refinements"), ("bounds", "assumptions"), MUTANT[:-1])
TWICE += tuple((*FIGURES, name) for name in ("layers", "dynamics", "static_patch", "stacks", "adversarial", "watched", "in_double"))
TWICE += ((*FIGURES, "dynamics", 0, "formats"), ("not_measured",))
"""Lists of rows with names."""


def changed(changes: dict[tuple[str | int, ...], Any]) -> str:
    """The record with these values, and with the totals of its rows, which would tell of every change otherwise."""
    data = json.loads(written())
    for path, value in changes.items():
        place = data
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
    del data["totals"]
    record = RunRecord.model_validate(data)
    return record.model_dump_json()


def doctored() -> dict[str, tuple[str, str]]:
    """By a name, the text of a run and what is said of it."""
    data = json.loads(written())
    found = {name: (changed({("cells", 0, field): value for field, value in changes.items()}), said) for name, (changes, said) in CELL.items()}
    found |= {name: (changed({path: value}), said) for name, (path, value, said) in OTHERS.items()}
    found |= {name: (changed(changes), said) for name, (changes, said) in SEVERAL.items()}
    for path in TWICE:
        rows = data
        for part in path:
            rows = rows[part]
        found["twice: " + ".".join(map(str, path))] = (
            changed({path: [rows[0], *rows]}),
            "it holds two" if path[-1] != "formats" else "a format is there twice",
        )
    return found


DOCTORED = doctored()


@pytest.mark.parametrize("name", DOCTORED)
def test_a_contradiction_is_refused_in_one_line(name: str) -> None:
    text, said = DOCTORED[name]
    answer = refusal(text)
    assert "what no run can write" in answer
    assert said in answer
    assert answer.isprintable()


def rules(module: ModuleType) -> set[tuple[str, int]]:
    """The lines at which a module says of a row what is wrong with it."""
    path = Path(str(module.__file__))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {(path.name, node.lineno) for node in ast.walk(tree) if isinstance(node, ast.Yield) and isinstance(node.value, ast.Constant | ast.JoinedStr)}


def test_every_rule_is_broken_by_a_row_of_these() -> None:
    """So that a rule which can never speak, or one added without its row here, is noticed."""
    modules = (contradictions, cell_contradictions, experiment_contradictions)
    names, said = {Path(str(module.__file__)).name for module in modules}, set[tuple[str, int]]()

    def watch(frame: FrameType, event: str, _: object) -> Any:
        name = Path(frame.f_code.co_filename).name
        if event == "line":
            said.add((name, frame.f_lineno))
        return watch if name in names else None

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        for text, _ in DOCTORED.values():
            list(contradictions.contradictions(RunRecord.model_validate({name: value for name, value in json.loads(text).items() if name != "totals"})))
    finally:
        sys.settrace(before)
    expected = set().union(*map(rules, modules))
    assert len(expected) > 50
    assert expected - said == set()


def test_a_wrong_patch_may_be_none_in_every_case() -> None:
    """Where the context does not get through (a window that ends in front of what was removed, a closed gate) the right patch is no patch."""
    assert refusal(changed({(*IN_DOUBLE, "planted"): {"no patch at all": [300, 300]}})) == ""


def test_a_run_that_is_as_it_was_written_has_no_contradiction() -> None:
    """The control."""
    assert refusal(changed({})) == ""
    for run in (samples.record(), samples.full_record(), samples.empty_record()):
        assert list(contradictions.contradictions(run)) == []
