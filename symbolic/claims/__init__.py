"""The registry of claims is the folder ``symbolic/claims``: one file a claim or a family of claims.

A file defines ``CLAIM`` or ``CLAIMS``; it is found by being there. Claims are listed in the order of their files' ``ORDER``, that of the paper,
and then of their names.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from symbolic.claim import Claim
from symbolic.vocabulary import UnknownClaim, chosen

__all__ = ["claim_ids", "load_claims"]


def claim_ids() -> list[str]:
    """The ids of all claims."""
    return list(_all())


def load_claims(ids: Sequence[str] | None = None) -> list[Claim]:
    """The claims with these ids, in this order; all of them without ids. Raises UnknownClaim."""
    return chosen(_all(), ids, "claim", UnknownClaim)


@cache
def _all() -> dict[str, Claim]:
    modules = [importlib.import_module(f"symbolic.claims.{module.name}") for module in pkgutil.iter_modules(__path__)]
    claims: dict[str, Claim] = {}
    for module in sorted(modules, key=lambda module: (module.ORDER, module.__name__)):
        for claim in getattr(module, "CLAIMS", ()) or (module.CLAIM,):
            assert claim.id not in claims, f"two claims are called {claim.id}"
            claims[claim.id] = claim
    return claims
