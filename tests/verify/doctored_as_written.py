"""Doctored copies of a run with a block as it is written: what is worse, what is at odds with itself, and what is only other."""

import math

from tests.reports.findings.test_as_written import ALONE, NOTHING, REFUSED
from tests.verify.doctoring import ELSEWHERE, Copy, Doctor, both, gone, put, row_with, times

NAN = math.nan
ROW: tuple[str | int, ...] = ("experiments", "in_double", 0)
BLOCK: tuple[str | int, ...] = ("experiments", "watched", 0)
OTHER_WEIGHTS = put(*BLOCK, "weights", value="e" * 64)


def judging(number: int, cases: int = 512) -> Doctor:
    """Of so many cases so many are judged, and every wrong patch is noticed in them."""
    return put(*ROW, value=row_with(cases=cases, refused=cases - number, planted=lambda was: {words: [number, number] for words in was}))


def row(**changes: object) -> Doctor:
    return put(*ROW, value=row_with(**changes))


AS_WRITTEN: dict[str, Copy] = {
    "no block as it is written": Copy(1, both(put(*BLOCK[:-1], value=[]), put(*ROW[:-1], value=[])), "missing from the run"),
    "a scenario in float64 missing": Copy(1, gone(*ROW[:-1], 1), "missing from the run"),
    "float64 of a block that was not watched": Copy(1, put(*BLOCK[:-1], value=[]), "missing from the run"),
    "float64 of fewer cases": Copy(1, judging(509, 511), "511, 512 before"),
    "float64 with three more refused": Copy(1, judging(507), "507, 510 before"),
    "float64 with a third refused, by another seed": Copy(1, judging(340), "340, 510 before", seed=5),
    "float64 with a third refused, on another machine": Copy(1, both(ELSEWHERE, judging(340)), "340, 510 before"),
    "float64 with three more refused, and fewer noticed": Copy(1, judging(507, 512), "507, 510 before"),
    "float64 with fewer refused on the same operands": Copy(1, judging(511), "other numbers of the same weights"),
    "float64 with a third unnoticed, by another seed": Copy(1, put(*ROW, "planted", NOTHING, value=[340, 510]), "340, 510 before", seed=5),
    "float64 with a wrong patch tried in a third, by another seed": Copy(1, put(*ROW, "planted", ALONE, value=[170, 170]), "170, 510 before", seed=5),
    "float64 with every wrong patch tried in a third": Copy(1, row(planted=lambda was: {words: [170, 170] for words in was}), "170, 510 before", seed=5),
    "float64 of another claim": Copy(1, row(claim="theorem-2.2"), "other numbers of the same weights"),
    "float64 with a wrong patch of another name": Copy(1, row(planted={NOTHING: [510, 510], "x": [510, 510]}), "missing from the run", seed=5),
    "float64 with an infinite difference inside what is allowed": Copy(1, row(off=math.inf), "other numbers of the same weights"),
    "float64 with no difference beside its share of what is allowed": Copy(1, row(off=0.0), "other numbers of the same weights"),
    "a block that nothing patches": Copy(1, put(*BLOCK, value=row_with(cuts=[])), "other numbers of the same weights", seed=5),
    "a stream that nothing takes what is lacking of": Copy(1, put(*BLOCK, value=row_with(absorber=None)), "other numbers of the same weights", seed=5),
    "a claim that is not proved, and not needed": Copy(1, put(*BLOCK, value=row_with(unproved=["x"])), "other numbers of the same weights", seed=5),
    "a claim that is proved, and called not": Copy(1, put(*BLOCK, value=row_with(unproved=["pre-ln"])), "other numbers of the same weights", seed=5),
    **{
        f"another machine: {words}": Copy(1, both(ELSEWHERE, put(*BLOCK, value=row_with(**changes))), "other numbers of the same weights")
        for words, changes in (
            ("a block that needs no claim", {"claims": []}),
            ("a block without a stream", {"stream": None, "absorber": None, "absorbs_as": None}),
            ("another parameter that takes what is lacking", {"absorber": "in.bias"}),
            ("another W", {"first": ["v"]}),
            ("a block of another width", {"width": 5}),
            ("a claim that is not proved any more", {"unproved": ["pre-ln"]}),
        )
    },
    "float64 with all refused": Copy(1, row(**REFUSED), "became not judged"),
    "float64 with an unequal case": Copy(1, row(unequal=1, worst_ratio=1.5, off=1e-9), "passed became failed"),
    "float64 with a distance that is not a number": Copy(1, row(unequal=1, off=NAN, worst_ratio=NAN), "passed became failed"),
    "float64 beyond what is allowed, and none unequal": Copy(1, row(worst_ratio=1.5), "passed became failed"),
    "float64 unequal, and inside what is allowed": Copy(1, row(unequal=1), "passed became failed"),
    "float64 with more refused than there are": Copy(1, row(refused=513), "-1, 510 before"),
    "float64 with a wrong patch noticed more often than tried": Copy(1, put(*ROW, "planted", NOTHING, value=[511, 510]), "other numbers"),
    "float64 without wrong patches": Copy(1, row(planted={}), "no wrong patch"),
    "float64 with fewer wrong patches": Copy(1, row(planted={NOTHING: [510, 510]}), "1, 2 before"),
    "float64 with a wrong patch unnoticed": Copy(1, put(*ROW, "planted", NOTHING, value=[200, 510]), "in less than half of the cases"),
    "a float64 check that is off": Copy(1, put(*BLOCK, "off", value=1e-6), "passed became failed"),
    "a float64 check that is not a number": Copy(1, put(*BLOCK, "off", value=NAN), "passed became failed"),
    "a float64 check without wrong patches": Copy(1, put(*BLOCK, "planted", value={}), "none was planted"),
    "a float64 check that a wrong patch passes": Copy(1, put(*BLOCK, "planted", NOTHING, value=1e-14), "no wrong patch was noticed"),
    **{
        f"other numbers of {path[1]}.{path[-1]}": Copy(1, put(*path, value=change), "other numbers of the same weights", seed=seed)
        for path, change, seed in (
            ((*BLOCK, "absorber"), "in.bias", 5),
            ((*BLOCK, "off"), times(0.9), 5),
            ((*BLOCK, "allowed"), times(2.0), 5),
            ((*ROW, "off"), times(0.9), None),
            ((*ROW, "worst_ratio"), times(0.9), None),
        )
    },
    "a block as it is written with other weights, strictly": Copy(1, OTHER_WEIGHTS, "it is another block", strict=True),
}

