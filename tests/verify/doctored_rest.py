"""Doctored copies of a run whose claims, errata, blocks, experiments or the run itself are at fault, or that are only other."""

import math
from typing import Any

from reports.record import CellRecord
from symbolic.vocabulary import Verdict
from tests.verify.doctored_as_written import AS_WRITTEN, AS_WRITTEN_HARMLESS
from tests.verify.doctored_cells import AGAIN, BF16, FP32, NEAR, OTHER_THREADS, OTHER_TORCH, fewer, later, more, wider
from tests.verify.doctoring import ELSEWHERE, Copy, Doctor, both, cell, gone, in_cell, machine, moved, put, row_with, times

NAN = math.nan
CLAIM: tuple[str | int, ...] = ("claims", 0)
MUTANT = (*CLAIM, "mutants", 0)
E: tuple[str | int, ...] = ("experiments",)


def broken_cell(data: dict[str, Any]) -> None:
    """A cell of another block that broke, as a run writes it."""
    row = cell(data, FP32)
    names = {part: row[part] for part in ("claim", "format", "numerics", "variant", "scenario", "device")}
    broken = CellRecord(**names, id=row["id"].replace("attention", "gru"), block="gru", cases=0, verdict=Verdict.ERROR, reason="why")
    data["cells"].append(broken.model_dump(mode="json"))


TRIVIAL = {"text": "0 = 0", "latex": "0 = 0"}


def equal_sides(was: dict[str, Any]) -> dict[str, Any]:
    return {**was, "left": was["right"]}


def longer(rows: list[Any]) -> list[Any]:
    return [*rows, rows[-1]]


def shorter(rows: list[Any]) -> list[Any]:
    return rows[:-1]


def sevens(was: dict[str, int]) -> dict[str, int]:
    return dict.fromkeys(was, 7)


def emptied(was: dict[str, Any]) -> dict[str, Any]:
    return {**was, "sizes": sevens(was["sizes"]), "values": {name: [[]] for name in was["values"]}, "left": [["1"]], "right": [["2"]]}


def other_numbers(was: dict[str, Any]) -> dict[str, Any]:
    return {**was, "left": [["99"] * len(row) for row in was["left"]]}


