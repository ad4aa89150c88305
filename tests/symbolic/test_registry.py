import subprocess
import sys
import time

import pytest

from symbolic.errors import CallError, UnknownClaim, unknown
from symbolic.registry import claim_ids, load_claims


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


def test_without_a_near_miss_the_message_says_only_where_to_look():
    assert unknown("format", "qqqqqq", ["fp16", "fp32"]) == 'no format named "qqqqqq". `verify list formats` shows all 2.'


def test_listing_ids_loads_no_sympy_and_is_fast():
    """``verify --help`` and ``verify list`` must not pay for SymPy."""
    script = "import sys; from symbolic.registry import claim_ids; claim_ids(); assert 'sympy' not in sys.modules"
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], check=True)
    assert time.perf_counter() - begin < 5  # 0.1 s when the machine is idle
