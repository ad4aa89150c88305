"""A user's own block: taken in only if the claims could apply to it, and refused by name where it can be seen that they do not.

A bound is carried from module to module, so what the modules compute has to be what the block computes. That is seen in one
forward pass (``wiring.py``): every module receives the very tensors that others returned, once, and only the first dense layers
receive what the contextual layer returned. A skip that nobody declared, a layer in front of the first one, a module that is used
twice or a number that is added on the way breaks it.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from numeric.architecture import Block, ContextualBlock, Recipe, UnusableBlock, output_layers, output_parameters
from numeric.architecture.as_written import BlockAsWritten
from numeric.architecture.compiled import compiled_parts, is_scripted, written_throughout
from numeric.architecture.contextual_block import AS_WRITTEN
from numeric.architecture.wiring import INPUT, hands_on, leaves, wiring
from numeric.machine import BATCH
from numeric.machine.environment_questions import ChangedArithmetic, undisturbed
from numeric.rules import rule_for, why_no_rule
from numeric.user_blocks.own_update import refuse_update
from numeric.user_blocks.shared_memory import share_a_place
from numeric.user_blocks.user_block import CompiledCode, DrawContexts, OwnBlock, OwnModel, Update
from numeric.user_blocks.user_code import LeftUserCode, contained, error_in_words
from numeric.user_blocks.usual_mistakes import given_in_words, refuse_batch_statistics, refuse_decisions, wrong_result
from numeric.user_blocks.whole_block import refuse_another_block

TRIED = 8
"""Cases of the forward pass in which a block is looked at."""

MORE = 8
"""How many times as many a block is compared with the whole one on: what differs in one case of ten, differs in one of 64 but for one block of a thousand."""

AGAIN = BATCH // TRIED
"""How often they stand in a batch of the size in which cells are measured."""


NOT_DETERMINISTIC = (
    "the contextual layer is not deterministic: the same tokens gave another result the second time, as with random numbers or a count of calls."
)


class _Called(nn.Module):
    """A contextual layer that is a plain function, or a scripted module."""

    def __init__(self, function: Callable[[Tensor | None, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.function(context, query)


def own_block(name: str, block: object, *, contexts: DrawContexts | None = None, update: Update | None = None) -> OwnBlock:
    """Take in what a user's function returned.  name: what to call it. Raises UnusableBlock with the reason."""
    try:
        with contained(), undisturbed():
            return _admitted(name, block, contexts, update)
    except ChangedArithmetic as error:
        raise UnusableBlock(f"after {name} was looked at, {error}.") from error
    except LeftUserCode as error:
        raise UnusableBlock(f"the code of {name} ends while the block is looked at: {error}.") from error


def _admitted(name: str, block: object, contexts: DrawContexts | None, update: Update | None) -> OwnBlock:
    if isinstance(block, BlockAsWritten):
        raise UnusableBlock(
            f"{name} is a block as it is written, which has no bound yet: context_transfer takes rebuilt blocks alone, ContextualBlock(contextual, network, …);"
            " `verify check` judges this one in float64."
        )
    compiled = compiled_parts(block) if isinstance(block, nn.Module) else []
    block = written_throughout(block) if isinstance(block, nn.Module) else block
    if not isinstance(block, ContextualBlock):
        raise UnusableBlock(_no_block(name, block))
    if not isinstance(block.input_width, int) or block.input_width < 1:
        raise UnusableBlock(f"input_width is {block.input_width!r}; it is the number of entries of a token.")
    if type(block).forward is not ContextualBlock.forward or "forward" in vars(block):
        raise UnusableBlock(f"{type(block).__name__} has a forward of its own; give ContextualBlock the contextual layer and the network, and let it run them.")
    _leave_inference_mode(block)
    block = block.eval().requires_grad_(False)
    for part, module in (("network", block.network), ("norm", block.norm)):
        scripted = [] if module is None else [f' ("{place}" of it)' if place else "" for place, each in module.named_modules() if is_scripted(each)]
        if scripted:
            raise UnusableBlock(
                f"the {part} is scripted (torch.jit){scripted[0]}, and its modules cannot be watched: give it as it was before, or {AS_WRITTEN}."
            )
    for part, module in (("block", block), ("norm", block.norm)):
        if module is not None and (module._forward_hooks or module._forward_pre_hooks):
            raise UnusableBlock(f"the {part} has a forward hook, which may change what it computes; remove it.")
    if hasattr(block.contextual, "_torchdynamo_orig_callable"):
        compiled.append("contextual")
    if not isinstance(block.contextual, nn.Module) or is_scripted(block.contextual):  # a scripted module takes no hooks
        block.contextual = _Called(block.contextual)
    for parameter in block.parameters():
        if parameter.is_meta:
            raise UnusableBlock("a weight of the block is on the meta device, where it has no value.")
        if not bool(torch.isfinite(parameter).all()):
            raise UnusableBlock("a weight of the block is a NaN or an infinity.")
    refuse_batch_statistics(block)
    _refuse_first_layer(block)
    model = OwnModel(block, contexts)
    with torch.no_grad():
        # Copies, since a kernel may round otherwise what lies otherwise in memory: all that is compared lies alike.
        context, query = (drawn.clone(memory_format=torch.contiguous_format) for drawn in model.tokens(TRIED, torch.Generator().manual_seed(0)))
        _refuse_contextual_layer(block, context, query)
        _refuse_network(block, context, query)
        _refuse_skip(block, context, query)
        whole, block.whole = block.whole, None
        if whole is not None:
            refuse_another_block(block, whole, (context, query), model.tokens(MORE * TRIED, torch.Generator().manual_seed(1)))
        if update is not None:
            refuse_update(block, context, query, update)
        homogeneous = _is_homogeneous(block, query)
    found = OwnBlock(Block(name, "a user's own block", lambda _: block, Recipe(), homogeneous=homogeneous), model, update, tuple(dict.fromkeys(compiled)))
    if found.compiled:
        warnings.warn(CompiledCode(f"{name}: {found.compiled_in_words}."), stacklevel=3)
    return found