CLAIMS: dict[str, Copy] = {
    "a claim missing": Copy(1, gone(*CLAIM), "missing from the run"),
    "no claim": Copy(1, put("claims", value=[]), "missing from the run"),
    **{
        f"a claim {verdict}": Copy(1, put(*CLAIM, value=row_with(verdict=verdict, reason="why")), f"HOLDS became {verdict}")
        for verdict in ("VIOLATED", "INCONCLUSIVE", "SKIPPED", "ERROR", "TIMEOUT")
    },
    "a claim for fewer sizes": Copy(1, put(*CLAIM, "scope", value="d = 1..4"), "shown for d = 1..4"),
    "another statement": Copy(1, put(*CLAIM, "statement", value={"text": "W a = W a", "latex": "W a = W a"}), "another statement"),
    "a statement of nothing": Copy(1, put(*CLAIM, "statement", value=TRIVIAL), "another statement"),
    "a hypothesis more": Copy(1, put(*CLAIM, "hypotheses", value=lambda was: [*was, {"text": "z = a", "latex": "z = a"}]), "it assumes z = a"),
    "a hypothesis gone that its proof uses": Copy(1, put(*CLAIM, "hypotheses", value=[]), "its proof uses a ≠ 0, which it no longer assumes"),
    "LaTeX written otherwise, strictly": Copy(1, put(*CLAIM, "statement", "latex", value="x"), "a page shows something else", strict=True),
    "another hypothesis": Copy(1, put(*CLAIM, "hypotheses", value=[{"text": "z = a", "latex": "z = a"}]), "it assumes z = a"),
    "a hypothesis in words more": Copy(1, put(*CLAIM, "hypotheses_in_words", value=[{"text": "all is well", "latex": "x"}]), "it assumes all is well"),
    "no line of proof": Copy(1, put(*CLAIM, "steps", value=[]), "no line of a proof"),
    "a line that no program checks": Copy(1, put(*CLAIM, "steps", 1, "in_words", value=True), "that no program checks"),
    "a shorter proof": Copy(1, put(*CLAIM, "steps", value=shorter), "of proof"),
    "all proofs cut to their first line": Copy(1, lambda data: [row.update(steps=row["steps"][:1]) for row in data["claims"]], "of proof"),
    "a proof without a line in the middle": Copy(1, gone(*CLAIM, "steps", 2), "of proof"),
    "another proof, strictly": Copy(1, put(*CLAIM, "steps", 1, "rule", value="x"), "another proof", strict=True),
    "a false variant refuted by empty matrices": Copy(1, put(*MUTANT, "counterexample", value=emptied), "other numbers refute", strict=True),
    "a false variant refuted at other sizes": Copy(1, put(*MUTANT, "counterexample", "sizes", value=sevens), "other numbers refute", strict=True),
    "a kernel that says no": Copy(1, put(*CLAIM, "kernel", "status", value="failed"), "kernel did not accept"),
    "no false variant": Copy(1, put(*CLAIM, "mutants", value=[]), "tried on no false variant"),
    "a false variant missing": Copy(1, gone(*MUTANT), "is missing"),
    "a false variant not refuted": Copy(1, put(*MUTANT, value=row_with(verdict="HOLDS", counterexample=None)), "is not refuted"),
    "a false variant that broke": Copy(1, put(*MUTANT, value=row_with(verdict="ERROR", counterexample=None)), "is not refuted"),
    "a false variant refuted by no numbers": Copy(1, put(*MUTANT, "counterexample", value=None), "is not refuted"),
    "a false variant refuted by equal sides": Copy(1, put(*MUTANT, "counterexample", value=equal_sides), "is not refuted"),
    "another false variant, strictly": Copy(1, put(*MUTANT, "statement", value=TRIVIAL), "is another", strict=True),
    "two claims of one name": Copy(2, lambda data: data["claims"].append(data["claims"][0]), "two claims named"),
    "an erratum missing": Copy(1, gone("errata", 0), "missing from the run"),
    "no erratum": Copy(1, put("errata", value=[]), "missing from the run"),
    "an erratum not proved": Copy(1, put("errata", 0, "proved", value=False), "not shown any more"),
    "an erratum not refuted": Copy(1, put("errata", 0, "counterexample", value=None), "not shown any more"),
    "an erratum refuted by equal sides": Copy(1, put("errata", 0, "counterexample", value=equal_sides), "not shown any more"),
    "an erratum of another statement": Copy(1, put("errata", 0, "literal", value=TRIVIAL), "what is printed is another"),
    "an erratum corrected otherwise": Copy(1, put("errata", 0, "corrected", value=TRIVIAL), "what is proved in its place"),
    "an erratum of another claim": Copy(1, put("errata", 0, "claim", value="gone"), "it is corrected by gone"),
    "an erratum not measured": Copy(1, put("errata", 0, "measured", value=None), "not measured any more"),
}


def unused(data: dict[str, Any]) -> None:
    """No line of the proof says which hypothesis it uses."""
    for step in data["claims"][0]["steps"]:
        step["hypothesis"] = None


def experiment(*path: str | int, value: Any) -> Doctor:
    return put(*E, *path, value=value)


def poor(was: list[Any]) -> list[Any]:
    return [{**point, "own": point["own"] and [0.9, 0.0, 0.9], "distance": point["distance"] and 0.99} for point in was]


