"""Doctored copies of a run whose cells or sweeps are at fault, or only other."""

import math

from symbolic.vocabulary.sampling import expected_cases
from tests.verify.doctoring import ELSEWHERE, Copy, Doctor, both, cell, gone, in_cell, machine, moved, put, row_with, times

NAN = math.nan
FP32, BF16, NEAR, AGAIN = "fp32 random", "bf16 random", "fp32 near_zero", "bf16 recompute"
OTHER_TORCH, OTHER_THREADS = machine(torch="2.9.0"), machine(threads=7)
FORMATS = ("fp32", "bf16")
DEVIATIONS = math.sqrt(2 * math.log(2**20))
"""Of four times as many entries as the block has."""


def at_all_levels(**changes: object) -> Doctor:
    return lambda data: [level.update(changes) for sweep in data["near_zero"] for level in sweep["levels"]]


def without(place: str) -> Doctor:
    return lambda data: data["cells"].remove(cell(data, place))


def wider(place: str, more: float) -> Doctor:
    """Bounds as wide as without any refinement, and more."""

    def doctor(data: dict) -> None:
        row = cell(data, place)
        factor = row["unrefined"]["resolution"] / row["unrefined"]["refined"] * more
        in_cell(place, resolution=times(factor), tightness=times(factor), bound=times(factor), worst_ratio=times(1 / factor))(data)

    return doctor


def reasons(*numbers: int) -> Doctor:
    """Cases near zero refused for other reasons, and as many."""

    def doctor(data: dict) -> None:
        row, rest = cell(data, NEAR), cell(data, NEAR)["counts"]["inconclusive"] - sum(numbers)
        row["reasons"] = {"NormUnderflow": rest, **dict(zip(("UpdateOverflow", "UndecidedChoice"), numbers, strict=False))}

    return doctor


def refused_inside(number: int) -> Doctor:
    """Cases refused that are well inside every range limit."""
    return both(
        moved(FP32, number, "inconclusive", "NormUnderflow"), in_cell(FP32, well_inside=lambda was: {"cases": was["cases"] + number, "refused": number})
    )


def later(sweep: dict) -> dict:
    """A sweep whose radius is half as large, at a distance more."""
    rows, nearer = sweep["levels"], sweep["measured_radius"] / 2
    at = next(place for place, level in enumerate(rows) if level["norm"] == sweep["measured_radius"])
    return {**sweep, "measured_radius": nearer, "levels": [*rows[: at + 1], {**rows[at], "norm": nearer}, *rows[at + 1 :]]}


def foretold(factor: float) -> Doctor:
    """Every sweep's prediction multiplied."""
    return lambda data: [sweep.update(predicted_radius=sweep["predicted_radius"] * factor) for sweep in data["near_zero"]]


def coarse(sweep: dict) -> dict:
    """A sweep of its ends and its radius alone."""
    ends = {sweep["levels"][0]["norm"], sweep["levels"][-1]["norm"], sweep["measured_radius"]}
    return {**sweep, "levels": [level for level in sweep["levels"] if level["norm"] in ends]}


def astray(sweep: dict) -> dict:
    """A sweep of another block, with an error beyond its bound at its only distance."""
    level = {**sweep["levels"][0], "error": 9.0}
    return {**sweep, "block": "gru", "levels": [level], "measured_radius": level["norm"]}


ABSENT = {
    "worst_ratio": "",
    "resolution": "",
    "tightness": "",
    "output_resolution": "",
    "error": "",
    "bound": "",
    "expected": "",
    "witness": "",
    "well_inside": "",
}

