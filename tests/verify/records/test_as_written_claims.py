"""The scenarios of a block as it is written are those of which the record knows the claim."""

from numeric.user_blocks.block_as_written import ALL, SCENARIOS
from reports.record.as_written import SCENARIO_CLAIM, WHOLE
from symbolic.claims import claim_ids


def test_each_scenario_has_its_claim() -> None:
    assert tuple(SCENARIO_CLAIM) == SCENARIOS
    assert set(SCENARIO_CLAIM.values()) <= set(claim_ids())
    assert WHOLE == ALL