EXPERIMENTS: dict[str, Copy] = {
    "a block missing": Copy(1, put("models", value=[]), "trained blocks/attention"),
    "a block that has not learned": Copy(1, put("models", 0, "validation_loss", value=0.9), "passed became broke"),
    "a loss that is not a number": Copy(1, put("models", 0, "validation_loss", value=NAN), "passed became broke"),
    "a looser required loss": Copy(1, put("models", 0, "required_loss", value=times(2.0)), "more is allowed"),
    **{
        f"no {name}": Copy(1, experiment(name, value=empty), "missing from the run")
        for name, empty in (("figure_1", None), ("figure_3", None), ("layers", []), ("dynamics", []), ("static_patch", []), ("stacks", []), ("post_norm", None))
    },
    "no search": Copy(1, experiment("adversarial", value=[]), "missing from the run"),
    "one layer of Figure 2 missing": Copy(1, gone(*E, "layers", 1), "Figure 2"),
    "no format of the dynamics": Copy(1, experiment("dynamics", 0, "formats", value=[]), "missing from the run"),
    "another format of Figure 1": Copy(1, experiment("figure_1", "format", value="fp64"), "other numbers of the same weights: format"),
    "fewer checkpoints of Figure 1": Copy(1, experiment("figure_1", "checkpoints", value=shorter), "checkpoints"),
    "fewer prompts of Figure 1": Copy(1, experiment("figure_1", "prompts", value=1), "prompts"),
    "fewer trials of Figure 2": Copy(1, experiment("layers", 0, "trials", value=1), "trials"),
    "fewer steps of Figure 2": Copy(1, experiment("layers", 0, "steps", value=shorter), "steps"),
    "fewer trials of Figure 3": Copy(1, experiment("figure_3", "trials", value=1), "trials"),
    "a shorter curve of Figure 3": Copy(1, experiment("figure_3", "patched", value=shorter), "patched"),
    "dynamics of fewer tokens": Copy(1, experiment("dynamics", 0, "tokens", value=49), "tokens"),
    "dynamics of fewer prompts": Copy(1, experiment("dynamics", 0, "formats", 0, "prompts", value=1), "prompts"),
    "dynamics of fewer points": Copy(1, experiment("dynamics", 0, "formats", 0, "moved", "points", value=shorter), "points"),
    "dynamics with a bound that shows less": Copy(1, experiment("dynamics", 0, "formats", 0, "moved", "vacuous", value=[48, 49]), "shows something"),
    "static patches of fewer trials": Copy(1, experiment("static_patch", 0, "trials", value=1), "trials"),
    "static patches of fewer fresh queries": Copy(1, experiment("static_patch", 0, "fresh_queries", value=1), "fresh queries"),
    "static patches of fewer points": Copy(1, experiment("static_patch", 0, "points", value=shorter), "points"),
    "a stack of fewer prompts": Copy(1, experiment("stacks", 0, value=row_with(prompts=2, same=2)), "prompts"),
    "a stack of fewer blocks": Copy(1, experiment("stacks", 0, "replays", 0, "apart", value=shorter), "blocks"),
    "a stack of fewer tokens": Copy(1, experiment("stacks", 0, "tokens", value=1), "tokens"),
    "a stack without wrong patches": Copy(1, experiment("stacks", 0, "replays", 0, "planted", value={}), "without a wrong patch"),
    "a stack that may stray further": Copy(1, experiment("stacks", 0, "limit", value=1e-3), "more is allowed"),
    "a post-norm of fewer prompts": Copy(1, experiment("post_norm", "prompts", value=1), "prompts"),
    "a post-norm without wrong patches": Copy(1, experiment("post_norm", "planted", value={}), "no wrong patch"),
    "a post-norm that may stray further": Copy(1, experiment("post_norm", "limit", value=1e-3), "more is allowed"),
    "Figure 1 beyond its bound": Copy(1, experiment("figure_1", "checkpoints", 0, "difference", value=1.0), "passed became failed"),
    "Figure 1 with a bound that shows nothing": Copy(1, experiment("figure_1", "checkpoints", 0, "bound", value=9.0), "would not have noticed"),
    "dynamics beyond their bound": Copy(1, experiment("dynamics", 0, "formats", 0, "agree", value=2.0), "passed became failed"),
    "dynamics that let a wrong reading pass": Copy(1, experiment("dynamics", 0, "formats", 0, "literal", value=0.5), "wrong reading pass"),
    "dynamics judged for no prompt": Copy(1, experiment("dynamics", 0, "formats", 0, value=row_with(prompts=0, refused=4)), "became not judged"),
    "a wrong static patch that serves as well": Copy(1, experiment("static_patch", 0, "points", 2, "wrong_vector", value=[0.1, 0.1, 0.1]), "serves"),
    "a static patch far from the exact one": Copy(1, experiment("static_patch", 0, "points", 0, "distance", value=1.0), "further from the exact one"),
    "a figure that is not finite": Copy(1, experiment("layers", 0, "norm", value=math.inf), "or not finite"),
    "a stack that strays": Copy(1, experiment("stacks", 0, "apart", value=1e-3), "passed became failed"),
    "a stack that generates other tokens": Copy(1, experiment("stacks", 0, "same", value=3), "passed became failed"),
    "a stack whose wrong patches generate the same": Copy(1, experiment("stacks", 0, "planted_same", value=4), "shows nothing"),
    "a post-norm that strays": Copy(1, experiment("post_norm", "apart", value=1e-3), "passed became failed"),
    "a search beyond a bound": Copy(1, experiment("adversarial", 0, value=row_with(ascent=1.5, violated=3)), "passed became failed"),
    "a search whose ratio is not a number": Copy(1, experiment("adversarial", 0, value=row_with(ascent=NAN, random=NAN)), "passed became failed"),
    "a search that judged nothing": Copy(1, experiment("adversarial", 0, value=row_with(ascent=None, random=None)), "passed became not judged"),
    "a readable context beyond its bound": Copy(
        1, experiment("adversarial", 0, value=row_with(simplified=512, simplified_worst=97.0, simplest="x", simplest_ratio=97.0)), "became failed"
    ),
    "simplified contexts beyond their bounds": Copy(
        1, experiment("adversarial", 0, value=row_with(simplified=512, simplified_worst=1.5, violated=3)), "passed became failed"
    ),
    "dynamics whose points are worse than the worst": Copy(1, experiment("dynamics", 0, "formats", 0, "moved", "worst", value=0.0), "other numbers"),
    "dynamics with a point beyond its bound": Copy(
        1, experiment("dynamics", 0, "formats", 0, "moved", "points", 0, value=lambda was: [was[0], 2 * was[2], was[2], was[3]]), "became failed"
    ),
    "generations of no tokens": Copy(1, experiment("stacks", 0, "distinct", value=0.0), "other numbers"),
    "a static patch that errs by nine tenths on its own queries": Copy(1, put(*E, "static_patch", 0, "points", value=poor), "other numbers"),
    "a static patch that errs on its own queries as a wrong one": Copy(
        1, put(*E, "static_patch", 0, "points", 0, "own", value=[1.25, 0.1, 1.0]), "serves these no better"
    ),
    **{
        f"other numbers of {path[0]}.{path[-1]}": Copy(1, experiment(*path, value=times(0.9)), "other numbers of the same weights", seed=seed)
        for path, seed in (
            (("layers", 0, "norm"), 5),
            (("figure_3", "rate"), 5),
            (("figure_1", "checkpoints", 0, "planted"), 5),
            (("stacks", 0, "apart"), 5),
            (("post_norm", "smallest"), 5),
            (("adversarial", 0, "ascent"), None),
        )
    },
    "another machine: a block of other parameters by the same recipe": Copy(
        1, both(ELSEWHERE, put("models", 0, "parameters", value=lambda n: n + 1)), "other numbers of the same weights: parameters"
    ),
    "another loss of the same weights": Copy(1, put("models", 0, "validation_loss", value=times(0.9)), "other numbers of the same weights", seed=5),
    "an experiment that broke": Copy(
        1, experiment("broken", value=[{"block": "attention", "what": "stack", "reason": "why"}]), "not in the baseline, and broke"
    ),
    "an experiment out of time": Copy(
        1, experiment("out_of_time", value=[{"block": "gru", "what": "stack", "reason": "why"}]), "not in the baseline, and broke"
    ),
}

