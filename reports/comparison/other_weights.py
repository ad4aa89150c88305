"""Blocks whose weights are others than the baseline's, although the same recipe was trained on the same machine.

Training is deterministic by the recipe on one machine and version of torch (``numeric.training``). So such weights were trained elsewhere or
changed since, whatever checksum their file in the cache has; and what was measured on them is of another block.
"""

from collections.abc import Iterator

from reports.comparison.baseline import origin_of
from reports.comparison.baseline_rows import Baseline, Origin
from reports.comparison.changes import Change, DifferenceKind
from reports.record import RunRecord

TRAINED_ON = ("device", "processor", "torch", "blas")
"""What of a machine weights depend on: one thread trains, however many measure."""


def same_weights(here: Origin, there: Origin, block: str) -> bool:
    """Whether a block is the same in both, as far as it is known."""
    known = block in here.recipes and here.recipes[block] == there.recipes.get(block)
    return known and here.weights[block] == there.weights.get(block, here.weights[block])


def other_weights(baseline: Baseline, record: RunRecord) -> Iterator[Change]:
    """One for each block. A baseline without digests of weights knows nothing of them."""
    here, there = origin_of(record), baseline.origin
    if any(there.machine.get(name) != here.machine[name] for name in TRAINED_ON):
        return
    for block, weights in here.weights.items():
        if here.recipes[block] == there.recipes.get(block) and weights != there.weights.get(block, weights):
            what = "other weights than its recipe gives on this machine: trained elsewhere, or changed; `verify train --again` says which, and trains anew"
            yield Change(DifferenceKind.REGRESSION, "other", f"trained blocks/{block}", what, there.weights[block][:12], weights[:12])


def other_suite(baseline: Baseline, record: RunRecord) -> Iterator[str]:
    """That another version of the suite made the baseline, in words."""
    here, there = origin_of(record).suite, baseline.origin.suite
    if there and there != here:
        yield f"The baseline was made by version {there} of the suite, this run by version {here}."