def _no_block(name: str, given: object) -> str:
    """What to say of anything else than a block."""
    kind = type(given).__name__
    if isinstance(given, nn.Module):
        return (
            f"{name} returned a {kind}, not a numeric.ContextualBlock: give one layer of it and not the whole, ContextualBlock.of(layer, call, first=[…]), or "
            "its contextual layer and its network, ContextualBlock(contextual, network, first_layer, input_width=…)."
        )
    return f"{name} returned a {kind}, not a numeric.ContextualBlock: return ContextualBlock(contextual, network, first_layer, input_width=…)."


def _refuse_first_layer(block: ContextualBlock) -> None:
    for name, first in zip(block.first_layers, block.first_linears, strict=True):
        if not name:
            raise UnusableBlock('the network is its first layer, which has no name then; wrap it in nn.Sequential, and call it "0".')
        if type(first) is not nn.Linear:
            raise UnusableBlock(f'"{name}" is a {type(first).__name__}, which may compute something else: write nn.Linear, or {AS_WRITTEN}.')
        for other in _tied_to(block, f"network.{name}.weight"):
            raise UnusableBlock(f'"{other}" is tied to the first layer\'s weight: an update of W would change more than the claim says.')


def _tied_to(block: ContextualBlock, name: str) -> list[str]:
    """The parameters that share a place in memory with a parameter."""
    mine = block.get_parameter(name)
    return [other for other, each in block.named_parameters(remove_duplicate=False) if other != name and share_a_place(mine, each)]


def _refuse_contextual_layer(block: ContextualBlock, context: Tensor, query: Tensor) -> None:
    def asked(tokens: Tensor | None, x: Tensor, words: str) -> Tensor:
        output, read = _computed(block, tokens, x, words)
        if not bool(torch.isfinite(output).all()):
            raise UnusableBlock(f"the contextual layer returned a NaN or an infinity on {words}.")
        return output if block.norm is None else torch.cat([output, read], dim=-1)  # what is asked of the layer is asked of the norm behind it too

    with_context, without = asked(context, query, "a context"), asked(None, query, "no context (None)")
    if not torch.equal(asked(context, query, "a context"), with_context) or not torch.equal(asked(None, query, "no context (None)"), without):
        raise UnusableBlock(NOT_DETERMINISTIC)
    if torch.equal(with_context, without):
        raise UnusableBlock("the contextual layer ignores its context: with it and without it the result is the same, so there is nothing to move into W.")
    _refuse_mixing(asked, context, query)
    for layer in block.first_linears:
        _refuse_use_of(layer.weight, "the first layer's weight", block, context, query)


