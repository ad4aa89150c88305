"""An emulated product is one wherever it is computed: whatever function of torch multiplies matrices, under inference mode too.

With operands that a format cannot hold, f under the mode is f of the rounded operands; of sums in blocks and of two formats, plain loops say what f is.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from numeric.formats import format_named, round_to
from numeric.formats.emulation import BlockwiseSums, RoundedOperands, WideProducts

K, BLOCK = 20, 8
COARSE = format_named("fp8-e4m3")


def drawn(seed: int, *shape: int) -> Tensor:
    """Numbers of 8 bits, of which products and sums are exact in fp32, and which fp8 cannot hold."""
    return torch.randint(-255, 256, shape, generator=torch.Generator().manual_seed(seed)).float() / 16


PRODUCTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], tuple[int, ...], tuple[int, ...]]] = {
    "linear of a vector": (F.linear, (K,), (4, K)),
    "linear of rows": (F.linear, (3, K), (4, K)),
    "linear of tokens": (F.linear, (2, 3, K), (4, K)),
    "matrix and vector": (lambda x, y: x @ y, (3, K), (K,)),
    "vector and matrix": (lambda x, y: x @ y, (K,), (K, 3)),
    "two vectors": (lambda x, y: x @ y, (K,), (K,)),
    "matrices": (lambda x, y: x @ y, (3, K), (K, 4)),
    "one matrix and columns": (lambda x, y: x @ y, (3, K), (5, K, 1)),
    "a matrix a case": (torch.bmm, (5, 3, K), (5, K, 2)),
    "of four dimensions": (torch.matmul, (2, 2, 3, K), (2, 2, K, 2)),
    "einsum": (lambda x, y: torch.einsum("cik,ckj->cij", x, y), (5, 3, K), (5, K, 2)),
}
WITH_SUMMAND: dict[str, tuple[Callable[[Tensor, Tensor, Tensor], Tensor], tuple[int, ...], tuple[int, ...]]] = {
    "linear with a bias": (lambda b, x, y: F.linear(x, y, b), (3, K), (4, K)),
    "linear of a vector with a bias": (lambda b, x, y: F.linear(x, y, b), (K,), (4, K)),
    "linear of tokens with a bias": (lambda b, x, y: F.linear(x, y, b), (2, 3, K), (4, K)),
    "addmm": (lambda b, x, y: torch.addmm(b, x, y), (3, K), (K, 4)),
    "addmm with factors": (lambda b, x, y: torch.addmm(b, x, y, beta=2, alpha=4), (3, K), (K, 4)),
    "addmv": (lambda b, x, y: torch.addmv(b, x, y), (4, K), (K,)),
    "a matrix a case, and a bias": (lambda b, x, y: torch.baddbmm(b, x, y), (5, 1, K), (5, K, 4)),
}
ALL = {
    **{name: (lambda b, x, y, f=f: f(x, y), left, right) for name, (f, left, right) in PRODUCTS.items()},
    **WITH_SUMMAND,
}
BIAS = drawn(3, 4)


def _inferring(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(*given: Tensor) -> Tensor:
        with torch.inference_mode():
            return f(*given)

    return run


@pytest.mark.parametrize("inferring", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_product_rounds_its_operands_and_not_what_it_adds(name: str, inferring: bool) -> None:
    f, *shapes = ALL[name]
    f = _inferring(f) if inferring else f
    x, y = (drawn(seed, *shape) for seed, shape in enumerate(shapes))
    with RoundedOperands(COARSE):
        found = f(BIAS, x, y)
    assert torch.equal(found, f(BIAS, round_to(x, COARSE), round_to(y, COARSE)))
    assert not torch.equal(found, f(BIAS, x, y))


@pytest.mark.parametrize("inferring", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_product_of_two_formats_is_computed_in_the_wider_one(name: str, inferring: bool) -> None:
    f, *shapes = ALL[name]
    f = _inferring(f) if inferring else f
    x, y = (drawn(seed, *shape) for seed, shape in enumerate(shapes))
    narrow = x.bfloat16()
    with WideProducts():
        found = f(BIAS, narrow, y)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, f(BIAS, narrow.float(), y).bfloat16())


def in_blocks(name: str, bias: Tensor, x: Tensor, y: Tensor) -> Tensor:
    f, dtype, total = ALL[name][0], x.dtype, None
    axis = -1 if "linear" in name or y.dim() == 1 else -2
    for start in range(0, K, BLOCK):
        size = min(BLOCK, K - start)
        part = f(torch.zeros(4), x.narrow(-1, start, size).float(), y.narrow(axis, start, size).float()).to(dtype)
        if "factors" in name:
            part = (part.float() / 4).to(dtype)
        total = part if total is None else total + part
    assert total is not None
    if name not in WITH_SUMMAND:
        return total
    return 4 * total + 2 * bias if "factors" in name else total + bias


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ALL)
def test_every_product_is_summed_block_by_block(name: str, dtype: torch.dtype) -> None:
    """By loops over the blocks: f of a slice of k, with nothing added, rounded, and added in the storage format."""
    f, *shapes = ALL[name]
    others = []
    for seed in range(4):
        x, y, bias = (drawn(seed + 10 * place, *shape).to(dtype) for place, shape in enumerate((*shapes, (4,))))
        with BlockwiseSums(BLOCK):
            found = f(bias, x, y)
        assert torch.equal(found, in_blocks(name, bias, x, y))
        others.append(not torch.equal(found, f(bias.float(), x.float(), y.float()).to(dtype)))
    assert any(others), "no sum was rounded in between"


def test_attention_rounds_q_k_and_v_as_one_kernel_and_as_several() -> None:
    q, k, v = (drawn(seed, 2, 4, 3, 8) / 8 for seed in range(3))
    with RoundedOperands(COARSE):
        fused = F.scaled_dot_product_attention(q, k, v)
        with sdpa_kernel(SDPBackend.MATH):
            plain = F.scaled_dot_product_attention(q, k, v)
    assert torch.equal(fused, F.scaled_dot_product_attention(*(round_to(x, COARSE) for x in (q, k, v))))
    exact = F.scaled_dot_product_attention(q, k, v)
    for found in (fused, plain):
        assert float((found - exact).abs().max()) > 2.0**-8
    # What softmax gives is an operand, too, where it is one: so both differ, by the format's roundoff at most.
    assert not torch.equal(fused, plain)


def test_recurrent_layers_multiply_too() -> None:
    torch.manual_seed(0)
    layer, x = nn.GRU(8, 8, batch_first=True), drawn(1, 2, 3, 8) / 8
    rounded = nn.GRU(8, 8, batch_first=True)
    rounded.load_state_dict({name: round_to(w, COARSE) if w.dim() > 1 else w for name, w in layer.state_dict().items()})
    with torch.no_grad():
        with RoundedOperands(COARSE):
            found = layer(x)[0]
        assert not torch.equal(found, layer(x)[0])
        # At the first token the state is zero: only the input and the weights are rounded.
        assert torch.equal(found[:, 0], rounded(round_to(x, COARSE))[0][:, 0])
