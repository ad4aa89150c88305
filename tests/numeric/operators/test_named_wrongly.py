"""What ``first`` should not name, what it leaves out, and what shares memory: one line each, with what to write, and a right twin."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators import refusals
from numeric.operators.block import part_of
from numeric.operators.refusals import Refusal, RefusedBlock
from tests.numeric.operators.small_blocks import NETWORK, D, M, Small, attended, mlp, rms, watched


def _plain(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, rms(s))


def _scaled(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + mlp(p, rms(s) * p.g)


class WithBuffer(Small):
    def __init__(self) -> None:
        super().__init__(_plain, **NETWORK)
        values = self.w.data
        del self.w
        self.register_buffer("w", values)


def _adapter_on_the_fly(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.gelu(F.linear(rms(s), p.w + 0.5 * (p.up @ p.down), p.b)), p.out, p.c)


def _adapter_beside(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    return s + F.linear(F.gelu(F.linear(rms(s), p.w, p.b) + 0.5 * F.linear(F.linear(rms(s), p.down), p.up)), p.out, p.c)


ADAPTED = {**NETWORK, "down": (2, D), "up": (M, 2)}


def _merged() -> nn.Module:
    """The same as one weight."""
    module = Small(_adapter_on_the_fly, **ADAPTED)
    module.w.data += 0.5 * (module.up @ module.down)
    module.body = _plain
    return module


def _soft_experts(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    gates = torch.softmax(F.linear(z, p.router), -1)
    one, other = (gates[..., k : k + 1] * F.linear(F.gelu(F.linear(z, w)), p.out) for k, w in enumerate((p.w, p.v)))
    return s + (one + other + p.c)


def _chosen_experts(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s)
    chosen = F.linear(z, p.router).argmax(-1, keepdim=True) == 0
    return s + F.linear(torch.where(chosen, F.gelu(F.linear(z, p.w)), F.gelu(F.linear(z, p.v))), p.out, p.c)


def _hit_experts(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(x)
    z = rms(s).reshape(-1, D)
    chosen, made = F.linear(z, p.router).argmax(-1), torch.zeros_like(z)
    for e, w in enumerate((p.w, p.v)):
        (rows,) = torch.where(chosen == e)
        made.index_add_(0, rows, F.linear(F.gelu(F.linear(z[rows], w)), p.out))
    return s + (made.view(s.shape) + p.c)


EXPERTS = {"router": (2, D), "w": (M, D), "v": (M, D), "out": (D, M), "c": (D,)}


@pytest.mark.parametrize(
    ("build", "first", "kind", "said", "twin"),
    [
        (WithBuffer, ("w",), refusals.UNKNOWN_PARAMETER, '"w", which is a buffer: make it an nn.Parameter', (lambda: Small(_plain, **NETWORK), ("w",))),
        (
            lambda: Small(_scaled, **NETWORK, g=(D,)),
            ("g",),
            refusals.NO_PRODUCT,
            "reads g, a vector, as a bias or a norm's scale is",
            (lambda: Small(_scaled, **NETWORK, g=(D,)), ("w",)),
        ),
        (
            lambda: Small(_adapter_on_the_fly, **ADAPTED),
            ("w",),
            refusals.NOT_ITS_ENTRIES,
            "reads down and up and w as something other than the entries of one parameter (normalised, scaled, quantised, cut, a sum with an adapter)",
            (_merged, ("w",)),
        ),
        (
            lambda: Small(_adapter_beside, **ADAPTED),
            ("w",),
            refusals.NOT_ONE_SUM,
            "(down also reads what W reads; what is W, too, belongs into first)",
            (lambda: Small(_adapter_beside, **ADAPTED), ("w", "down")),
        ),
        (
            lambda: Small(_adapter_beside, **ADAPTED),
            ("w", "down", "up"),
            refusals.BEHIND_THE_CUT,
            "reads up, and multiplies with it what the network computed behind the cut",
            (lambda: Small(_adapter_beside, **ADAPTED), ("w", "down")),
        ),
        (
            lambda: Small(_soft_experts, **EXPERTS),
            ("w", "v"),
            refusals.NO_SUM,
            "(router also reads what W reads",
            (lambda: Small(_soft_experts, **EXPERTS), ("w", "v", "router")),
        ),
        (
            lambda: Small(_chosen_experts, **EXPERTS),
            ("w", "v"),
            refusals.DISCRETE,
            "(router also reads what W reads",
            (lambda: Small(_chosen_experts, **EXPERTS), ("w", "v", "router")),
        ),
        (
            lambda: Small(_hit_experts, **EXPERTS),
            ("w", "v"),
            refusals.NUMBER,
            "(router also reads what W reads",
            (lambda: Small(_hit_experts, **EXPERTS), ("w", "v", "router")),
        ),
        (
            lambda: Small(_soft_experts, **EXPERTS),
            ("router",),
            refusals.NO_SUM,
            "(v and w also read what W reads",
            (lambda: Small(_soft_experts, **EXPERTS), ("w", "v", "router")),
        ),
    ],
    ids=[
        "a buffer",
        "a scale",
        "merged on the fly",
        "an adapter left out",
        "its second matrix",
        "a router left out",
        "which chooses",
        "which sends rows",
        "experts left out",
    ],
)
def test_what_is_named_wrongly_is_refused_in_one_line_and_its_twin_is_admitted(  # a case's parts are five
    build: Callable[[], nn.Module], first: Sequence[str], kind: Refusal, said: str, twin: tuple[Callable[[], nn.Module], Sequence[str]]
) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(build(), first)
    assert error.value.kind is kind, str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    watched(twin[0](), twin[1])


def test_a_bias_of_another_width_is_named_where_the_call_fails() -> None:
    """Without a width that is given, tokens of the vector's width are tried."""
    from numeric import ContextualBlock
    from numeric.operators.block import WatchedBlock
    from tests.numeric.operators.small_blocks import last

    with pytest.raises(RefusedBlock, match=r"\(b in first: a vector, as a bias or a norm's scale is, and W is a matrix\)") as error:
        WatchedBlock.of(ContextualBlock.of(Small(_plain, **NETWORK), last, "b"))
    assert error.value.kind is refusals.CALL_FAILS


