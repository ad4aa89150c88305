"""Every block of the corpus is what its row says: it runs, its query depends on its context and on no other case, and W and the absorber are read."""

import inspect
import socket
from copy import deepcopy
from typing import NoReturn

import pytest
import torch

from tests.real_blocks.by_hand import with_parameters
from tests.real_blocks.cases import BATCH, POSITIONS, N, agree, drawn, module_of, names
from tests.real_blocks.corpus import ALL, OTHER_KERNELS
from tests.real_blocks.float64_kept import Float64Kept
from tests.real_blocks.real_block import D, RealBlock

each_block = pytest.mark.parametrize("block", ALL, ids=names)


def test_names_are_unique_and_every_library_is_there() -> None:
    assert len({block.name for block in ALL}) == len(ALL)
    assert {block.library for block in ALL} == {"transformers", "torch", "x-transformers", "own words"}


@each_block
def test_it_is_built_without_a_download_and_has_nothing_at_its_default(block: RealBlock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights twice; no bias is zero, no scale is one, no parameter is constant."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a block opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    once, again = block.build(), block.build()
    for (name, parameter), other in zip(once.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(parameter, other)
        assert not parameter.requires_grad, name
        assert not ((parameter == 0) | (parameter == 1)).any(), name
        assert len(parameter.unique()) > 1, name
    assert not once.training


@each_block
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_it_answers_for_the_query_and_gives_the_same_bits_twice(block: RealBlock, dtype: torch.dtype) -> None:
    module, (context, query) = module_of(block, dtype), drawn(BATCH, dtype)
    for case in ((context, query, POSITIONS), (None, query, POSITIONS[-1:])):
        output = block.call(module, *case)
        assert output.shape == (BATCH, D)
        assert output.dtype == dtype
        assert output.isfinite().all()
        assert torch.equal(output, block.call(module, *case))


@each_block
def test_it_depends_on_each_token_of_its_own_context_and_on_no_other_case(block: RealBlock) -> None:
    """The derivative of one case's output is exactly zero by another case's tokens, and by no token of its own."""
    module, (context, query) = module_of(block), drawn(BATCH)
    context, query = context.requires_grad_(), query.requires_grad_()
    output = block.call(module, context, query, POSITIONS)
    by_context, by_query = torch.autograd.grad((output[1] * torch.linspace(1, 2, D, dtype=output.dtype)).sum(), (context, query))
    assert by_context[1].abs().amax(-1).gt(0).all()
    assert by_query[1].abs().max() > 0
    for other in (0, 2):
        assert not by_context[other].any()
        assert not by_query[other].any()


@each_block
def test_a_moved_token_moves_the_output_and_its_absence_does(block: RealBlock) -> None:
    module, (context, query) = module_of(block), drawn(1)
    output = block.call(module, context, query, POSITIONS)
    for token in range(N):
        moved = context.clone()
        moved[:, token] += torch.linspace(-1, 1, D, dtype=context.dtype)
        assert not agree(block.call(module, moved, query, POSITIONS), output)
        kept = [each for each in range(N) if each != token]
        assert not agree(block.call(module, context[:, kept], query, POSITIONS[[*kept, N]]), output)


@each_block
def test_a_permuted_batch_permutes_the_outputs(block: RealBlock) -> None:
    """Kernels may round a case by its place in the batch, so to within rounding; the order of the cases is seen in every output."""
    module, (context, query), order = module_of(block), drawn(BATCH), torch.tensor([2, 0, 1])
    output = block.call(module, context, query, POSITIONS)
    permuted = block.call(module, context[order], query[order], POSITIONS)
    assert agree(permuted, output[order])
    assert not agree(permuted, output)


@pytest.mark.parametrize("block", [block for block in ALL if block.hide is not None], ids=names)
def test_a_token_that_is_masked_out_is_a_token_that_is_taken_away(block: RealBlock) -> None:
    """Where a mask can say it, as long as the positions of the tokens that remain stay as they were."""
    assert block.hide is not None
    module, (context, query) = module_of(block), drawn(BATCH)
    hidden, kept = torch.tensor([False, True, False, True]), [0, 2]
    masked = block.hide(module, context, query, POSITIONS, hidden)
    assert agree(masked, block.call(module, context[:, kept], query, POSITIONS[[*kept, N]]))
    assert not agree(masked, block.call(module, context, query, POSITIONS))
    assert not agree(masked, block.call(module, context[:, [0, 1]], query, POSITIONS[[0, 1, N]]))
    if block.positioned:
        assert not agree(masked, block.call(module, context[:, kept], query, POSITIONS[:3]))


def test_only_recurrences_cannot_be_masked() -> None:
    assert {block.name for block in ALL if block.hide is None} == {"RecurrentGemma", "Mamba"}


@each_block
def test_positions_are_read_where_the_row_says_so(block: RealBlock) -> None:
    """Twice as far apart, and none of them the first: what rotary, learned and ALiBi's positions see, and a recurrence that starts at position 0."""
    module, (context, query) = module_of(block), drawn(BATCH)
    elsewhere = block.call(module, context, query, 2 * POSITIONS + 1)
    assert agree(elsewhere, block.call(module, context, query, POSITIONS)) != block.positioned


@pytest.mark.parametrize("block", OTHER_KERNELS, ids=names)
def test_another_kernel_computes_the_same_block(block: RealBlock) -> None:
    (original,) = (each for each in ALL if each.name == block.name.split(",")[0])
    module, reference, case = module_of(block), module_of(original), (*drawn(BATCH), POSITIONS)
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), reference.parameters(), strict=True))
    with Float64Kept():
        assert agree(block.call(module, *case), original.call(reference, *case))


@each_block
def test_the_output_reads_w_and_the_absorber(block: RealBlock) -> None:
    """Each is a parameter of the module, and the output moves with it; of a parameter of which only rows are W, with these."""
    module, (context, query) = module_of(block), drawn(BATCH)
    weights, output = dict(module.named_parameters()), block.call(module, context, query, POSITIONS)
    assert len(block.first) == 1 or block.rows is None
    for name in filter(None, (*block.first, block.absorber)):
        changed = deepcopy(weights[name].detach())
        part = changed[block.rows.start : block.rows.stop] if block.rows is not None and name in block.first else changed
        assert part.numel() > 0
        part += torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view(part.shape)
        assert not agree(with_parameters(block, module, {name: changed}, context, query, POSITIONS), output)


@pytest.mark.parametrize("block", [block for block in ALL if block.library != "own words"], ids=names)
def test_its_librarys_code_runs_behind_a_wrapper_of_twelve_lines(block: RealBlock) -> None:
    """Ours are at most the outermost module and the call, counted without docstrings and empty lines; every submodule is somebody else's."""
    module = module_of(block)
    assert not [name for name, each in module.named_modules() if name and type(each).__module__.startswith("tests.")]
    ours = [each for each in type(module).__mro__ if each.__module__.startswith("tests.")]
    assert block.library.replace("-", "_") in {type(each).__module__.split(".")[0] for each in module.modules()}
    lines = [line.strip() for each in (*ours, block.call) for line in inspect.getsource(each).splitlines()]
    assert len([line for line in lines if line and not line.startswith('"""')]) <= 12