RUN: dict[str, Copy] = {
    "an exit status of 1 that no row explains": Copy(1, put("run", "exit_status", value=1), "its rows come to 0"),
    "an exit status of 3 that no row explains": Copy(1, put("run", "exit_status", value=3), "its rows come to 0"),
    "an exit status that hides a new cell's failure": Copy(
        1,
        broken_cell,
        "not in the baseline, and ERROR",
    ),
    **{
        f"without {name}": Copy(
            1, lambda data, name=name: [row.update(used=False) for row in data["bounds"]["refinements"] if row["id"] == name], f"did without {name}"
        )
        for name in ("summation-order", "unit-in-the-first-place", "exact-differences", "exact-products")
    },
    "without a word on what the bounds rest on": Copy(1, put("bounds", value=None), "did without"),
    "an assumption more": Copy(1, put("bounds", "assumptions", value=lambda was: [*was, "No product overflows."]), "take for granted"),
    "an assumption reworded": Copy(1, put("bounds", "assumptions", 0, value="All is well."), "take for granted"),
    "a question that was not asked": Copy(1, gone("environment", "probes", 0), "was not asked"),
    "another machine: no question at all": Copy(1, both(ELSEWHERE, put("environment", "probes", value=[])), "was not asked anything of bf16"),
    "a question that was not asked, and a block more": Copy(
        1, both(gone("environment", "probes", 0), lambda data: data["models"].append({**data["models"][0], "block": "gru"})), "was not asked"
    ),
    "no question at all": Copy(1, put("environment", "probes", value=[]), "was not asked"),
    "not finished": Copy(3, put("run", value=row_with(finished=None, exit_status=130)), "not finished"),
    "not finished, and a cell missing": Copy(3, both(put("run", value=row_with(finished=None, exit_status=130)), gone("cells", 0)), "not finished"),
    "nothing in it": Copy(
        3, both(*(put(name, value=[]) for name in ("claims", "errata", "models", "cells", "near_zero")), put(*E, value={})), "Nothing was compared"
    ),
    "another answer of the same machine, strictly": Copy(1, put("environment", "probes", 0, "answer", value="?"), "answers", strict=True),
    "a word less on what is not measured": Copy(1, put("not_measured", value=shorter), "neither measured nor listed"),
    "no word on what is not measured": Copy(1, put("not_measured", value=[]), "neither measured nor listed", seed=5),
    "another machine: no word on what is not measured": Copy(1, both(ELSEWHERE, put("not_measured", value=[])), "neither measured nor listed"),
    "left out for another reason, strictly": Copy(1, put("not_measured", 0, "reason", value="x"), "left out for another reason", strict=True),
    "other weights, strictly": Copy(1, put("models", 0, "recipe", value="other"), "other weights", strict=True),
}