class InOneBuffer(Small):
    """Parameters that are parts of one buffer, each from a place of its own."""

    def __init__(self, places: dict[str, int], *, kept: bool = False, body: Callable[[nn.Module, Tensor], Tensor] = _plain) -> None:
        super().__init__(body, **NETWORK, g=(D,))
        buffer = torch.randn(200, generator=torch.Generator().manual_seed(5)) / 2
        for name, start in places.items():
            shape = self.get_parameter(name).shape
            setattr(self, name, nn.Parameter(buffer[start : start + shape.numel()].view(shape), requires_grad=False))
        if kept:
            self.register_buffer("buffer", buffer)


SIZE = M * D
OVERLAPPING: dict[str, tuple[dict[str, int], str]] = {
    "W and the output matrix": ({"w": 0, "out": D}, "w shares a part of its memory with out"),
    "W and its bias": ({"w": 0, "b": SIZE - 2}, "w shares a part of its memory with b"),
    "W and all of its bias": ({"w": 0, "b": 6}, "w shares a part of its memory with b"),
    "W and a norm's scale": ({"w": 3, "g": 0}, "w shares a part of its memory with g"),
    "the absorber and a bias": ({"c": 0, "b": 2}, "c shares a part of its memory with b"),
}


@pytest.mark.parametrize("what", [pytest.param(what, marks=[] if what.startswith("the absorber") else pytest.mark.soak) for what in OVERLAPPING])
def test_parameters_that_overlap_are_refused_by_name_and_disjoint_ones_are_not(what: str) -> None:
    places, said = OVERLAPPING[what]
    with pytest.raises(RefusedBlock) as error:
        watched(InOneBuffer(places, body=_scaled))
    assert error.value.kind is refusals.SHARES_MEMORY
    assert said in str(error.value)
    watched(InOneBuffer({name: 30 * number for number, name in enumerate(places)}, body=_scaled))