AS_WRITTEN_HARMLESS: dict[str, Copy] = {
    "float64 with other numbers by another seed": Copy(0, row(off=times(2.0), worst_ratio=times(9.0)), "Nothing differs", seed=5),
    "float64 with three more unnoticed, by another seed": Copy(0, put(*ROW, "planted", NOTHING, value=[507, 510]), "Nothing differs", seed=5),
    "float64 with three more unnoticed, on another machine": Copy(0, both(ELSEWHERE, put(*ROW, "planted", NOTHING, value=[507, 510])), "from elsewhere"),
    "a part in float64 with a third unnoticed, whose cases have draws in common": Copy(
        0, put(*ROW[:-1], 1, "planted", NOTHING, value=[340, 510]), "Nothing differs", seed=5
    ),
    "float64 with three more refused, by another seed": Copy(0, judging(507), "Nothing differs", seed=5),
    "float64 of more cases": Copy(0, judging(598, 600), "Nothing differs"),
    "float64 of another duration": Copy(0, row(seconds=99.0), "Nothing differs"),
    "a block as it is written, by other versions of its libraries": Copy(
        0,
        both(ELSEWHERE, put(*BLOCK, value=row_with(cuts=["aten.addmm.default at mine.py:8"], operators=["aten.addmm.default"], off=times(2.0)))),
        "from elsewhere",
    ),
    "a block as it is written with other weights": Copy(0, both(OTHER_WEIGHTS, row(off=1e-15)), "it is another block"),
    "a block as it is written with other weights, and fewer noticed": Copy(
        0, both(OTHER_WEIGHTS, put(*ROW, "planted", NOTHING, value=[340, 510])), "it is another block"
    ),
}
