"""A user's block as it is written, as rows of the record."""

import time

from numeric.training import weights_digest
from numeric.user_blocks import OwnAsWritten
from numeric.user_blocks.block_as_written import measure_scenario
from reports.record.as_written import SCENARIO_CLAIM, InDoubleRecord, WatchedRecord
from symbolic.claims import claim_ids
from verify.records.row_of import row_of


def watched(own: OwnAsWritten) -> WatchedRecord:
    """What was found in the block."""
    block, anatomy, check = own.watched, own.watched.anatomy, own.watched.check
    module, proved = block.described.module, set(claim_ids())
    return row_of(
        WatchedRecord,
        check,
        block=own.name,
        weights=weights_digest(module.state_dict()),
        parameters=sum(x.numel() for x in module.parameters()),
        width=block.width,
        first=list(block.described.first),
        cuts=list(dict.fromkeys(str(cut.place) for cut in anatomy.cuts)),
        stream=str(anatomy.stream.meeting) if anatomy.stream else None,
        absorber=anatomy.absorber.name if anatomy.absorber else None,
        absorbs_as=anatomy.absorber.kind if anatomy.absorber else None,
        claims=list(block.needed_claims),
        unproved=[name for name in block.needed_claims if name not in proved],
        operators=list(anatomy.behind),
        casts=list(anatomy.casts),
        notes=[*block.notes, *anatomy.notes, *check.without_an_update],
        planted={mistake.value: off for mistake, off in check.noticed.items()},
        left_out={mistake.value: why for mistake, why in check.left_out.items()},
    )


def scenario_in_double(own: OwnAsWritten, variant: str, scenario: str, cases: int, seed: int) -> InDoubleRecord:
    """Many prompts of one scenario."""
    began = time.perf_counter()
    found = measure_scenario(own, scenario, variant, cases, seed)
    planted = {mistake.value: counts for mistake, counts in found.planted.items()}
    known = {"block": own.name, "variant": variant, "scenario": scenario, "claim": SCENARIO_CLAIM[scenario]}
    return row_of(InDoubleRecord, found, **known, worst_ratio=found.worst, planted=planted, seconds=time.perf_counter() - began)
