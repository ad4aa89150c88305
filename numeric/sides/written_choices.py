"""A pass of one case of a block that chooses by what it computes (a mixture of experts), in a format: what the query's row met on its way.

Which operators run, and on which rows, hangs on choices; so each case runs alone, and what is compared are not places but matrices. Where an operator reads
a matrix of W and a row that is z bit for bit, the query met that matrix: the first layer of a case is what all matrices that it met made of z. An operator
that reads a parameter which takes what the stream lacks, on the same row, takes a share of it (``shares.py``).

Whatever the other tokens of a context compute behind the cut does not reach the query's output (the anatomy found so, and the float64 check), so it is
taken for exact: a choice that is in doubt for another token leaves no doubt on the query's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from numeric.operator_rules import Bounded, NoOperatorRule
from numeric.operator_rules.table_of_moves import SHAPES_ALONE
from numeric.operators import MATRIX_PRODUCTS, Cases, Execution, Memory, flat_storage, parameter_of, storage_key, tensors_in
from numeric.operators.cut import MatrixProduct
from numeric.operators.executions import ATEN, as_in
from numeric.operators.labels import CHOOSING
from numeric.operators.memory import StorageSet
from numeric.operators.recording import Read
from numeric.sides.noted_rows import Noted
from numeric.sides.shares import SharesOfStream, StreamShare
from numeric.sides.written_passes import ADDING, BlockInFormat, Bounding, FormatPass, passed

Key = tuple[int, int]
"""A matrix: the place of its parameter among the block's, and the number of its first entry in the parameter's storage."""


@dataclass(frozen=True, slots=True)
class Patched:
    """A parameter's storage with a case's own numbers: (entries,) each."""

    value: Tensor
    radius: Tensor
    """float64."""


@dataclass(frozen=True, slots=True)
class MetMatrix:
    """What a matrix of W made of z."""

    made: Noted
    """(1, m)."""
    numbers: Tensor
    """(d, m), the entries of its parameter's storage."""
    name: str
    adds: bool
    """Whether the operator adds something to the product."""


@dataclass(slots=True)
class CasePass:
    """A pass of one case."""

    whole: FormatPass
    met: dict[Key, MetMatrix]
    shares: list[StreamShare]

    @property
    def z(self) -> Tensor:
        """What W read: (1, d)."""
        return self.whole.at_cut(0)[0].value


@dataclass(frozen=True, slots=True)
class _Rows:
    """Which rows of what an operator of the cut read are z."""

    of: int
    z: tuple[int, ...]


ROW_BY_ROW = frozenset({ATEN._to_copy.default, ATEN._softmax.default, ATEN.sigmoid.default, ATEN.topk.default})
"""Operators of routers that make of each token's row one of the result, where they work along the last axis."""


