"""One update for many queries, part by part, by plain loops on untrained weights: what is drawn, how a ridge is chosen, and how errors are summed up."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from numeric.experiments import one_update_many_queries as subject
from numeric.experiments.one_update_many_queries import CONTEXTS, FRESH, QUERIES, SHARES, VALIDATION
from tests.numeric.experiments.untrained import untrained_block

EXAMPLES = 5
DIGITS = 2.0**-30
"""Relative: what fp64 loses in systems of a handful of unknowns with a ridge."""


def drawn(name: str = "attention-skip") -> subject._Drawn:
    with torch.no_grad():
        return subject._draw(untrained_block(name, examples=EXAMPLES, width=6, heads=2, hidden=5))


def test_the_queries_of_a_patch_are_not_those_that_choose_its_ridge_nor_those_that_judge_it() -> None:
    most = QUERIES[-1]
    assert list(QUERIES) == sorted(set(QUERIES))
    assert QUERIES[0] == 1, "Eq. (1) itself"
    assert most <= VALIDATION.start < VALIDATION.stop <= FRESH.start < FRESH.stop
    assert drawn().query.shape[:2] == (CONTEXTS, FRESH.stop)
    assert list(SHARES) == sorted(set(SHARES))
    assert SHARES[0] < 1 < SHARES[-1], "ridges beside tr(AAᵀ)/d: from next to none to more than all"


def test_what_is_drawn_is_what_the_block_makes_of_each_query_alone() -> None:
    """A(C,x), A(x), WΔA and both predictions; context and query are tokens of one prompt, the query without its answer."""
    found = drawn()
    block, width = found.block, found.query.shape[-1]
    trained = untrained_block("attention-skip", examples=EXAMPLES, width=6, heads=2, hidden=5)
    recipe = replace(trained.block.recipe, examples=EXAMPLES + FRESH.stop)
    columns = subject.draw_prompts(recipe, CONTEXTS, trained.generator(5)).context.double()
    embed = trained.model.embedding.weight.double()
    with torch.no_grad():
        for trial, k in ((0, 0), (3, 7), (CONTEXTS - 1, FRESH.stop - 1)):
            tokens = columns[trial] @ embed.mT
            column = columns[trial, EXAMPLES + k].clone()
            assert float(found.answer[trial, k]) == float(column[-1])
            column[-1] = 0.0
            query = found.query[trial, k].reshape(1, width)
            assert float((query[0] - embed @ column).abs().max()) <= DIGITS * float(query.abs().max())
            context = tokens[:EXAMPLES].unsqueeze(0)
            z, a = block.contextual(context, query)[0], block.contextual(None, query)[0]
            for told, alone in (
                (found.z[trial, k], z),
                (found.a[trial, k], a),
                (found.wanted[trial, k], block.first_weight @ (z - a)),
                (found.with_context[trial, k], block(context, query)[0, -1]),
                (found.without[trial, k], block(None, query)[0, -1]),
            ):
                assert float((told - alone).abs().max()) <= DIGITS * float(alone.abs().max())


def solved(A: Tensor, V: Tensor, ridge: float) -> Tensor:
    """VAᵀ(AAᵀ + λI)⁻¹ of one trial, with the inverse itself.  A: (d, K); V: (m, K)."""
    return V @ A.mT @ torch.linalg.inv(A @ A.mT + ridge * torch.eye(len(A), dtype=A.dtype))


def error(found: subject._Drawn, trial: int, update: Tensor, queries: slice) -> float:
    a, wanted = found.a[trial, queries], found.wanted[trial, queries]
    return math.fsum(float((update @ x - v).norm() / v.norm()) for x, v in zip(a, wanted, strict=True)) / len(a)


def summed_up(values: list[float]) -> tuple[float, float, float]:
    """Mean, its standard error, and the median."""
    n, mean = len(values), math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1))
    ordered = sorted(values)
    return mean, spread / math.sqrt(n), (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def agree(told: subject.TrialSummary, values: list[float]) -> None:
    for one, other in zip((told.mean, told.error, told.median), summed_up(values), strict=True):
        assert math.isclose(one, other, rel_tol=DIGITS)


@pytest.mark.parametrize("K", [1, 3, 16])
def test_the_ridge_is_the_one_that_serves_the_validation_queries_best(K: int) -> None:
    """λ a share of tr(AAᵀ)/d, trial by trial; the share that is told is the median; and a wrong vector has a ridge of its own."""
    found = drawn()
    for vectors in (found.a, found.z):
        updates, shares = [], []
        for trial in range(CONTEXTS):
            A, V = vectors[trial, :K].mT, found.wanted[trial, :K].mT
            tried = [solved(A, V, share * float(A.square().sum()) / len(A)) for share in SHARES]
            best = min(range(len(SHARES)), key=lambda i, tried=tried, trial=trial: error(found, trial, tried[i], VALIDATION))
            updates.append(tried[best])
            shares.append(SHARES[best])
        update, share = subject._ridged(found, vectors, K)
        assert share == sorted(shares)[(CONTEXTS - 1) // 2]
        assert float((update - torch.stack(updates)).norm()) <= 2.0**-16 * float(update.norm()), "a ridge of 2^-20 leaves 2^20 of fp64's roundings"


def test_a_point_is_told_by_its_trials() -> None:
    """Errors on fresh queries with the ridge, of the patch of the trial before, and of a patch made with A(C,x); on the queries themselves without a ridge."""
    found, K = drawn(), 3
    with torch.no_grad():
        Q = subject.span(found.a.flatten(0, 1))
        point = subject._point(found, K, Q)
        update, _ = subject._ridged(found, found.a, K)
        wrong, _ = subject._ridged(found, found.z, K)
        agree(point.fresh, [error(found, trial, update[trial], FRESH) for trial in range(CONTEXTS)])
        agree(point.other_context, [error(found, trial, update[trial - 1], FRESH) for trial in range(CONTEXTS)])
        agree(point.wrong_vector, [error(found, trial, wrong[trial], FRESH) for trial in range(CONTEXTS)])
        assert (point.queries, point.refused) == (K, 0) or Q.shape[1] < K
        assert point.unridged is not None
        own = [error(found, trial, found.wanted[trial, :K].mT @ torch.linalg.pinv(found.a[trial, :K].mT, rtol=2.0**-40), slice(K)) for trial in range(CONTEXTS)]
        for told, by_pinv in zip((point.unridged.own.mean, point.unridged.own.median), (summed_up(own)[0], summed_up(own)[2]), strict=True):
            assert abs(told - by_pinv) <= 2.0**-20


def test_a_trial_that_is_refused_leaves_nothing_to_be_told_of_the_others() -> None:
    """The same query twice: two vectors that span one direction."""
    found = drawn()
    a = found.a.clone()
    a[2, 1] = a[2, 0]
    with torch.no_grad():
        point = subject._point(replace(found, a=a), 2, subject.span(a.flatten(0, 1)))
    assert (point.refused, point.unridged) == (1, None)


def test_losses_and_trials_by_hand() -> None:
    """½·mean of squares; 1, 2, 3 and 10 have mean 4, variance 50/3 and median 2½."""
    told = subject._over_trials(torch.tensor([10.0, 1.0, 3.0, 2.0], dtype=torch.float64))
    assert (told.mean, told.median) == (4.0, 2.5)
    assert math.isclose(told.error, math.sqrt(50 / 3) / 2, rel_tol=DIGITS)
    loss = subject._loss(torch.tensor([[1.0, 4.0], [0.0, 0.0]]), torch.tensor([[2.0, 1.0], [0.0, 2.0]]))
    assert (loss.mean, loss.median) == (1.75, 1.75)


def test_errors_by_hand() -> None:
    """ΔWa = (2, 0) where (0, 0.5) was wanted: √4.25/½; and where it is what was wanted, 0."""
    a, wanted = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[0.0, 0.5], [4.0, 0.0]]])
    found = replace(drawn(), a=a, wanted=wanted)
    told = subject._errors(found, torch.tensor([[[2.0], [0.0]]]), slice(2))
    assert math.isclose(told.item(), math.sqrt(4.25), rel_tol=2.0**-20), "in fp32"
    assert subject._errors(found, torch.tensor([[[2.0], [0.0]]]), slice(1, 2)).tolist() == [0.0]


@pytest.mark.parametrize("name", ["attention", "attention-skip"])
def test_the_loss_of_a_patched_block_by_hand(name: str) -> None:
    """W + ΔW in its place; and with a skip the mean of what the stream lacks in the last bias, without one nothing."""
    found, K = drawn(name), 3
    update = torch.randn((CONTEXTS, *found.block.first_weight.shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    predictions = []
    with torch.no_grad():
        for trial in range(CONTEXTS):
            block = copy.deepcopy(found.block)
            first, *_, last = (module for module in block.network.modules() if isinstance(module, torch.nn.Linear))
            first.weight += update[trial]
            if name == "attention-skip":
                last.bias += sum(found.z[trial, k] - found.a[trial, k] for k in range(K)) / K
            predictions.append(torch.stack([block(None, query[None])[0, -1] for query in found.query[trial, FRESH]]))
        told = subject._patched_loss(found, update, K)
    off = torch.stack(predictions) - found.answer[:, FRESH]
    agree(told, [math.fsum(float(x) ** 2 for x in row) / len(row) / 2 for row in off])
