"""One case, kept so that it can be run again anywhere: a safetensors file with its operands bit for bit.

Tensors: ``W`` (m, d), ``b`` (m), ``z`` = A(C,x) (d), ``a`` = A(C∖Y,x) (d) and, where the patched pass computed another one,
``again`` (d), in the formats they were computed with; ``left`` and ``right`` (m), the first dense layer's output as
computed; ``bound`` (m) and ``moved`` (m) in float64; ``output_left``, ``output_right``, ``output_bound`` (d_out) float64.
Metadata: one JSON object under ``witness``, and under ``sha256`` a checksum of it and of every tensor.

A kernel may round a case otherwise alone than among many, or where its operands lie otherwise in memory, so the size of the batch, the case's
place in it, and the strides and the alignment of weights and of the layers' inputs are kept.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from numeric.cells.cell import Cell
from numeric.formats import torch_dtype
from numeric.machine.operands import CACHE_LINE, Operand
from numeric.sides import Judged, Sides
from symbolic.vocabulary import CallError, CellId, Verdict

WITNESS_SCHEMA = 2

TENSORS = ("W", "b", "z", "a", "left", "right", "bound", "moved", "output_left", "output_right", "output_bound")


DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""Of the operands and of what was computed: the formats of a block's tensors, in which products run."""

LARGEST_BATCH = 2**16
"""Cases of a batch that a replay fills with copies."""


LARGEST_SPAN = 2**28
"""Entries between the first and the last of a tensor that a replay lays out."""


class DamagedWitness(CallError):
    """The file is no witness, or not as it was written."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a case came from, and how it was judged."""

    cell: CellId
    format: str
    device: str
    layers: list[dict[str, Any]]
    """``rows`` and ``bias`` of each first layer, and how its ``weight`` lies: its strides, and its distance from a cache line in bytes."""
    inputs: dict[str, list[int]]
    """How what they read lies on the ``left`` and on the ``right`` side, (cases, d), likewise."""
    at_output: bool
    """Whether its claim is of the block's output alone."""
    without: list[str]
    """Refinements of the error model that were left out."""
    seed: int
    case: int
    """Its place among all cases of the cell."""
    batch: int
    """Cases of its batch."""
    place: int
    """Its place in the batch."""
    verdict: str
    reason: str
    """Why it was not judged; empty if it was."""
    versions: dict[str, str]
    schema_version: int = WITNESS_SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """As the file has them: the cell by its name, and each of that name's parts."""
        return dict(sorted({**asdict(self), **asdict(self.cell), "cell": str(self.cell)}.items()))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Facts":
        """Back from that."""
        return cls(CellId(*(facts[name] for name in PARTS)), **{name: facts[name] for name in FACTS[1:]})


PARTS, FACTS = (tuple(field.name for field in fields(each)) for each in (CellId, Facts))
"""Of a cell's name, and of a witness, as its file has them."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A case with its operands, what was computed, and where it came from."""

    tensors: dict[str, Tensor]
    facts: Facts

    def to_bytes(self) -> bytes:
        """The content of its file."""
        return encoded(self.tensors, self.facts.as_dict())