CELLS: dict[str, Copy] = {
    **{f"{place} missing": Copy(1, without(place), "missing from the run") for place in (FP32, BF16, NEAR, AGAIN)},
    "no cell at all": Copy(1, put("cells", value=[]), "missing from the run"),
    **{
        f"a cell {verdict}": Copy(1, in_cell(FP32, verdict=verdict, reason="why"), f"HOLDS became {verdict}")
        for verdict in ("VIOLATED", "VACUOUS", "INCONCLUSIVE", "SKIPPED", "ERROR", "TIMEOUT")
    },
    **{f"a cell without its {name}": Copy(1, in_cell(FP32, **{name: None}), "any more", seed=5) for name in ABSENT},
    "a cell without its bound without refinements": Copy(1, in_cell(FP32, unrefined=None), "no bound without refinements", seed=5),
    "a cell without its prediction": Copy(1, in_cell(AGAIN, recomputed=None), "no prediction", seed=5),
    "a cell without certificate": Copy(1, in_cell(BF16, certified=None), "0 cases compared with balls", seed=5),
    "fewer cases compared with balls": Copy(1, in_cell(BF16, certified=row_with(cases=3)), "3 cases compared with balls", seed=5),
    "fewer cases by the formula": Copy(1, in_cell(BF16, certified=row_with(by_formula=1, seconded=1)), "the formula ran over balls", seed=5),
    "a side outside its radius": Copy(1, in_cell(BF16, certified=row_with(inside=False)), "ball arithmetic contradicts", seed=5),
    "a second opinion that differs": Copy(1, in_cell(BF16, certified=row_with(seconded=1)), "its own figures contradict", seed=5),
    "a certified error beyond every bound": Copy(1, in_cell(BF16, certified=row_with(left=1e9)), "its own figures contradict", seed=5),
    "200 more refused": Copy(1, moved(NEAR, 200, "inconclusive", "NormUnderflow"), "cases refused", seed=5),
    "one more refused on the same operands": Copy(1, moved(NEAR, 1, "inconclusive", "NormUnderflow"), "on the same operands"),
    "cases refused where none was": Copy(1, moved(FP32, 60, "inconclusive", "NormUnderflow"), "60 cases refused", seed=5),
    "as many refused for another reason": Copy(1, reasons(200), "refused as UpdateOverflow", seed=5),
    "one refused for another reason on the same operands": Copy(1, reasons(1), "on the same operands"),
    "a refusal well inside the range limits": Copy(1, refused_inside(1), "although well inside", seed=5),
    "the same on another machine": Copy(1, both(ELSEWHERE, refused_inside(1)), "although well inside", seed=5),
    "200 fewer well inside": Copy(1, in_cell(FP32, well_inside=row_with(cases=lambda n: n - 200)), "not well inside", seed=5),
    "200 more vacuous": Copy(1, moved(BF16, 200, "vacuous"), "whose bound shows nothing", seed=5),
    "one more vacuous on the same operands": Copy(1, moved(BF16, 1, "vacuous"), "on the same operands"),
    "200 more wrong updates unnoticed": Copy(1, in_cell(FP32, mutant_caught=lambda n: n - 200), "a wrong update unnoticed", seed=5),
    "one more wrong update unnoticed on the same operands": Copy(1, in_cell(FP32, mutant_caught=lambda n: n - 1), "on the same operands"),
    "wrong updates noticed in exactly half": Copy(1, in_cell(FP32, mutant_caught=512), "a wrong update unnoticed", seed=5),
    "wrong updates noticed nowhere": Copy(1, lambda data: [row.update(mutant_caught=0) for row in data["cells"]], "in fewer than half", seed=5),
    "a wrong update that passed": Copy(1, in_cell(FP32, mutant_verdict="HOLDS", mutant_caught=9), "let a planted wrong update pass", seed=5),
    "no wrong update": Copy(1, in_cell(FP32, mutant=None, mutant_verdict=None, mutant_caught=0), "without a planted wrong update", seed=5),
    "a grosser wrong update": Copy(1, in_cell(FP32, mutant="ΔW multiplied by 2"), "another wrong update was planted", seed=5),
    "200 more untested at the output": Copy(1, in_cell(BF16, output_blind=lambda n: n + 200), "untested at the block's output", seed=5),
    "one more untested at the output on the same operands": Copy(1, in_cell(BF16, output_blind=lambda n: n + 1), "on the same operands"),
    "noticed = 0 of a recomputed vector's moves": Copy(1, in_cell(AGAIN, recomputed=row_with(noticed=0)), "was left out", seed=5),
    "noticed = 0 of them everywhere": Copy(
        1, both(*(in_cell(f"{name} recompute", recomputed=row_with(noticed=0)) for name in FORMATS)), "was left out", seed=5
    ),
    "a third fewer moves noticed": Copy(1, in_cell(AGAIN, recomputed=row_with(noticed=lambda n: n * 2 // 3)), "went unnoticed", seed=5),
    "one fewer move noticed on the same operands": Copy(1, in_cell(AGAIN, recomputed=row_with(noticed=lambda n: n - 1)), "on the same operands"),
    "half as many vectors recomputed otherwise": Copy(
        1, in_cell(AGAIN, recomputed=row_with(cases=lambda n: n // 2, noticed=lambda n: n // 2)), "otherwise", seed=5
    ),
    "draws in common": Copy(1, in_cell(FP32, independent=False), "disarms the margins", seed=5),
    "errors a quarter larger": Copy(1, in_cell(FP32, tightness=times(0.8)), "errors have grown", seed=5),
    "a bound ÷ error a quarter larger": Copy(1, in_cell(FP32, tightness=times(1.25)), "the bound has grown", seed=5),
    "a bound ÷ effect a fifth smaller": Copy(1, in_cell(FP32, resolution=times(0.8)), "the bound has lost a term", seed=5),
    "a bound ÷ effect a quarter larger": Copy(1, in_cell(FP32, resolution=times(1.25)), "the bound has grown", seed=5),
    "a bound a millionth smaller on the same operands": Copy(1, in_cell(FP32, resolution=times(1 - 1e-6)), "another bound on the same operands"),
    "a bound a millionth larger at the output": Copy(1, in_cell(FP32, output_resolution=times(1 + 1e-6)), "another bound at the block's output"),
    "another bound without refinements": Copy(1, in_cell(FP32, unrefined=row_with(resolution=times(1.01))), "another bound without refinements"),
    **{
        f"{part} of the bound times {factor}": Copy(1, in_cell(FP32, bound=row_with(**dict.fromkeys(parts, times(factor)))), said, seed=seed)
        for factor in (1.5, 100.0)
        for part, parts, said, seed in (
            ("the median", ("median", "max"), "bound, median", 5),
            ("the largest", ("max",), "other numbers on the same operands: bound", None),
        )
    },
    "a bound whose median is two thirds": Copy(1, in_cell(FP32, bound=row_with(median=times(2 / 3))), "the bound has lost a term", seed=5),
    **{
        f"another {name} on the same operands": Copy(1, in_cell(place, **{name: row_with(**changes)}), f"other numbers on the same operands: {name}")
        for place, name, changes in (
            (FP32, "error", {"median": times(0.5)}),
            (FP32, "tightness", {"p90": times(1.5)}),
            (FP32, "expected", {"tightness_median": 9.0}),
            (BF16, "certified", {"left": times(0.5)}),
            (AGAIN, "recomputed", {"moved": row_with(max=times(2.0))}),
        )
    },
    **{
        f"{words}, by another seed": Copy(1, in_cell(place, **changes), said, seed=5)
        for words, place, changes, said in (
            ("a median error of 0", BF16, {"error": row_with(median=0.0)}, "less is measured"),
            (
                "a median error twice as large",
                FP32,
                {"error": row_with(median=times(2.0))},
                "errors have grown",
            ),  # errors are whole numbers of ulps: of 4 or of 8
            ("a bound at the output a quarter larger", FP32, {"output_resolution": times(1.25)}, "at the block's output, median"),
            ("a bound at the output a fifth smaller", FP32, {"output_resolution": times(0.8)}, "at the block's output, median"),
            ("an expected bound twice as large", FP32, {"expected": row_with(tightness_median=times(2.0))}, "expected bound ÷ error, median"),
            ("100 errors beyond the expected", FP32, {"expected": row_with(exceeded=100)}, "exceeds what was expected"),
            ("more deviations expected", FP32, {"expected": row_with(factor=DEVIATIONS)}, "another expected bound, whatever the draw"),
            ("another failure probability", FP32, {"expected": row_with(failure_probability=2.0**-9)}, "another expected bound, whatever the draw"),
        )
    },
    "another machine: more deviations expected": Copy(1, both(ELSEWHERE, in_cell(FP32, expected=row_with(factor=DEVIATIONS))), "whatever the draw", seed=5),
    "another machine: 100 errors beyond the expected": Copy(1, both(ELSEWHERE, in_cell(FP32, expected=row_with(exceeded=100))), "what was expected", seed=5),
    "another worst ratio on the same operands": Copy(1, in_cell(FP32, worst_ratio=times(1.01)), "other numbers on the same operands: worst_ratio"),
    **{
        f"computed {batch} at once": Copy(1, in_cell(FP32, batch=batch, resolution=times(factor)), f"computed {batch} at once, 512 in the baseline", seed=seed)
        for batch, factor, seed in ((256, 1.0, None), (256, 0.8, 5), (1, 1.0, 5))
    },
    "no effect of the context": Copy(1, in_cell(FP32, context_effect=0.0), "what the context does is 0", seed=5),
    "an infinite effect of the context": Copy(1, in_cell(FP32, context_effect=math.inf), "what the context does is", seed=5),
    "another machine: an effect of the context that is no number": Copy(1, both(ELSEWHERE, in_cell(BF16, context_effect=NAN)), "what the context does", seed=5),
    "nothing noticed without refinements": Copy(1, in_cell(FP32, unrefined=row_with(noticed=0)), "unnoticed without refinements", seed=5),
    "one less noticed without refinements on the same operands": Copy(
        1, in_cell(FP32, unrefined=row_with(noticed=lambda n: n - 1)), "other numbers on the same operands: unrefined"
    ),
    "one case": Copy(1, lambda data: fewer(data, 1), "so few have no margin", seed=5),
    "four cases": Copy(1, lambda data: fewer(data, 4), "so few have no margin", seed=5),
    "a worst ratio near 1": Copy(1, in_cell(FP32, worst_ratio=0.9999), "another seed stays within", seed=5),
    "a worst ratio beyond 1": Copy(1, in_cell(FP32, worst_ratio=1.001), "figures tell of a violation", seed=5),
    "an error beyond every bound": Copy(1, in_cell(FP32, error={"max": 9.0, "median": 8.0}), "figures tell of a violation", seed=5),
    "a tenth of the cases beyond, by the tightness": Copy(1, in_cell(FP32, tightness=row_with(p10=0.9)), "figures tell of a violation", seed=5),
    "a resolution that shows nothing": Copy(1, in_cell(FP32, resolution=1.5), "could have noticed a wrong update", seed=5),
    "a violated case in a cell that holds": Copy(1, moved(FP32, 1, "violated"), "figures tell of a violation", seed=5),
    "fewer cases, and a larger share refused": Copy(
        1, both(moved(FP32, 100, "inconclusive", "NormUnderflow"), lambda data: fewer(data, 512)), "cases refused", seed=5
    ),
    "more cases, and a larger share unnoticed": Copy(1, lambda data: more(data, 2048, unnoticed=400), "a wrong update unnoticed", seed=5),
    "half the cases, strictly": Copy(1, lambda data: fewer(data, 512), "fewer show less", seed=5, strict=True),
    **{
        f"{words}: bounds four times as wide as without refinements": Copy(1, both(other, wider(FP32, 4.0)), "on any machine at most", seed=5)
        for words, other in (("another processor", ELSEWHERE), ("another torch", OTHER_TORCH), ("other threads", OTHER_THREADS))
    },
    "another machine: a bound that lost most of its terms": Copy(
        1, both(ELSEWHERE, in_cell(FP32, unrefined=row_with(resolution=times(0.25)))), "the bound has lost a term", seed=5
    ),
    "another machine: a third of the batch not shown": Copy(
        1, both(ELSEWHERE, in_cell(BF16, unrefined=row_with(holds=lambda n: n * 2 // 3, noticed=lambda n: n * 2 // 3))), "without refinements", seed=5
    ),
    "another machine: a third of the wrong updates unnoticed": Copy(
        1, both(ELSEWHERE, in_cell(BF16, unrefined=row_with(noticed=lambda n: n * 2 // 3))), "without refinements", seed=5
    ),
    "another machine: cases refused well inside": Copy(1, both(ELSEWHERE, refused_inside(100)), "100 cases refused", seed=5),
    "another machine: a cell vacuous": Copy(1, both(ELSEWHERE, in_cell(FP32, verdict="VACUOUS")), "HOLDS became VACUOUS", seed=5),
    "another machine: a cell missing": Copy(1, both(ELSEWHERE, without(AGAIN)), "missing from the run", seed=5),
    "another machine: no certificate": Copy(1, both(ELSEWHERE, in_cell(FP32, certified=None)), "compared with balls", seed=5),
    "another machine: a grosser wrong update": Copy(1, both(ELSEWHERE, in_cell(FP32, mutant="ΔW doubled")), "another wrong update", seed=5),
    "another machine: a worst ratio near 1": Copy(1, both(ELSEWHERE, in_cell(FP32, worst_ratio=0.9999)), "another seed stays within", seed=5),
    "another machine: a worst ratio beyond 1": Copy(1, both(ELSEWHERE, in_cell(FP32, worst_ratio=1.01)), "figures tell of a violation", seed=5),
    **{
        f"another {name}, where it has to be the same": Copy(1, machine(**{name: value}), f"another {name}", same_machine=True)
        for name, value in (("processor", "x"), ("torch", "x"), ("device", "cpu (AVX2)"), ("blas", "x"), ("threads", 3))
    },
    "a sweep missing": Copy(1, gone("near_zero", 0), "missing from the run"),
    "no sweep": Copy(1, put("near_zero", value=[]), "missing from the run"),
    "infinite errors in all sweeps": Copy(1, at_all_levels(error=math.inf, error_median=math.inf, bound=1e-3), "passed became failed", seed=5),
    "an error above its bound": Copy(1, put("near_zero", 0, "levels", 0, value=row_with(error=1.0)), "passed became failed", seed=5),
    "bounds without limit": Copy(1, at_all_levels(bound=math.inf, refused=0.0), "a bound without limit", seed=5),
    "bounds that show nothing": Copy(1, at_all_levels(error=0.01, error_median=0.01, bound=1.5, refused=0.0), "passed became not judged", seed=5),
    "a sweep that fails too early": Copy(1, put("near_zero", 0, "measured_radius", value=2.0**-20), "fails earlier", seed=5),
    "another radius on the same operands": Copy(1, put("near_zero", 0, value=later), "another radius"),
    "another predicted radius on the same operands": Copy(1, put("near_zero", 0, "predicted_radius", value=times(2.0)), "another radius"),
    "a predicted radius 2³⁰ times as large, by another seed": Copy(
        1, put("near_zero", 0, "predicted_radius", value=times(2.0**30)), "further from zero than range limits can be mistaken", seed=5
    ),
    "every predicted radius 2³⁰ times as large, by another seed": Copy(1, foretold(2.0**30), "further from zero than range limits can be mistaken", seed=5),
    "a predicted radius a 2³⁰-th, by another seed": Copy(1, foretold(2.0**-30), "fails earlier", seed=5),
    "another machine: a predicted radius 2³⁰ times as large": Copy(1, both(ELSEWHERE, foretold(2.0**30)), "range limits can be mistaken", seed=5),
    "another machine: predictions without a limit to their mistake": Copy(
        1, both(ELSEWHERE, foretold(2.0**30), put("near_zero", 0, "timid_by", value=math.inf)), "may be mistaken by ∞"
    ),
    "predictions that may be mistaken by more": Copy(1, both(foretold(2.0**30), put("near_zero", 0, "timid_by", value=60.0)), "may be mistaken by 60", seed=5),
    "fewer cases at a distance": Copy(1, at_all_levels(cases=16), "16 cases at a distance", seed=5),
    "other errors at a distance on the same operands": Copy(
        1, put("near_zero", 0, "levels", 0, value=row_with(error_median=times(0.5))), "other numbers on the same operands: levels"
    ),
    "another limit that sets the radius": Copy(1, put("near_zero", 0, "predicted_by", value="x"), "other numbers on the same operands: predicted_by"),
    "a sweep that ends further from zero": Copy(1, put("near_zero", 0, "levels", value=lambda rows: rows[:-2]), "nearest distance", seed=5),
    "a sweep of few distances": Copy(1, put("near_zero", 0, value=coarse), "quotient of distances", seed=5),
    "a new sweep outside its bound": Copy(
        1,
        lambda data: data["near_zero"].append(astray(data["near_zero"][0])),
        "not in the baseline, and failed",
    ),
}


def fewer(data: dict, cases: int) -> None:
    """A cell with the first of its cases alone: all counts in proportion."""
    resized(data, cases, 0)


def more(data: dict, cases: int, unnoticed: int) -> None:
    """A cell with more cases of the same kind, in some of which a wrong update was not noticed."""
    resized(data, cases, unnoticed)


def resized(data: dict, cases: int, unnoticed: int) -> None:
    row = cell(data, FP32)
    share = cases / row["cases"]
    row["counts"] = {name: round(number * share) for name, number in row["counts"].items()}
    row["counts"]["holds"] += cases - sum(row["counts"].values())
    row["reasons"] = dict.fromkeys(row["reasons"], row["counts"]["inconclusive"])
    row |= {"cases": cases, "mutant_caught": row["counts"]["holds"] - unnoticed, "well_inside": {"cases": cases, "refused": 0}}
    row["output_blind"] = round(row["output_blind"] * share)
    judged, asked = cases - row["counts"]["inconclusive"], expected_cases(cases, row["batch"])
    row["expected"] |= {"asked": asked, "cases": min(asked, judged)}
    row["well_inside"]["cases"] = judged
    row["unrefined"] |= {name: min(row["unrefined"][name], judged) for name in ("cases", "holds", "noticed")}
    if cases <= row["batch"]:
        row["unrefined"]["refined"] = row["resolution"]  # its only batch is the whole cell
