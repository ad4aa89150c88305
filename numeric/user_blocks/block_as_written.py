"""A user's block as it is written: taken in when it has been watched, then measured in float64 on many prompts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from numeric.architecture import Block, ContextualBlock, Recipe, UnusableBlock
from numeric.architecture.as_written import BlockAsWritten
from numeric.formats import modes_named, torch_dtype
from numeric.machine import probe
from numeric.machine.environment_questions import ChangedArithmetic, undisturbed
from numeric.operator_rules import NoOperatorRule
from numeric.operators import WatchedBlock
from numeric.operators.many_cases import ManyCases, PromptBatch, TensorUpdate, cases_at_once, measure_prompts
from numeric.sides import seed_of
from numeric.sides.own_code import OwnCodeFails
from numeric.sides.variant import OWN, VARIANTS, in_place_refused
from numeric.sides.written_sides import ASKED_SHAPES, WrittenCases, measure_written_sides, written_in_format
from numeric.user_blocks.own_update import refuse_operations
from numeric.user_blocks.update_size import WithinReason
from numeric.user_blocks.user_block import DrawContexts, Update, drawn_tokens
from numeric.user_blocks.user_code import LeftUserCode, contained, error_in_words
from symbolic import formulas

ALL, PART = "random", "subset"
"""The scenarios in which a block as it is written is measured: the whole context is removed, or a part of it at random positions."""
SCENARIOS = (ALL, PART)
AT_MOST = {True: 512, False: 48}
"""Cases of each scenario, unless another number is asked for: where patched passes run at once, and where they run case by case."""
ALIKE = (("fp64",), ("fp32", "fp32-ftz", "tf32", "fp8-e4m3", "fp8-e5m2"), ("bf16", "bf16-reduced"), ("fp16", "fp16-reduced"))
"""The formats in which such a block is bounded, those of one dtype in a group: code may ask for it, as libraries do where they guard fp16 against overflow."""
MIXED = (("bf16-autocast",), ("bf16-fp32-weights",))
"""Those in which operators meet tensors of two formats, and a module's own code may fail."""
LOOKED_AT = tuple(name for alike in (*ALIKE, *MIXED) for name in alike)
BOUNDED_AT_MOST = {True: 128, False: 12}
"""Cases of a cell, likewise: each operator is bounded, with a matrix of every case's own."""
FORMULA = VARIANTS[0].id


@dataclass(frozen=True, slots=True)
class OwnAsWritten:
    """A user's block as it is written, with where its contexts come from."""

    name: str
    watched: WatchedBlock
    contexts: DrawContexts | None = None
    update: Update | None = None
    """The user's own ΔW, if there is one."""

    no_rule: Mapping[str, str] = field(default_factory=dict)
    """The formats in which there is no bound of it, and why."""

    @property
    def variants(self) -> tuple[str, ...]:
        """The updates that are measured on it: its own first."""
        return (*((OWN,) if self.update else ()), FORMULA)

    @property
    def block(self) -> Block:
        """Its row among the blocks."""
        return Block(self.name, "a user's block, as it is written", _not_built, Recipe())

    def prompts(self, scenario: str, cases: int, generator: torch.Generator) -> PromptBatch:
        """Cases in float64; in a part that is removed every number of tokens, from 1 to all of them, is as likely, and all cases of a batch lack the same."""
        context, query = drawn_tokens(self.contexts, cases, generator, self.watched.width, torch.float64)
        tokens = context.shape[1]
        number = tokens if scenario == ALL else int(torch.randint(1, tokens + 1, (), generator=generator))
        removed = torch.randperm(tokens, generator=generator)[:number].sort().values
        return PromptBatch(context, query, tuple(removed.tolist()))


