"""Why a block is refused: the operator, the line that called it, the shapes, and what to write instead. One message for each kind.

CallError
└── UnusableBlock         the module is not a block to which the claims could apply
    └── RefusedBlock      what an operator of it does is the reason
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from numeric.architecture import UnusableBlock
from numeric.operators.executions import CallSite


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal."""

    found: str
    """What the operator does; ``{...}`` stands for what is known of the case."""
    instead: str
    """The shortest way out."""
    of_operator: bool = True
    """Whether the operator is the sentence's subject."""


class RefusedBlock(UnusableBlock):
    """What an operator of the block does is not what the claims are about."""

    def __init__(self, kind: Refusal, place: CallSite | None = None, operands: Sequence[Tensor] = (), **known: object) -> None:
        self.kind = kind
        self.place = place
        self.shapes = [tuple(each.shape) for each in operands]
        where = f"{place or 'the block'} " if kind.of_operator else ""
        shapes = f" Shapes: {', '.join(map(str, self.shapes))}." if self.shapes else ""
        super().__init__(f"{where}{kind.found.format(**known)}.{shapes} {kind.instead.format(**known)}")


UNKNOWN_PARAMETER = Refusal(
    "the module has no parameter {name}{hint}; its parameters are {known}", "Name those that are W, rows of one as weight[96:192].", of_operator=False
)
NO_SUCH_PART = Refusal(
    "{name} has the shape {shape}, and no part [{part}]",
    "Name rows as weight[96:192], from 0 up to their number, and columns behind a comma.",
    of_operator=False,
)
NO_TENSOR = Refusal(
    "call returned {given}", "call(module, context, query, positions) returns the query's output, a floating-point tensor (batch, d_out).", of_operator=False
)
CALL_FAILS = Refusal(
    "call failed {when}: {error}{hint}",
    "call(module, context, query, positions): context (batch, n, {width}) or None, query (batch, {width}), positions (n + 1,).",
    of_operator=False,
)
NO_COPY = Refusal(
    "the module cannot be copied to float64: {error}", "Give a module that copy.deepcopy copies; keep no graph and no open file in it.", of_operator=False
)
INFINITE_OUTPUT = Refusal(
    "the block's output is not finite {when}, on a few cases of normal tokens in float64",
    "Look for a division by zero, a softmax over nothing, or weights that were never set; make_contexts is asked later.",
    of_operator=False,
)
NOT_REPEATABLE = Refusal("gives other bits on the same operands", "Call module.eval(), and draw nothing at random in a pass.")
HAS_MEMORY = Refusal(
    "reads what an earlier pass has left behind, and two equal passes differ",
    "Call module.eval(), or reset what it keeps (a key/value cache, a memo) at the beginning of call.",
)
CHANGED_MEANWHILE = Refusal(
    "the same contexts give other numbers after {cases} cases than at the beginning",
    "A block that remembers, or counts its calls, is no function of its context: reset what it keeps at the beginning of call.",
    of_operator=False,
)
MIXES_CASES = Refusal(
    "makes one case's output of another's context",
    "A batch holds cases that do not know of each other: context (batch, n, d), query (batch, d), in this order.",
)
NO_CONTEXT = Refusal(
    "the context does not reach the output in any of {screened} small cases",
    "Pass context to the module; without an effect of the context there is nothing to move into the weights.",
    of_operator=False,
)
NO_QUERY = Refusal(
    "the query does not reach the output beside a context",
    "Return the output of the query, which stands behind its context: that of the last token.",
    of_operator=False,
)
NO_CUT = Refusal(
    "no matrix product reads {names} and the input, with a result that reaches the output", "Name in first the parameters that read z.", of_operator=False
)
UNREAD = Refusal("{names} is not read by a product whose result reaches the output", "Leave it out of first.", of_operator=False)
A_VECTOR = "a vector, as a bias or a norm's scale is"
NO_PRODUCT = Refusal("reads {names}{hint}, and is no matrix product", "W takes part in one product W z alone; name the parameter that does.")
PART_OF_A_ROW = Refusal("reads {names} of which only parts of some rows are W", "Name whole rows.")
NOT_ITS_ENTRIES = Refusal(
    "reads {names} as something other than the entries of one parameter (normalised, scaled, quantised, cut, a sum with an adapter)",
    "Name what is read: merge an adapter into its weight;"
    " torch.nn.utils.parametrize.remove_parametrizations(..., leave_parametrized=True) makes it a parameter.",
)
BEHIND_THE_CUT = Refusal(
    "reads {names}, and multiplies with it what the network computed behind the cut at {cut}",
    "Only what reads z is W: leave it out of first.",
)
SHARES_MEMORY = Refusal(
    "{name} shares a part of its memory with {others}",
    "Its update would change them too: give it memory of its own, .clone(), or name the one that is read.",
    of_operator=False,
)
SECOND_CUT = Refusal("reads {names} again, behind the cut at {cut}{tied}", "W is read once: untie it, or name another W.")
OTHER_OPERAND = Refusal(
    "reads {names} with another operand than {cut} does", "One rank-one update serves one z: name in first only the parameters that read the same z."
)
TWO_TOKENS = Refusal(
    "makes of {names} values of {tokens} that reach the query's output", "ΔW serves one token: return the last token's output alone, of one layer."
)
CASES_UNKNOWN = Refusal("has rows that cannot be told apart by case", "Keep the batch as the first or the second dimension, and the features as the last one.")
NUMBER = Refusal("turns a value made of the context into a Python number, behind the cut{hint}", "Keep it a tensor, and keep the context out of the network.")
NUMBER_OF_W = Refusal("turns a value made of W into a Python number", "With W patched it would be another number: keep it a tensor.")
MOVING_NUMBER = Refusal(
    "is given a Python number that moves with the context (.item(), a length){hint}",
    "A number of the network must not be made of the context: let a loop over experts go over all of them.",
)
UNTRACKED = Refusal(
    "is given a tensor that moves with the context by a way that cannot be followed (numpy?)", "Stay in torch, and keep the context out of the network."
)
DISCRETE = Refusal(
    "is given integers or truth values made of the context (a comparison, a sort, a length){hint}",
    "The network may choose by its own values, never by the context's.",
)
NO_SUM = Refusal(
    "joins the network and what was there before the cut, and moves with the context, otherwise than by a sum{hint}",
    "Add the stream to the network's output, or name in first every parameter that reads z.",
)
NOT_ONE_SUM = Refusal(
    "adds what moves with the context to the network, but not as one sum with {other}{hint}",
    "What stands between two sums may only scale by what the query makes.",
)
BRANCH = Refusal(
    "is executed or not, depending on the context", "A branch in Python on a value of the context is not in the claim: write it with torch.where, or fix it."
)
NO_ABSORBER = Refusal(
    "is where the network meets the stream, and no parameter of the network takes what the stream lacks without the context{tried}",
    "End the network in a dense layer, a bias or a scale, that is read once.",
)
OPAQUE_BEHIND = Refusal("is an operator whose inside is unknown, behind the cut", "Write it in operators of ATen, or end the block in front of it.")
REINTERPRETED = Refusal("reads the bits of the network's values as another type", "Cast with .to(dtype), or keep the type.")
NOT_EQUAL = Refusal(
    "in float64 the patched pass is off by {off:.1e} of the output, where {allowed:.1e} is allowed",
    "W may be read by a way that was not seen: a copy, a cache.",
)
ROWS_LEFT_OUT = Refusal(
    "in float64 the patched pass is off by {off:.1e} of the output, where {allowed:.1e} is allowed, and rows of {names} that are not named read what W reads",
    "Name the parameter whole, or every row of it that is W.",
)
LENGTH = Refusal(
    "in float64 the patched pass is equal behind another context of the same length, and off by {off:.1e} of the output behind a shorter one",
    "The number of tokens reaches the network (an index, a range, a loop): keep it in front of W, or make it of positions.",
    of_operator=False,
)
SINGULAR = Refusal(
    "reads zeros with the context or without it, whichever part of it remains, in each of {of} small cases",
    "No update exists where what W reads is zero: name another W.",
)
UNAFFECTED = Refusal(
    "reads the same with the context and without it in each of {of} small cases, so that ΔA is zero there",
    "There is nothing to move into W: name a W behind what reads the context.",
)
NOTHING_ABSORBED = Refusal(
    "reads {absorber}, which takes nothing in most of {of} small cases, and in the others there is nothing to check: what its change is divided by is zero",
    "Name another absorber in absorb, one that is not behind a gate that closes, or in front of which some unit is alive.",
)
NOT_NOTICED = Refusal("in float64 {patch} gives the same output as the context", "Nothing could be noticed here: give a context that matters.")
