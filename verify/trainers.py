"""Blocks trained in processes of their own, like cells: what is trained does not depend on how many."""

from collections.abc import Callable, Iterator, Sequence

from numeric.block import Block
from numeric.training import BlockNotTrained, TrainedBlock, is_cached, trained
from verify.workers import Workers

Step = Callable[[str, int, int], None]


def train_all(blocks: Sequence[Block], *, jobs: int, step: Step, again: bool = False) -> Iterator[tuple[Block, TrainedBlock | BlockNotTrained]]:
    """Each block as it was trained or cached, in the order given; one that has not learned comes with its failure in its place.

    jobs: processes that train at once. step: called with a label, what is done and what is to do. Raises UnusableWeights.
    """
    missing = [index for index, block in enumerate(blocks) if again or not is_cached(block)]
    found: dict[int, TrainedBlock | BlockNotTrained] = {}
    if jobs > 1 and len(missing) > 1:
        label = f"train {len(missing)} blocks"
        with Workers(min(jobs, len(missing))) as pool:
            for index in missing:
                pool.submit(index, _train, blocks[index], again)
            step(label, 0, len(missing))
            for index, outcome in pool.results():
                if isinstance(outcome, Exception) and not isinstance(outcome, BlockNotTrained):
                    raise outcome
                found[index] = outcome
                step(label, len(found), len(missing))
    for index, block in enumerate(blocks):
        if index not in found:
            try:
                found[index] = trained(block, progress=step, retrain=again)
            except BlockNotTrained as failure:
                found[index] = failure
        yield block, found[index]


def _train(block: Block, again: bool) -> TrainedBlock:
    return trained(block, retrain=again)