def _refuse_mixing(asked: Callable[[Tensor | None, Tensor, str], Tensor], context: Tensor, query: Tensor) -> None:
    """Refuse a layer in which a case's result depends on the others of its batch, or on its place there.

    In its place a case has the same bits whatever the others are. At another place a kernel may round it otherwise, which is of the order of the unit
    roundoff u; that it is computed otherwise is of order 1. Between the two lies √u, half of the digits.
    """
    for words, tokens in (("a context", context), ("no context (None)", None)):
        at_first = asked(tokens, query, words)
        repeated = True  # for other tokens in a batch of the same shape, the same in every case
        for factor in (1.0, -3.0):  # the others in another order, and others altogether
            for place in range(TRIED):
                mine = torch.arange(TRIED) == place
                others = [None if x is None else torch.where(mine.view(-1, *[1] * (x.dim() - 1)), x, factor * x.flip(0)) for x in (tokens, query)]
                changed, x = others
                assert x is not None
                now = asked(changed, x, words)
                repeated = repeated and torch.equal(now, at_first)
                if not torch.equal(now[place], at_first[place]):
                    raise UnusableBlock("the contextual layer mixes cases: one case's result changes with the others of its batch.")
        shuffled = torch.randperm(TRIED * AGAIN, generator=torch.Generator().manual_seed(0))
        for places in (torch.arange(TRIED).flip(0), torch.arange(TRIED * AGAIN).flip(0), shuffled):
            cases = places % TRIED
            placed = None if tokens is None else tokens[cases]
            moved = asked(placed, query[cases], words)
            scale = torch.maximum(moved.abs(), at_first[cases].abs()).amax(-1, keepdim=True)
            if bool(((moved - at_first[cases]).abs() > torch.finfo(moved.dtype).eps ** 0.5 * scale).any()):
                if not torch.equal(asked(placed, query[cases], words), moved):
                    raise UnusableBlock(NOT_DETERMINISTIC)
                if repeated:
                    raise UnusableBlock(
                        f"the contextual layer's result depends on earlier calls: on {words} it returned for other tokens in a batch of the same shape what it "
                        "had returned before, as a cache by shape does; let it compute from the given tokens alone."
                    )
                raise UnusableBlock(
                    "the contextual layer mixes cases: one case's result changes with its place in the batch, as behind a capacity or a cache that "
                    "other cases share; let each case be computed from its own tokens alone."
                )