def own_as_written(
    name: str, described: BlockAsWritten, *, contexts: DrawContexts | None = None, update: Update | None = None, formats: Collection[str] = LOOKED_AT
) -> OwnAsWritten:
    """Watch a user's block.  name: what to call it; formats: to be measured. Raises UnusableBlock with the operator, its line and the way out."""
    _refuse_weights(described.module)
    try:
        with contained(), undisturbed():
            own = OwnAsWritten(name, WatchedBlock.of(described), contexts, update)
            measure_scenario(own, ALL, own.variants[0], 1, seed=0)  # what the user's other functions do is seen before anything is measured
            own = replace(own, no_rule=_without_rules(own, formats))
            if own.update is not None and any(name not in own.no_rule for name in formats):  # it runs over values with radii, too
                for each in own.watched.anatomy.weights:
                    refuse_operations(own.update, (int(each.entries.shape[2]), int(each.entries.shape[1])))
            return own
    except ChangedArithmetic as error:
        raise UnusableBlock(f"after {name} was looked at, {error}.") from error
    except LeftUserCode as error:
        raise UnusableBlock(f"the code of {name} ends while the block is looked at: {error}.") from error


def _not_built(_: Recipe) -> ContextualBlock:
    raise UnusableBlock("a block as it is written is built by its user.")


def _without_rules(own: OwnAsWritten, formats: Collection[str]) -> dict[str, str]:
    """Those of some formats in which this block has no bound, and why, as bounded passes of two cases find out, or of one that runs alone.

    Something has no rule, or the block's own code fails, as where it takes no tensors of two formats.
    """
    found = {}
    for alike in (each for each in (*ALIKE, *MIXED) if not set(each).isdisjoint(formats)):
        (mode,) = modes_named(alike[:1])
        try:
            block = written_in_format(own.watched, probe(mode, shapes=ASKED_SHAPES))
            for scenario in SCENARIOS:
                drawn = own.prompts(scenario, 2 if own.watched.runs_at_once else 1, torch.Generator().manual_seed(0))
                context, query = (each.to(torch_dtype(mode.tokens)) for each in (drawn.context, drawn.query))
                measure_written_sides(block, WrittenCases(context, query, drawn.removed), VARIANTS[0])
        except NoOperatorRule as error:
            found.update(dict.fromkeys(alike, f"no rule for {error}"))
        except OwnCodeFails as error:
            found.update(dict.fromkeys(alike, str(error)))
    return found


def _refuse_weights(module: torch.nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.is_meta:
            raise UnusableBlock(f'"{name}" is on the meta device, where it has no value.')
        if not bool(torch.isfinite(parameter).all()):
            raise UnusableBlock(f'"{name}" has a NaN or an infinity in it.')


def measure_scenario(own: OwnAsWritten, scenario: str, variant: str, cases: int, seed: int) -> ManyCases:
    """Measure one scenario.  Every variant sees the same prompts.  Raises UnusableBlock where the block, or the user's update, does not go on as it began."""
    return measure_prompts(own.watched, _batches(own, scenario, cases, seed), formulas.rank_one_update if variant == FORMULA else _own_update(own))


def _own_update(own: OwnAsWritten) -> TensorUpdate:
    assert own.update is not None
    update = in_place_refused(own.update)

    def contained_update(W: Tensor, delta: Tensor, a: Tensor) -> Tensor:
        """Of shape (…, m, d), as many as there are of ΔA.  Raises UnusableBlock."""
        try:
            with contained(), WithinReason(W, delta) as reason:
                made = update(W, delta, a)
            reason.ask()
        except UnusableBlock:
            raise
        except Exception as error:
            raise UnusableBlock(f"update(W, delta, a) fails: {error_in_words(error)}. W is (m, d), the others (d, 1), with axes in front.") from error
        wanted = (W @ delta @ a.mT).shape
        if not isinstance(made, Tensor) or made.shape != wanted or not made.is_floating_point():
            given = type(made).__name__ if not isinstance(made, Tensor) else tuple(made.shape) if made.shape != wanted else made.dtype
            raise UnusableBlock(f"update(W, delta, a) gave {given} over tensors; ΔW is {tuple(wanted)}.")
        return made

    return contained_update


def _batches(own: OwnAsWritten, scenario: str, cases: int, seed: int) -> Iterator[PromptBatch]:
    generator = torch.Generator().manual_seed(seed_of(seed, own.name, scenario))
    at_once = cases_at_once(own.watched)
    for start in range(0, cases, at_once):
        yield own.prompts(scenario, min(at_once, cases - start), generator)