def test_the_buffer_that_parameters_are_parts_of_may_be_kept_if_nothing_else_reads_them_there() -> None:
    places = {"w": 0, "out": SIZE}
    assert watched(InOneBuffer(places, kept=True)).check.off < 1e-12
    with pytest.raises(RefusedBlock) as error:
        watched(InOneBuffer(places, kept=True, body=lambda p, x: _plain(p, x + p.buffer[SIZE - 2 : SIZE + 2])))
    assert error.value.kind in (refusals.SHARES_MEMORY, refusals.NO_PRODUCT)
    assert [start for start, _ in pairwise((*places.values(), 2 * SIZE))] == [0, SIZE]


class InOneWeight(Small):
    """Two layers' weights in one parameter: the rows of the second one read what the attention reads, and not z."""

    def __init__(self) -> None:
        super().__init__(_of_one_weight, both=(M + D, D), b=(M,), out=(D, M), c=(D,))


def _of_one_weight(p: nn.Module, x: Tensor) -> Tensor:
    s = x + attended(F.linear(x, p.both[M:]))
    return s + F.linear(F.gelu(F.linear(rms(s), p.both[:M], p.b)), p.out, p.c)


WHOLE = {f"w[{part}]": set(range(M)) for part in (f"0:{M}", ":", f":{M}", f"-{M}:", f"0:{M}, 0:{D}", f" 0 : {M} ", "::1")}


@pytest.mark.parametrize("name", WHOLE)
def test_all_rows_of_a_parameter_are_the_parameter(name: str) -> None:
    found = watched(Small(_plain, **NETWORK), (name,))
    assert set(found.anatomy.cuts[0].columns.nonzero()[:, 0].tolist()) == WHOLE[name]


def test_rows_of_a_parameter_are_w_where_the_others_read_something_else() -> None:
    assert watched(InOneWeight(), (f"both[0:{M}]",)).check.off < 1e-12
    assert part_of(InOneWeight(), "both[2]").tolist() == InOneWeight().both[2:3].tolist()
    assert part_of(InOneWeight(), "both[-1]").tolist() == InOneWeight().both[-1:].tolist()


@pytest.mark.parametrize("part", ["0:3", "2", "-2:", "::2", "0:5,:"])
def test_rows_left_out_that_read_what_w_reads_are_told(part: str) -> None:
    with pytest.raises(RefusedBlock, match=r"rows of w that are not named read what W reads\. Name the parameter whole") as error:
        watched(Small(_plain, **NETWORK), (f"w[{part}]",))
    assert error.value.kind is refusals.ROWS_LEFT_OUT


@pytest.mark.parametrize(
    "part", [f"0:{M + 1}", "99:", "5:2", "2:2", "::0", f"{M}", f"-{M + 1}", f"-{M + 1}:", "0:3,0:3,0:1", "1:2:3:4", "--1", "1-2", ",", "0:3,", " "]
)
def test_a_part_that_there_is_not_is_told_with_the_shape(part: str) -> None:
    with pytest.raises(RefusedBlock) as error:
        watched(Small(_plain, **NETWORK), (f"w[{part}]",))
    assert error.value.kind is refusals.NO_SUCH_PART
    assert f"w has the shape ({M}, {D}), and no part [{part}]. Name rows as weight[96:192]" in str(error.value)


@pytest.mark.parametrize("tokens", [0, 1, 2, 4])
def test_an_output_that_is_not_finite_is_told_with_its_context(tokens: int) -> None:
    """Whichever context it is behind: none, one token, the shortened one of two, or the first."""

    def body(p: nn.Module, x: Tensor) -> Tensor:
        y = _plain(p, x)
        return y / 0 * 0 if x.shape[1] == tokens + 1 else y

    with pytest.raises(RefusedBlock, match=f"not finite with {tokens or 'no'} tokens? in front of the query") as error:
        watched(Small(body, **NETWORK))
    assert error.value.kind is refusals.INFINITE_OUTPUT
    watched(Small(lambda p, x: _plain(p, x), **NETWORK))