def _leave_inference_mode(block: nn.Module) -> None:
    """Put copies in the place of weights that were made in inference mode, where nothing can be asked by changing them; what shared memory shares it still."""
    storages: dict[int, torch.UntypedStorage] = {}

    def copied(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        own = storages.setdefault(storage.data_ptr(), storage.clone())
        return torch.empty(0, dtype=x.dtype, device=x.device).set_(own, x.storage_offset(), x.size(), x.stride())

    parameters: dict[int, nn.Parameter] = {}
    for module in block.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.is_inference() and not parameter.is_meta:
                module._parameters[name] = parameters.setdefault(id(parameter), nn.Parameter(copied(parameter), requires_grad=False))
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_inference() and not buffer.is_meta:
                module._buffers[name] = copied(buffer)


def _computed(block: ContextualBlock, tokens: Tensor | None, x: Tensor, words: str) -> tuple[Tensor, Tensor]:
    """What the contextual layer returns, and what the network reads of it.  words: what is asked, for the reader of a refusal."""
    try:
        with contained():
            output = block.contextual(tokens, x)
    except Exception as error:
        raise UnusableBlock(f"the contextual layer fails on {words}: {error_in_words(error)}; {given_in_words(tokens, x)}.") from error
    wrong = wrong_result(output, x, block.first.in_features, any_width=block.norm is not None)
    if wrong is not None:
        raise UnusableBlock(f"the contextual layer returned {wrong[0]} on {words}; {wrong[1]}.")
    try:
        with contained():
            return output, block.network_input(output, x)
    except Exception as error:
        kind = type(block.norm).__name__
        raise UnusableBlock(f"the norm fails on what the contextual layer returned, {tuple(output.shape)}: {error_in_words(error)} ({kind})") from error


def _refuse_use_of(parameter: Tensor, words: str, block: ContextualBlock, context: Tensor, query: Tensor) -> None:
    """Refuse a contextual layer, or a norm behind it, whose result changes with a parameter that the claim changes."""
    changed_words = f"a context, where {words} has other numbers"
    # The places that an expanded one has in memory, each once: nothing can be written through more than one name of a place.
    sizes = [1 if stride == 0 else size for size, stride in zip(parameter.shape, parameter.stride(), strict=True)]
    parameter = parameter.as_strided(sizes, parameter.stride(), parameter.storage_offset())
    before, at_first = parameter.clone(), _computed(block, context, query, "a context")
    other = torch.randn(before.shape, generator=torch.Generator().manual_seed(0)).to(before)  # of another size, sign and direction
    used = False
    try:
        for changed in (-2.0 * before, other, torch.zeros_like(before)):
            parameter.copy_(changed)
            now = _computed(block, context, query, changed_words)
            used = used or not all(torch.equal(torch.nan_to_num(x), torch.nan_to_num(y)) for x, y in zip(at_first, now, strict=True))
    finally:
        parameter.copy_(before)
    if used:
        raise UnusableBlock(f"the contextual layer computes with {words}: an update of it would change more than the claim says.")


def _refuse_network(block: ContextualBlock, context: Tensor, query: Tensor) -> None:
    for name, module in block.network.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise UnusableBlock(f'"{name}" of the network has a forward hook, which may change what it computes; remove it.')
    given = block.read(context, query)
    width = block.first.in_features
    if not isinstance(given, Tensor) or given.shape != (len(query), width):
        raise UnusableBlock(f"the network is given {tuple(given.shape)}; its first dense layer takes ({len(query)}, {width}).")
    try:
        with contained():
            refuse_decisions(block.network, given)
            calls = wiring(block, given)
    except UnusableBlock:
        raise
    except Exception as error:
        for name, module in leaves(block.network):
            _refuse_without_rule(name, module)  # then that is why
        raise UnusableBlock(f"the network fails on what it is given: {error_in_words(error)}") from error
    for call in calls:
        module = block.network.get_submodule(call.name)
        reads_input = INPUT in call.reads
        if reads_input and call.name not in block.first_layers:
            named = ", ".join(f'"{name}"' for name in block.first_layers)
            if type(module) is nn.Linear:
                raise UnusableBlock(f'"{call.name}" reads the network\'s input like {named}: then it is a first layer too, and first_layer takes a list.')
            raise UnusableBlock(
                f'"{call.name}" ({type(module).__name__}) stands between the network\'s input and its first dense layer {named}, or beside it; the claim '
                "is of the layers that read A(C, x), so put it into the contextual layer, or give it as the norm of a Pre-LN block."
            )
        if not reads_input and call.name in block.first_layers:
            raise UnusableBlock(
                f'"{call.name}" does not read the network\'s input but what "{call.reads[0]}" returned, so it is no first dense layer: '
                "the claim is of the layers that read A(C, x)."
            )
        _refuse_without_rule(call.name, module)
    if calls != wiring(block):
        raise UnusableBlock("the network's modules are not called alike for every input: which of them run depends on the numbers.")


def _refuse_without_rule(name: str, module: nn.Module) -> None:
    if "forward" in vars(module) or not (type(module) is nn.Linear or hands_on(module) or rule_for(module)):
        raise UnusableBlock(why_no_rule(name, module))


def _refuse_skip(block: ContextualBlock, context: Tensor, query: Tensor) -> None:
    if not block.has_stream:
        return
    attended = block.contextual(context, query)
    answer = block.network(block.network_input(attended, query))
    if block.skip and len({block.input_width, attended.shape[-1], answer.shape[-1]}) > 1:
        widths = block.input_width, attended.shape[-1], answer.shape[-1]
        raise UnusableBlock(f"Definition A.1's skip adds x, A(C, x) and the network's output, which have {widths[0]}, {widths[1]} and {widths[2]} entries.")
    if attended.shape != answer.shape:
        raise UnusableBlock(f"a Pre-LN block adds its stream and the network's output, which have {attended.shape[-1]} and {answer.shape[-1]} entries.")
    for name in output_parameters(block, output_layers(block, wiring(block))):
        if _tied_to(block, name):
            raise UnusableBlock(f'"{name}", which takes what the stream lacks, is tied to another weight: its update would change more than the claim says.')
        _refuse_use_of(block.get_parameter(name), f'"{name}"', block, context, query)


def _is_homogeneous(block: ContextualBlock, query: Tensor) -> bool:
    """Whether A(sx) = s A(x) without a context, as powers of two show exactly where nothing underflows."""
    if block.norm is not None:
        return False
    at_one = block.contextual(None, query)
    return all(torch.equal(block.contextual(None, query * scale), at_one * scale) for scale in (2.0**-20, 2.0**-7, 2.0**5))
