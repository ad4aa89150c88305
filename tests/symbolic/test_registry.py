import subprocess
import sys
import time

import pytest

import symbolic.claims
from symbolic import claims, prover
from symbolic.claims import claim_ids, load_claims
from symbolic.vocabulary import CallError, UnknownClaim, Verdict, unknown


def test_ids_are_those_of_the_claims_in_the_papers_order():
    ids = claim_ids()
    assert ids == [claim.id for claim in load_claims()]
    assert ids[0] == "theorem-2.2"
    assert len(set(ids)) == len(ids)
    assert [claim.id for claim in load_claims(["rank", "theorem-2.2"])] == ["rank", "theorem-2.2"]
    assert load_claims([]) == []


def test_an_unknown_claim_is_refused_with_the_nearest_ids():
    with pytest.raises(UnknownClaim) as caught:
        load_claims(["theorem-2.2", "theorm-2.2"])
    assert isinstance(caught.value, CallError)
    expected = 'UnknownClaim: no claim named "theorm-2.2"; did you mean "theorem-2.2"'
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith(f"? `verify list claims` shows all {len(claim_ids())}.")


def test_without_a_near_miss_the_nearest_names_are_no_question():
    assert (
        unknown("claim", "nonsense", ["rank", "solutions"]) == 'no claim named "nonsense"; the nearest: "solutions", "rank". `verify list claims` shows all 2.'
    )
    assert unknown("format", "x", []) == 'no format named "x". `verify list formats` shows all 0.'


def test_listing_ids_loads_no_sympy_and_is_fast():
    """``verify --help`` and ``verify list`` must not pay for SymPy."""
    script = "import sys; from symbolic.claims import claim_ids; claim_ids(); assert 'sympy' not in sys.modules"
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], check=True)
    assert time.perf_counter() - begin < 5  # 0.1 s when the machine is idle


NEW_CLAIM = """
from symbolic.claim import Claim, Formula, Matrix

ORDER = 0
CLAIM = Claim(
    id="double-transpose", title="", source="", symbols=(Matrix("A", "d", "m"),), hypotheses=(), statement=Formula("Aᵀᵀ = A", "A"),
    left=lambda v: v.A.mT.mT, right=lambda v: v.A, proof=lambda v, d: (d.start(), d.finish()), mutants=(),
)
"""


def test_a_new_file_is_a_new_claim(tmp_path, monkeypatch):
    """Nothing else is edited: the folder is the registry."""
    (tmp_path / "double_transpose.py").write_text(NEW_CLAIM, encoding="utf-8")
    monkeypatch.setattr(symbolic.claims, "__path__", [*symbolic.claims.__path__, str(tmp_path)])
    claims._all.cache_clear()
    try:
        assert claim_ids()[0] == "double-transpose"
        assert prover.prove(load_claims(["double-transpose"])[0]).verdict is Verdict.HOLDS
    finally:
        claims._all.cache_clear()
        sys.modules.pop("symbolic.claims.double_transpose", None)