class Choosing(Bounding):
    """The walk.  patch: by storage of the parameter, what stands for it."""

    def __init__(self, block: BlockInFormat, patch: Mapping[str, Patched], cases: Cases, moved: Mapping[Read, Bounded]) -> None:
        super().__init__(block, (), cases, moved)
        assert cases.number == 1
        named = dict(block.module.named_parameters(remove_duplicate=False))
        self.names = list(named)
        self.stands = {storage_key(named[name]): each.value.clone() for name, each in patch.items()}
        for name, each in patch.items():
            self.knowledge.put(self.stands[storage_key(named[name])], Bounded(each.radius))
        places = {storage_key(x): (place, x) for place, x in reversed(list(enumerate(named.values())))}
        self.homes = {key: place for key, (place, _) in places.items()} | {storage_key(x): places[key][0] for key, x in self.stands.items()}
        self.numbers = Memory(torch.int64, unknown=-1)
        self.copies: list[Tensor] = []
        """Of parameters' entries, held so that their storages stay theirs."""
        first = {each.name for each in block.anatomy.weights}
        self.of_first = frozenset(self.names.index(name) for name in first)
        self.cuts_read = tuple(storage_key(self.stands[key]) if key in self.stands else key for key in block.weights)
        self.weights = {key: key for key, place in self.homes.items() if place in self.of_first}
        self.at_cuts = frozenset(cut.place.line for cut in block.anatomy.cuts)
        self.first_operand: Tensor | None = None
        """What the first operator of the cut read, all tokens."""
        self.by_tokens = StorageSet()
        """What has a row for each token, in the order of the first operator's."""
        self.rows = _Rows(0, ())
        self.met_matrices: dict[Key, MetMatrix] = {}
        self.shares = SharesOfStream(block.anatomy, self.knowledge)

    def home(self, x: Tensor) -> tuple[int, Tensor] | None:
        """Of entries of a parameter, or of a copy of some: the parameter's place, and the number of each."""
        place = self.homes.get(storage_key(x))
        if place is None:
            return None
        if self.numbers.knows(x):
            return place, self.numbers.of(x)
        return place, as_in(torch.arange(x.untyped_storage().nbytes() // x.element_size()), x)

    def execute(self, step: Execution) -> Any:
        """Execute with what stands for parameters.  Raises NoOperatorRule."""
        if any(storage_key(x) in self.homes for x in step.written):
            raise NoOperatorRule(f"{step.place}, which overwrites a parameter,")
        step = step.replaced({index: as_in(self.stands[storage_key(x)], x) for index, x in step.tensors if storage_key(x) in self.stands})
        if str(step.operator).removeprefix("aten.") in SHAPES_ALONE and not any(self.knowledge.holds(x) for _, x in step.tensors):
            made = self.bounded.execute(step)
            self.outside.followed.add(tensors_in(made))  # made of no number of what it reads
            return made
        product = self._of_cut(step)
        if product is not None:
            self._before(step, product)
        before = {index: x.clone() for index, x in step.tensors if any(x is each for each in step.written)}
        result = super().execute(step)
        results = tensors_in(result)
        if step.operator in CHOOSING and (found := self.home(step.tensors[0][1])) is not None:
            self._copied(step, found, results[0])
        if product is not None:
            self._after(step, product, results[0])
        elif step.operator in ROW_BY_ROW:
            self._only_the_query(step, results)
        self.shares.after(step, step.replaced(before), results, self)
        return result

    def _copied(self, step: Execution, found: tuple[int, Tensor], result: Tensor) -> None:
        place, numbers = found
        again = step.replaced({step.tensors[0][0]: numbers.contiguous()})
        self.homes[storage_key(result)] = place
        self.copies.append(result)
        self.numbers.put(result, tensors_in(again.result())[0])

    def _of_cut(self, step: Execution) -> MatrixProduct | None:
        """The product with a matrix of W, if the operator is one."""
        left = MATRIX_PRODUCTS.get(step.operator)
        if left is None or step.place.line not in self.at_cuts:
            return None
        for weight, rows in ((left, left + 1), (left + 1, left)):
            found = self.home(step.leaves[weight])
            if found is not None and found[0] in self.of_first:
                return MatrixProduct(step.place, weight, rows)
        return None

    def _before(self, step: Execution, product: MatrixProduct) -> None:
        """Find the rows that are z."""
        operand, cut = product.operand(step.leaves[product.rows]), self.block.anatomy.cuts[0]
        if step.place.line == cut.place.line and storage_key(step.leaves[product.weight]) == self.cuts_read[0]:
            self.first_operand = operand.clone()
        if self.first_operand is None:
            raise NoOperatorRule(f"{step.place}, which reads W before {cut.place} does,")
        z, rows = self.layout.query(self.first_operand, 1), operand.reshape(-1, operand.shape[-1])
        same = (rows == z) | (rows.isnan() & z.isnan())
        self.rows = _Rows(len(rows), tuple(torch.nonzero(same.all(-1)).flatten().tolist()))

    def _some(self, step: Execution, reads: frozenset[int]) -> Tensor | None:
        """The query's row, where all tokens are read as the first operator of the cut read them."""
        product = self._of_cut(step)
        assert product is not None
        assert self.first_operand is not None
        operand = product.operand(step.leaves[product.rows])
        if operand.shape != self.first_operand.shape or not torch.equal(operand, self.first_operand):
            return None
        features = product.matrix(step.leaves[product.weight]).shape[-1]
        ones = torch.ones((1, features), dtype=torch.float64)
        return product.result(self.layout.only_query(ones, operand.new_empty((*operand.shape[:-1], features), dtype=torch.float64))) != 0

    def _only_the_query(self, step: Execution, results: list[Tensor]) -> None:
        """What a router computes of other tokens is taken for exact, as it came out."""
        x = step.tensors[0][1]
        given = {each.name: value for each, value in step.arguments()}
        if x not in self.by_tokens or int(given.get("dim", -1)) not in (-1, x.dim() - 1):
            return
        for each in results:
            known = self.knowledge.of(each)
            if isinstance(known, Bounded) and each.shape[:-1] == x.shape[:-1]:
                query = self.layout.only_query(torch.ones((1, each.shape[-1]), dtype=torch.float64), torch.zeros(each.shape, dtype=torch.float64)) != 0
                radius = torch.where(query, known.radius.expand(each.shape), 0.0)
                doubts = None if known.doubts is None else torch.where(query, known.doubts.expand(each.shape), 0).to(torch.uint8)
                self.knowledge.put(each, Bounded(radius, doubts))
                self.by_tokens.add([each])

    def _reads_weights(self, step: Execution) -> bool:
        """W's own products, also by a copy of some matrices; and z's rows on their way to them."""
        if super()._reads_weights(step) or self._of_cut(step) is not None:
            return True
        if step.operator not in CHOOSING or self.first_operand is None:
            return False
        x = step.tensors[0][1]
        return x.numel() == self.first_operand.numel() and torch.equal(x.reshape(-1), self.first_operand.reshape(-1))

    def _after(self, step: Execution, product: MatrixProduct, result: Tensor) -> None:
        """Note what each matrix made of z."""
        found = self.home(step.leaves[product.weight])
        assert found is not None
        numbers, made = product.matrix(found[1]), product.result(result)
        if self.first_operand is not None and torch.equal(product.operand(step.leaves[product.rows]), self.first_operand):
            self.by_tokens.add([] if product.weight_left else [result])
        known = self.knowledge.of(result)
        assert isinstance(known, Bounded)
        radius = product.result(known.radius.expand(result.shape))
        doubts = None if known.doubts is None else product.result(known.doubts.expand(result.shape))
        for row in self.rows.z:
            matrix = numbers[row * len(numbers) // self.rows.of]
            value, spread = (each.reshape(-1, each.shape[-1])[row : row + 1].clone() for each in (made, radius))
            noted = Noted(value, spread, None if doubts is None else doubts.reshape(-1, doubts.shape[-1])[row : row + 1].clone())
            key = found[0], int(matrix.flatten()[0])
            self.met_matrices[key] = MetMatrix(noted, matrix, self.names[found[0]], str(step.operator) in ADDING)


def run_case(block: BlockInFormat, case: Cases, patch: Mapping[str, Patched] | None = None, moved: Mapping[Read, Bounded] | None = None) -> CasePass:
    """One pass of one case.  Raises NoOperatorRule."""
    walk = Choosing(block, patch or {}, case, moved or {})
    whole = passed(block, walk, case, patched=bool(patch))
    return CasePass(whole, walk.met_matrices, walk.shares.found)


def matrix_of(block: BlockInFormat, met: MetMatrix) -> Tensor:
    """The numbers of a matrix that is not patched: (d, m)."""
    return flat_storage(parameter_of(block.module, met.name))[met.numbers]
