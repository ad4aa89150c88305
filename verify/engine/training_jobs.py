"""Blocks trained in processes of their own, like cells: what is trained does not depend on how many."""

from collections.abc import Iterator, Sequence

from numeric.architecture import Block
from numeric.training import BlockNotTrained, TrainedBlock, is_cached, trained
from verify.engine.processes import OutOfTime, Workers
from verify.progress import OnStep


class NoTimeToTrain(BlockNotTrained):
    """The run's time was over before the block was trained."""


class Training:
    """Blocks on their way: those that are not in the cache begin at once, in the pool's processes, so that their maker can do something else."""

    def __init__(self, blocks: Sequence[Block], pool: Workers, *, step: OnStep, again: bool = False) -> None:
        """again: train what is cached, too. The pool has nothing else to do meanwhile."""
        self._blocks, self._pool, self._step, self._again = blocks, pool, step, again
        missing = [index for index, block in enumerate(blocks) if again or not is_cached(block)]
        # One alone is trained in this process, where its progress can be seen.
        self._begun = len(missing) if pool.uses_processes and len(missing) > 1 else 0
        for index in missing[: self._begun]:
            pool.submit(index, _train, blocks[index], again)
        if self._begun:
            self._show(0)

    @property
    def begun(self) -> bool:
        """Whether the pool's processes are at work on it."""
        return self._begun > 0

    def results(self) -> Iterator[tuple[Block, TrainedBlock | BlockNotTrained]]:
        """Each block as it was trained or cached, in the order given; one that has not learned comes with its failure in its place.

        Raises UnusableWeights.
        """
        outcomes: dict[int, TrainedBlock | BlockNotTrained] = {}
        for index, outcome in self._pool.results() if self._begun else ():
            if isinstance(outcome, Exception) and not isinstance(outcome, BlockNotTrained | OutOfTime):
                raise outcome
            outcomes[index] = _no_time(self._blocks[index]) if isinstance(outcome, OutOfTime) else outcome
            self._show(len(outcomes))
        for index, block in enumerate(self._blocks):
            if index not in outcomes:
                try:
                    self._pool.refuse_if_over()
                    outcomes[index] = trained(block, progress=self._stepped, retrain=self._again)
                except BlockNotTrained as failure:
                    outcomes[index] = failure
                except OutOfTime:
                    outcomes[index] = _no_time(block)
            yield block, outcomes[index]

    def _stepped(self, label: str, done: int, total: int) -> None:
        self._pool.refuse_if_over()
        self._step(label, done, total)

    def _show(self, done: int) -> None:
        self._step(f"train {self._begun} blocks", done, self._begun)


def _no_time(block: Block) -> NoTimeToTrain:
    return NoTimeToTrain(f"the run's time was over before the block {block.id} was trained")


def _train(block: Block, again: bool) -> TrainedBlock:
    return trained(block, retrain=again)