def other_orders(data: dict[str, Any]) -> None:
    for probe in data["environment"]["probes"]:
        if probe["id"].endswith("/order"):
            probe["answer"] = "one after the other"


def new_cell(data: dict[str, Any]) -> None:
    row = cell(data, FP32)
    data["cells"].append({**row, "block": "gru", "id": row["id"].replace("attention", "gru"), "witness": None, "witness_digest": None})


def new_of_the_block(data: dict[str, Any]) -> None:
    """A cell of the same block and another scenario."""
    row = cell(data, FP32)
    data["cells"].append({**row, "scenario": "subset", "id": row["id"].replace("random", "subset"), "witness": None, "witness_digest": None})


HARMLESS: dict[str, Copy] = {
    "the same": Copy(0, lambda data: None, "Nothing differs"),
    "another duration": Copy(0, lambda data: [row.update(seconds=9.0) for row in (*data["cells"], *data["claims"], *data["models"])], "Nothing differs"),
    "another id and time": Copy(0, put("run", value=row_with(id="x", started="2027-01-01T00:00:00Z", finished="2027-01-01T00:01:00Z")), "Nothing differs"),
    "another commit, Python and library": Copy(0, machine(commit="x", python="3.14", platform="y"), "Nothing differs"),
    "another command": Copy(0, put("run", "command", value="verify stress"), "Nothing differs"),
    "another profile": Copy(0, put("run", "profile", value="exhaustive"), "of the profile"),
    "resumed twice": Copy(0, put("run", "resumed", value=2), "Nothing differs"),
    "blocks from the cache": Copy(0, put("models", 0, "cached", value=True), "Nothing differs"),
    "a smaller loss of another machine": Copy(0, both(ELSEWHERE, put("models", 0, "validation_loss", value=times(0.9))), "from elsewhere"),
    "a tighter required loss": Copy(0, put("models", 0, "required_loss", value=times(0.99)), "Nothing differs"),
    "cells in another order": Copy(0, put("cells", value=lambda rows: rows[::-1]), "Nothing differs"),
    "claims and false variants in another order": Copy(
        0, both(put(*CLAIM, "mutants", value=lambda rows: rows[::-1]), put("claims", value=lambda rows: rows[::-1])), "Nothing differs"
    ),
    "sweeps in another order": Copy(0, put("near_zero", value=lambda rows: rows[::-1]), "Nothing differs"),
    "more cases compared with balls": Copy(0, in_cell(FP32, certified=row_with(cases=64)), "Nothing differs"),
    "smaller certified errors": Copy(0, in_cell(FP32, certified=row_with(left=0.0, right=0.0)), "Nothing differs", seed=5),
    "an expected bound a tenth larger": Copy(0, in_cell(FP32, expected=row_with(tightness_median=times(1.1), exceeded=1)), "Nothing differs", seed=5),
    "a bound at the output a hundredth larger": Copy(0, in_cell(FP32, output_resolution=times(1.01)), "Nothing differs", seed=5),
    "a largest bound of another seed": Copy(0, in_cell(FP32, bound=row_with(max=times(1.5))), "Nothing differs", seed=5),
    "numbers changed in the last bits": Copy(
        0, both(in_cell(FP32, error=times(1 + 2.0**-50)), experiment("figure_1", "checkpoints", 0, "planted", value=times(1 + 2.0**-50))), "Nothing differs"
    ),
    "a quarter of the cases": Copy(0, lambda data: fewer(data, 256), "fewer show less", seed=5),
    "a title and a source reworded": Copy(0, put(*CLAIM, value=row_with(title="x", source="y")), "Nothing differs"),
    "a remark reworded": Copy(0, put(*CLAIM, "remark", value=TRIVIAL), "Nothing differs"),
    "LaTeX written otherwise": Copy(0, put(*CLAIM, "statement", "latex", value="x"), "a page shows something else than it did"),
    "a false variant described otherwise": Copy(0, put(*MUTANT, value=row_with(description="x", why="y")), "Nothing differs"),
    "another false variant": Copy(0, put(*MUTANT, "statement", value=TRIVIAL), "is another"),
    "a false variant more": Copy(0, put(*CLAIM, "mutants", value=lambda rows: [*rows, {**rows[0], "id": "new"}]), "not in the baseline"),
    "a longer proof": Copy(0, put(*CLAIM, "steps", value=longer), "of proof"),
    "another proof": Copy(0, put(*CLAIM, "steps", 1, "rule", value="x"), "another proof"),
    "other numbers that refute": Copy(0, put(*MUTANT, "counterexample", value=other_numbers), "other numbers refute"),
    "a hypothesis fewer": Copy(0, both(unused, put(*CLAIM, "hypotheses", value=[])), "it no longer assumes"),
    "a kernel that checked": Copy(0, put(*CLAIM, "kernel", "status", value="checked"), "Nothing differs"),
    "a new claim": Copy(0, lambda data: data["claims"].append({**data["claims"][0], "id": "new"}), "not in the baseline"),
    "a new erratum": Copy(0, lambda data: data["errata"].append({**data["errata"][0], "number": 99}), "not in the baseline"),
    "a new cell": Copy(0, new_cell, "not in the baseline"),
    "a new sweep": Copy(0, lambda data: data["near_zero"].append({**data["near_zero"][0], "block": "gru"}), "not in the baseline"),
    "a new experiment": Copy(
        0, lambda data: data["experiments"]["dynamics"].append({**data["experiments"]["dynamics"][0], "block": "gru"}), "not in the baseline"
    ),
    "more trials and prompts": Copy(0, both(experiment("layers", 0, "trials", value=9), experiment("figure_1", "prompts", value=99)), "Nothing differs"),
    "other numbers of a figure on another machine": Copy(
        0, both(ELSEWHERE, experiment("layers", 0, "norm", value=9.0), experiment("adversarial", 0, "ascent", value=0.99)), "from elsewhere"
    ),
    "another search by another seed": Copy(0, experiment("adversarial", 0, "ascent", value=0.99), "Nothing differs", seed=5),
    "an assumption fewer": Copy(0, put("bounds", "assumptions", value=shorter), "no longer take for granted"),
    "a refinement more": Copy(
        0, put("bounds", "refinements", value=lambda rows: [*rows, {"id": "new", "title": "x", "used": True}]), "which is not in the baseline"
    ),
    "a question more": Copy(0, put("environment", "probes", value=lambda rows: [*rows, {"id": "new", "question": "x", "answer": "y"}]), "Nothing differs"),
    "another answer of the same machine": Copy(0, put("environment", "probes", 0, "answer", value="?"), "answers"),
    "another reason why something is not measured": Copy(0, put("not_measured", 0, "reason", value="x"), "left out for another reason"),
    "something more that is not measured": Copy(0, put("not_measured", value=lambda rows: [*rows, {**rows[0], "block": "gru"}]), "Nothing differs"),
    "left out under another name": Copy(0, put("not_measured", 0, "what", value="x"), "rows that are new"),
    "what was left out is measured": Copy(0, both(new_of_the_block, put("not_measured", value=shorter)), "rows that are new"),
    "other weights": Copy(0, put("models", 0, "recipe", value="other"), "other weights"),
    "two more refused, by another seed": Copy(0, moved(NEAR, 2, "inconclusive", "NormUnderflow"), "Nothing differs", seed=5),
    "five more vacuous, by another seed": Copy(0, moved(BF16, 5, "vacuous"), "Nothing differs", seed=5),
    "a few wrong updates unnoticed, by another seed": Copy(0, in_cell(FP32, mutant_caught=lambda n: n - 5), "Nothing differs", seed=5),
    "a few moves unnoticed, by another seed": Copy(0, in_cell(AGAIN, recomputed=row_with(noticed=lambda n: n - 9)), "Nothing differs", seed=5),
    "medians a hundredth off, by another seed": Copy(0, in_cell(FP32, tightness=times(0.99), resolution=times(1.01)), "Nothing differs", seed=5),
    "a worst ratio a tenth larger, by another seed": Copy(0, in_cell(FP32, worst_ratio=times(1.1)), "Nothing differs", seed=5),
    "a predicted radius twice as large, by another seed": Copy(0, put("near_zero", 0, "predicted_radius", value=times(2.0)), "Nothing differs", seed=5),
    "a sweep that fails later, by another seed": Copy(0, put("near_zero", 0, value=later), "Nothing differs", seed=5),
    "half the cases": Copy(0, lambda data: fewer(data, 512), "fewer show less", seed=5),
    "twice the cases": Copy(0, lambda data: more(data, 2048, unnoticed=0), "another number of cases", seed=5),
    "another processor": Copy(0, ELSEWHERE, "from elsewhere", seed=5),
    "another torch": Copy(0, OTHER_TORCH, "from elsewhere"),
    "other threads": Copy(0, OTHER_THREADS, "from elsewhere"),
    "another processor, where no order of a sum is known": Copy(0, both(ELSEWHERE, wider(FP32, 1.0)), "from elsewhere", seed=5),
    "another processor, where orders are known better": Copy(
        0, both(ELSEWHERE, in_cell(FP32, tightness=times(0.6), resolution=times(0.6))), "from elsewhere", seed=5
    ),
    "another processor that rounds once more": Copy(
        0, both(ELSEWHERE, in_cell(FP32, resolution=times(1.5), unrefined=row_with(resolution=times(1.5)))), "from elsewhere", seed=5
    ),
    "another processor that adds in another order: a worst ratio near 1": Copy(
        0, both(ELSEWHERE, other_orders, in_cell(FP32, worst_ratio=0.9999)), "from elsewhere", seed=5
    ),
    "another processor: near zero, bounds ten times as wide": Copy(
        0, both(ELSEWHERE, in_cell(NEAR, resolution=times(10.0), tightness=times(10.0))), "from elsewhere", seed=5
    ),
    "the same machine, where it has to be": Copy(0, lambda data: None, "Nothing differs", same_machine=True),
}


HARMLESS |= AS_WRITTEN_HARMLESS
DOCTORED: dict[str, Copy] = {**CLAIMS, **EXPERIMENTS, **AS_WRITTEN, **RUN, **HARMLESS}
