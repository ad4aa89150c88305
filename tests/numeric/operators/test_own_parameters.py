"""A pass with parameters of its own for each case is each case's own pass: exactly, on whole numbers, of which no sum is rounded.

However W lies in memory and is read (``F.linear``, ``@``, rows, a cast, 1 + w), whichever of W and b is a case's own, beside others in one buffer or not.
"""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators.own_parameters import NoBatchedForm, own_rows

CASES, D, M = 4, 3, 5


def whole(seed: int, *shape: int) -> Tensor:
    return torch.randint(-9, 10, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LYING: dict[str, Callable[[Tensor], Tensor]] = {
    "as torch makes it": lambda W: W,
    "column by column": lambda W: W.mT.contiguous().mT,
    "in rows of a longer buffer": lambda W: torch.cat([whole(90, 2, D), W, whole(91, 1, D)])[2:-1],
    "in columns of a wider buffer": lambda W: torch.cat([W, whole(92, M, 2)], dim=1)[:, :D],
    "with every other entry left out": lambda W: W.repeat_interleave(2, dim=1)[:, ::2],
}
READ: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "linear": lambda p, x: F.linear(x, p.W, p.b),
    "linear, no bias": lambda p, x: F.linear(x, p.W),
    "operators": lambda p, x: x @ p.W.T + p.b,
    "rows of W": lambda p, x: torch.cat([F.linear(x, p.W[:2], p.b[:2]), F.linear(x, p.W[2:], p.b[2:])], dim=-1),
    "a cast and back": lambda p, x: F.linear(x, p.W.float().double(), p.b.float().double()),
    "1 + w": lambda p, x: (1 + p.s) * F.linear(x, p.W, p.b),
    "in place": lambda p, x: F.linear(x, p.W, p.b).mul_(p.s).add_(p.b),
    "several tokens": lambda p, x: F.linear(torch.stack([x, x + 1], dim=1), p.W, p.b).sum(1),
    "addmm with factors": lambda p, x: torch.addmm(p.b, x, p.W.mT, beta=2, alpha=3),
}


class Reader(nn.Module):
    def __init__(self, read: Callable[[nn.Module, Tensor], Tensor], lying: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read = read
        self.W = nn.Parameter(lying(whole(1, M, D)), requires_grad=False)
        self.b, self.s = (nn.Parameter(whole(seed, M), requires_grad=False) for seed in (2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self, x)


def run(module: nn.Module, own: dict[str, Tensor], x: Tensor) -> Tensor:
    with torch.no_grad(), own_rows(module, own, (x,)):
        return module(x)


def case_by_case(module: nn.Module, own: dict[str, Tensor], x: Tensor) -> Tensor:
    each = [torch.func.functional_call(module, {name: values[case].clone() for name, values in own.items()}, (x[case : case + 1],)) for case in range(CASES)]
    return torch.cat(each)


@pytest.mark.parametrize(
    ("read", "lying"),
    [
        pytest.param(read, lying, marks=[] if read == "linear" or lying == "as torch makes it" else pytest.mark.soak, id=f"{read}, {lying}")
        for read in READ
        for lying in LYING
    ],
)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(names=st.sets(st.sampled_from(["W", "b", "s"])), seed=st.integers(0, 99), as_one=st.booleans())
def test_it_is_each_cases_own_pass(read: str, lying: str, names: set[str], seed: int, as_one: bool) -> None:
    module, x = Reader(READ[read], LYING[lying]), whole(seed + 100, CASES, D)
    shapes = {name: module.get_parameter(name).shape for name in names}
    own = {name: whole(seed, *shape).expand(CASES, *shape) if as_one else whole(seed, CASES, *shape) for name, shape in shapes.items()}
    found = run(module, own, x)
    assert torch.equal(found, case_by_case(module, own, x))
    assert torch.equal(run(module, {}, x), module(x))
    # The planted negative: W of one case for all of them is another pass.
    if "W" in names and not as_one:
        assert not torch.equal(found, case_by_case(module, {**own, "W": own["W"][:1].expand(CASES, -1, -1)}, x))


def test_neighbours_in_one_buffer_are_not_patched() -> None:
    """Both weights are slices of one buffer; the second one's product runs as it is, and the first one's does not."""
    buffer, x = nn.Parameter(whole(5, 2 * M, D), requires_grad=False), whole(6, CASES, D)
    module = nn.Module()
    module.first, module.second = (nn.Parameter(part, requires_grad=False) for part in (buffer.data[:M], buffer.data[M:]))
    values = whole(7, CASES, M, D)
    with torch.no_grad(), own_rows(module, {"first": values}, (x,)):
        one, other = F.linear(x, module.first), F.linear(x, module.second)
    assert torch.equal(other, F.linear(x, module.second))
    assert torch.equal(one, torch.einsum("cmd,cd->cm", values, x))


@pytest.mark.parametrize(
    "read",
    [
        lambda p, x: F.linear(x, p.W.view(torch.int64).double()),
        lambda p, x: F.group_norm(F.linear(x, p.W), 1, p.s, p.b),
        lambda p, x: F.linear(x[0], p.W),
    ],
    ids=["its bits", "a group norm", "without a row a case"],
)
def test_what_has_no_batched_form_says_where(read: Callable[[nn.Module, Tensor], Tensor]) -> None:
    module = Reader(read, LYING["as torch makes it"])
    own = {"W": whole(8, CASES, M, D), "s": whole(9, CASES, M)}
    with pytest.raises(NoBatchedForm, match=r"aten\..* at test_own_parameters\.py:\d+ has no form"):
        run(module, own, whole(4, CASES, D))