def encoded(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """The content of a file with these tensors and facts."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return _in_order(save(on_cpu, metadata={"witness": text, "sha256": _checksum(text, on_cpu)}))


def _in_order(content: bytes) -> bytes:
    """The same file with its header's names in order: the library writes them in another one in each process, and two equal runs write equal files."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def worst_case(judged: Judged, cases: int) -> tuple[tuple[bool, float], int] | None:
    """How grave the gravest of the first ``cases`` of a batch is, and its place: a violated one, else the judged one nearest to its bound, else any."""
    if cases <= 0:
        return None
    ratio = np.nan_to_num(np.maximum(judged.ratio, judged.output_ratio)[:cases], nan=np.inf, posinf=np.inf)
    violated, refused = judged.verdict[:cases] == Verdict.VIOLATED.value, judged.reason[:cases] != ""
    grave = np.where(refused, -1.0, ratio)
    place = max(range(cases), key=lambda case: (bool(violated[case]), float(grave[case])))
    return (bool(violated[place]), float(grave[place])), place


def make_witness(cell: Cell, sides: Sides, judged: Judged, place: int, seed: int, before: int) -> Witness:
    """A case of the batch that began after so many others of the cell."""
    left, right = sides.left, sides.right
    dtype = torch_dtype(cell.probed.mode.activations)  # which holds both sides exactly
    tensors = {
        "W": cell.block.first_weight,
        "b": cell.block.first_bias,
        "z": sides.z[place],
        "a": sides.a[place],
        "left": left.first_layer.value[place].to(dtype),
        "right": right.first_layer.value[place].to(dtype),
        "bound": sides.bound[place],
        "moved": sides.moved[place],
        "output_left": left.output.value[place],
        "output_right": right.output.value[place],
        "output_bound": sides.output_bound[place],
    }
    if not torch.equal(torch.nan_to_num(sides.again[place]), torch.nan_to_num(sides.a[place])):
        tensors["again"] = sides.again[place]
    facts = Facts(
        cell=cell.id,
        format=cell.probed.mode.id,
        device=cell.probed.device,
        layers=[{"rows": layer.out_features, "bias": layer.bias is not None, "weight": _lies(layer.weight)} for layer in cell.block.first_linears],
        inputs={"left": _lies(sides.z), "right": _lies(sides.again)},
        at_output=cell.block.parallel,
        without=sorted(cell.probed.left_out),
        seed=seed,
        case=before + place,
        batch=len(sides.z),
        place=place,
        verdict=str(judged.verdict[place]),
        reason=str(judged.reason[place]),
        versions={"python": platform.python_version(), "torch": torch.__version__, "icl-verify": version("icl-verify")},
    )
    return Witness(tensors, facts)


def _lies(x: Tensor) -> list[int]:
    operand = Operand.of(x)
    return [*operand.strides, operand.offset]


def operand_of(x: Tensor, shape: tuple[int, ...], lies: list[int]) -> Operand:
    """A tensor of a dtype and a shape that lies as another one did.  x: for its dtype; lies: strides and offset."""
    return replace(Operand.usual(x.dtype, *shape), strides=tuple(lies[:-1]), offset=lies[-1])


def read_witness(path: Path) -> Witness:
    """The witness in a file. Raises DamagedWitness."""
    remedy = "give a file that a run wrote into its folder witnesses/, unchanged."
    try:
        with safe_open(path, framework="pt") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        text, checksum = metadata["witness"], metadata["sha256"]
        facts = json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise DamagedWitness(f"{path} is no witness, or breaks off ({type(error).__name__}: {' '.join(str(error).split())}); {remedy}") from error
    if _checksum(text, tensors) != checksum:
        raise DamagedWitness(f"{path} was edited: its checksum is not that of its content; {remedy}")
    missing = [name for name in TENSORS if name not in tensors] + [name for name in (*FACTS, *PARTS) if not isinstance(facts, dict) or name not in facts]
    if missing:
        raise DamagedWitness(f"{path} lacks {', '.join(missing)}; {remedy}")
    ours = _is_whole(facts["schema_version"]) and facts["schema_version"] == WITNESS_SCHEMA
    if ours and not _fits(tensors, facts):
        raise DamagedWitness(f"{path} holds tensors or facts that do not fit together; {remedy}")
    if not ours:
        raise DamagedWitness(f"{path} has schema_version {facts['schema_version']!r}, expected {WITNESS_SCHEMA}; replay it with the version that wrote it.")
    return Witness(tensors, Facts.of(facts))


def _fits(tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
    """Whether shapes and dtypes are those of one case, and its place is in its batch."""
    if tensors["W"].dim() != 2 or tensors["W"].numel() == 0 or not all(x.dtype in DTYPES for x in tensors.values()):
        return False
    texts = all(isinstance(facts[name], str) for name in (*PARTS, "format", "device", "verdict", "reason"))
    m, d = tensors["W"].shape
    outputs = tensors["output_left"].shape
    shapes = {"W": (m, d), **dict.fromkeys(("b", "left", "right", "bound", "moved"), (m,)), **dict.fromkeys(("z", "a", "again"), (d,))}
    shapes |= dict.fromkeys(("output_left", "output_right", "output_bound"), tuple(outputs))
    one_dtype = [("W", "b"), ("z", "a"), ("left", "right")]
    numbers = all(_is_whole(facts[name]) for name in ("batch", "place", "case", "seed"))
    layers = facts["layers"] if isinstance(facts["layers"], list) else []
    layers_fit = all(_is_layer(layer) for layer in layers) and sum(layer["rows"] for layer in layers) == m
    return (
        len(outputs) == 1
        and all(tuple(tensors[name].shape) == shape for name, shape in shapes.items() if name in tensors)
        and all(tensors[first].dtype == tensors[second].dtype for first, second in one_dtype)
        and numbers
        and layers_fit
        and texts
        and isinstance(facts["at_output"], bool)
        and isinstance(facts["versions"], dict)
        and isinstance(facts["without"], list)
        and all(isinstance(name, str) for name in facts["without"])
        and 0 <= facts["place"] < facts["batch"] <= LARGEST_BATCH
        and _lie(tensors, facts, layers)
    )


def _is_layer(layer: object) -> bool:
    return isinstance(layer, dict) and _is_whole(layer.get("rows")) and layer["rows"] > 0 and isinstance(layer.get("bias"), bool)


def _lie(tensors: dict[str, Tensor], facts: dict[str, Any], layers: list[dict[str, Any]]) -> bool:
    """Whether weights and inputs can lie in memory as the facts say."""
    d, inputs = len(tensors["z"]), facts["inputs"]
    if not isinstance(inputs, dict) or set(inputs) != {"left", "right"}:
        return False
    asked = [(tensors["W"], (layer["rows"], d), layer.get("weight")) for layer in layers]
    asked += [(tensors["z"], (facts["batch"], d), inputs[side]) for side in ("left", "right")]
    return all(_can_lie(*each) for each in asked)


def _can_lie(x: Tensor, shape: tuple[int, int], lies: object) -> bool:
    if not isinstance(lies, list) or len(lies) != 3 or not all(_is_whole(number) and 0 <= number <= LARGEST_SPAN for number in lies):
        return False
    operand = operand_of(x, shape, lies)
    return lies[-1] < CACHE_LINE and lies[-1] % x.element_size() == 0 and not operand.overlaps and operand.span <= LARGEST_SPAN


def _is_whole(number: object) -> bool:
    """Whether it is a whole number, which True is not."""
    return isinstance(number, int) and not isinstance(number, bool)


def _checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the facts and of the tensors' names, dtypes, shapes and bits."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
