"""The table of what libraries promise, beside the same numbers written down from their sources once more, each with the name of its source.

The order of the formats is fp64, fp32, bf16, fp16. What a processor really does is asked in ``test_library_probe.py``.
"""

import pytest

from numeric.rules import library_errors
from numeric.rules.library_errors import ELEMENTARY_ERRORS, UnknownElementaryFunction, elementary_error

FORMATS = ("fp64", "fp32", "bf16", "fp16")
DOCUMENTED = {
    ("exp", "cpu"): ((1, 1, 1, 1), "oneMKL, HA; SLEEF u10"),
    ("tanh", "cpu"): ((1, 1, 1, 1), "the same"),
    ("sqrt", "cpu"): ((1, 1, 1, 1), "the same"),
    ("erf", "cpu"): ((1, 1, 5, 5), "the same; ATen's vec headers by Abramowitz and Stegun 7.1.26, 1.3 of 1 and some for the evaluation"),
    ("rsqrt", "cpu"): ((2, 2, 2, 2), "1/sqrt: half an ulp and the root's"),
    ("rsqrt of normalisation", "cpu"): ((2, 2, 2, 2), "1/sqrt"),
    ("sigmoid", "cpu"): ((4, 4, 4, 4), "1/(1 + exp(-x)): 4v"),
    ("exp2", "cpu"): ((1, 1, 1, 1), "SLEEF u10"),
    ("expm1", "cpu"): ((1, 1, 1, 1), "oneMKL, HA; SLEEF u10"),
    ("log", "cpu"): ((1, 1, 1, 1), "the same"),
    ("log2", "cpu"): ((1, 1, 1, 1), "the same"),
    ("log1p", "cpu"): ((1, 1, 1, 1), "the same"),
    ("sin", "cpu"): ((3.5, 3.5, 3.5, 3.5), "SLEEF u35"),
    ("cos", "cpu"): ((3.5, 3.5, 3.5, 3.5), "SLEEF u35"),
    ("pow", "cpu"): ((1, 1, 1, 1), "SLEEF u10"),
    ("exp of softmax", "cpu"): ((1, 1, 20, 20), "ATen exp_u20 where the format is narrow"),
    ("exp of silu", "cpu"): ((1, 1, 20, 20), "the same"),
    ("erf of gelu", "cpu"): ((1, 8, 8, 8), "oneDNN's polynomials: 5.8 seen, and a third more"),
    ("tanh of gelu", "cpu"): ((1, 1, 1, 1), "oneMKL, HA"),
    ("exp", "cuda"): ((1, 2, 2, 2), "CUDA C++ Programming Guide, as all below"),
    ("erf", "cuda"): ((2, 2, 2, 2), ""),
    ("tanh", "cuda"): ((2, 2, 2, 2), ""),
    ("sqrt", "cuda"): ((0.5, 0.5, 0.5, 0.5), "correctly rounded"),
    ("rsqrt", "cuda"): ((1, 2, 2, 2), ""),
    ("rsqrt of normalisation", "cuda"): ((1, 2, 2, 2), ""),
    ("sigmoid", "cuda"): ((4, 6, 6, 6), "that of exp, and two roundings"),
    ("exp2", "cuda"): ((1, 2, 2, 2), ""),
    ("expm1", "cuda"): ((1, 1, 1, 1), ""),
    ("log", "cuda"): ((1, 1, 1, 1), ""),
    ("log2", "cuda"): ((1, 1, 1, 1), ""),
    ("log1p", "cuda"): ((1, 1, 1, 1), ""),
    ("sin", "cuda"): ((2, 2, 2, 2), ""),
    ("cos", "cuda"): ((2, 2, 2, 2), ""),
    ("pow", "cuda"): ((2, 4, 4, 4), ""),
    ("exp of softmax", "cuda"): ((1, 2, 2, 2), ""),
    ("exp of silu", "cuda"): ((1, 2, 2, 2), ""),
    ("erf of gelu", "cuda"): ((10, 10, 10, 10), "normcdf: 5 ulps, twice"),
    ("tanh of gelu", "cuda"): ((2, 2, 2, 2), ""),
}
OF_ONE = {(f"{name} of gelu", device, row) for name in ("erf", "tanh") for device in ("cpu", "cuda") for row in FORMATS} | {
    ("erf", "cpu", "bf16"),
    ("erf", "cpu", "fp16"),
}
FLUSHES = {(f"exp of {name}", "cpu", row) for name in ("softmax", "silu") for row in ("bf16", "fp16")}
FLUSHES |= {(f"{name} of gelu", "cpu", "bf16") for name in ("erf", "tanh")} | {("rsqrt of normalisation", "cpu", "bf16")}


def test_the_table_is_what_the_sources_say() -> None:
    assert {(row.function, row.device) for row in ELEMENTARY_ERRORS} == set(DOCUMENTED)
    assert len(ELEMENTARY_ERRORS) == 4 * len(DOCUMENTED)
    for (function, device), (ulps, _) in DOCUMENTED.items():
        for name, number in zip(FORMATS, ulps, strict=True):
            row = elementary_error(function, device, name)
            assert row.ulps == number
            assert row.of_one is ((function, device, name) in OF_ONE)
            assert row.flushes is ((function, device, name) in FLUSHES)
            assert row.in_storage is ((function, device) == ("rsqrt", "cpu") and name in ("bf16", "fp16"))
            assert row.source


def test_rows_are_made_from_two_numbers() -> None:
    """The first is of fp64, the other of all that is evaluated in fp32; the kernels of bf16 on a CPU may flush."""
    made = [*library_errors._rows("f of g", "cpu", (3.0, 7.0), "", of_one=True)]
    assert [(row.format, row.ulps, row.of_one, row.flushes) for row in made] == [
        ("fp64", 3.0, True, False),
        ("fp32", 7.0, True, False),
        ("bf16", 7.0, True, True),
        ("fp16", 7.0, True, False),
    ]
    assert not any(row.flushes for row in (*library_errors._rows("f", "cpu", (1.0, 1.0), ""), *library_errors._rows("f of g", "cuda", (1.0, 1.0), "")))
    again = {(row.function, row.format): row for row in (*library_errors._erf(), *library_errors._rsqrt(), *library_errors._exp_of("softmax"))}
    for row in ELEMENTARY_ERRORS:
        if row.device == "cpu" and row.function in ("erf", "rsqrt", "exp of softmax"):
            assert repr(again[row.function, row.format]) == repr(row)


def test_what_is_not_on_record_is_an_error_that_says_so() -> None:
    with pytest.raises(UnknownElementaryFunction, match='"sinh" on cpu in fp32; there are rows for: exp, erf'):
        elementary_error("sinh", "cpu", "fp32")
    with pytest.raises(UnknownElementaryFunction, match="there are rows for: nothing"):
        elementary_error("exp", "tpu", "fp32")
