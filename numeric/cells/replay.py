"""A witness run again, without its block: the same operands through the same kernels, and the bound found anew on this machine.

The block of the replay is a first dense layer behind a contextual layer that hands out the witness's vectors; all else is
the measurement's own code. The case stands at its old place in a batch of the old size, among copies of itself.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from numeric.architecture import ContextualBlock, asked_shapes
from numeric.cells.witness import Witness, operand_of
from numeric.formats import modes_named
from numeric.machine import probe, refinements_named
from numeric.machine.environment_questions import undisturbed
from numeric.sides import Batch, in_format, judge, measure_sides, variants_named
from numeric.sides.certificate import Certificate, ExactLayer, Operands, certify, enclosures
from numeric.sides.variant import OWN
from symbolic.vocabulary import CallError


class _Recorded(nn.Module):
    """A contextual layer that computes nothing: the query holds A(C,x), A(C∖Y,x) and what the patched pass found for it, side by side.

    What it hands out lies in memory as it did: a product of a slice may run by another kernel than one of a tensor of its own.
    """

    def __init__(self, width: int, inputs: dict[str, list[int]]) -> None:
        super().__init__()
        self.width, self.inputs = width, inputs

    def forward(self, context: Tensor | None, query: Tensor) -> Tensor:
        return self.handed_out(query, 0, "left") if context is not None else self.handed_out(query, 2, "right")

    def handed_out(self, query: Tensor, which: int, side: str) -> Tensor:
        """One of the three, as the inputs of a side lay."""
        values = query[..., which * self.width : (which + 1) * self.width]
        return operand_of(values, tuple(values.shape), self.inputs[side]).laid_out(values, values.device.type)


class _Beside(nn.Module):
    """The first layers alone, side by side; the network's output is the last one's."""

    def __init__(self, width: int, layers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.rows = [int(layer["rows"]) for layer in layers]
        for place, layer in enumerate(layers):
            self.add_module(str(place), nn.Linear(width, int(layer["rows"]), bias=bool(layer["bias"])))

    def forward(self, x: Tensor) -> Tensor:
        return [layer(x) for layer in self.children()][-1]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came out, beside what the witness says."""

    left: Tensor
    """(m,) float64, as computed here."""
    right: Tensor
    bound: Tensor
    """(m,) float64, as found here."""
    moved: Tensor
    """(m,) float64, by what the sides are predicted to differ."""
    same_left: bool
    """Whether the left side came out bit for bit as the witness has it."""
    same_right: bool
    ratio: float
    """Largest error over bound, by the bound found here."""
    recorded_ratio: float
    """The same of the recorded sides, by the recorded bound."""
    verdict: str
    reason: str
    numerics: str
    certificate: Certificate | None
    """None where ball arithmetic has nothing to say: no update exists, or a side is not finite."""

    @property
    def reproduces(self) -> bool:
        """Whether both sides came out bit for bit."""
        return self.same_left and self.same_right


class NotReplayable(CallError):
    """The witness does not hold what it takes."""


def replayed(witness: Witness, device: str = "cpu") -> Replayed:
    """Run a witness again. Raises NotReplayable, UnknownFormat, UnsupportedNumerics, ChangedArithmetic, ..."""
    facts, tensors = witness.facts, witness.tensors
    if facts.cell.variant == OWN:
        raise NotReplayable(f"{facts.cell}: only the file it came from knows that update; run `verify check` on it again.")
    (mode,), (variant,) = modes_named([facts.format]), variants_named([facts.cell.variant])
    z, a = tensors["z"], tensors["a"]
    again = tensors.get("again", a)
    block = _block(witness).to(device)
    probed = probe(mode, **asked_shapes([block]), device=device, batch=facts.batch).without(refinements_named(facts.without))
    # A network of first layers alone has its output where they have their own, so both are judged alike.
    query = torch.cat([z, a, again]).expand(facts.batch, -1).contiguous()
    cases = in_format(block, Batch(query.unsqueeze(1), None, query), probed)
    recorded = block.contextual
    assert isinstance(recorded, _Recorded)
    with undisturbed(device):
        sides = measure_sides(block, cases, variant, probed, lambda _, drawn, __: recorded.handed_out(drawn.query, 1, "right"))
    place, judged = facts.place, judge(sides)
    left, right = (side.first_layer.value[place].cpu() for side in (sides.left, sides.right))
    certificate = None
    if bool((a != 0).any()) and all(bool(torch.isfinite(x).all()) for x in (z, a, again, left, right)):
        operands = Operands(*(x.double().tolist() for x in (z, a, again)))
        certificate = certify(ExactLayer.of(tensors["W"], tensors["b"]), operands, variant, *enclosures(sides, place), sides.moved[place].tolist())
    return Replayed(
        left=left,
        right=right,
        bound=sides.bound[place].cpu(),
        moved=sides.moved[place].cpu(),
        same_left=_same(left, tensors["left"]),
        same_right=_same(right, tensors["right"]),
        ratio=float(judged.ratio[place]),
        recorded_ratio=recorded_ratio(witness),
        verdict=str(judged.verdict[place]),
        reason=str(judged.reason[place]),
        numerics=probed.name,
        certificate=certificate,
    )


def _block(witness: Witness) -> ContextualBlock:
    """The witness's first layers behind a contextual layer that hands out its vectors."""
    W, b = witness.tensors["W"], witness.tensors["b"]
    network = _Beside(W.shape[1], witness.facts.layers).to(W.dtype)
    network.requires_grad_(False)
    block = ContextualBlock(
        _Recorded(W.shape[1], witness.facts.inputs), network, [str(place) for place in range(len(network.rows))], input_width=3 * W.shape[1]
    )
    block.batches = False  # it is asked for the whole batch, and hands out each case's vector from that
    parts = zip(block.first_linears, W.split(network.rows), b.split(network.rows), witness.facts.layers, strict=True)
    for layer, rows, offsets, facts in parts:
        layer.weight = nn.Parameter(operand_of(rows, tuple(rows.shape), facts["weight"]).laid_out(rows, "cpu"), requires_grad=False)
        if layer.bias is not None:
            layer.bias.copy_(offsets)
    return block


def recorded_ratio(witness: Witness) -> float:
    """Largest error over bound at the first dense layer, of what the witness holds."""
    tensors = witness.tensors
    error = (tensors["left"].double() - tensors["right"].double() + tensors["moved"]).abs()
    ratio = torch.where(error == 0, 0.0, error / tensors["bound"])
    return float(torch.nan_to_num(ratio, nan=torch.inf).max())


def _same(here: Tensor, recorded: Tensor) -> bool:
    """Bit for bit, but for which NaN a NaN is."""
    return bool(torch.equal(torch.nan_to_num(here, nan=0.0), torch.nan_to_num(recorded.double(), nan=0.0)) and torch.equal(here.isnan(), recorded.isnan()))
