"""The contextual layers once more, by loops over Python floats: each written from its paper's equations, none from the module."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from numeric.architecture.layers import PreNormAttention
from numeric.blocks.griffin import Griffin
from numeric.blocks.linear_attention import LinearAttention
from numeric.blocks.recurrent import LastState
from numeric.blocks.stack import Below
from numeric.blocks.state_space import SelectiveStateSpace

Vector = list[float]
Matrix = list[Vector]


def times(matrix: Matrix, x: Sequence[float]) -> Vector:
    return [math.fsum(w * v for w, v in zip(row, x, strict=True)) for row in matrix]


def plus(*vectors: Sequence[float]) -> Vector:
    return [math.fsum(parts) for parts in zip(*vectors, strict=True)]


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def silu(x: float) -> float:
    return x * sigmoid(x)


def gelu(x: float) -> float:
    return 0.5 * x * math.erfc(-x / math.sqrt(2.0))


def weight(module: nn.Module, name: str) -> Matrix:
    found: Matrix = module.get_parameter(name).tolist()
    return found


def attend(layer: nn.Module, query: Vector, tokens: Sequence[Vector], heads: int, share: Callable[[Sequence[float]], Vector]) -> Vector:
    """Attention of one query to some tokens; share: from the scores qᵀk of one head to the weights of its tokens."""
    names = ("query", "key", "value", "out")
    Q, K, V, O = (weight(layer, f"{name}.weight") for name in names)  # noqa: E741 - the matrices' usual names
    q, keys, values = times(Q, query), [times(K, t) for t in tokens], [times(V, t) for t in tokens]
    size = len(q) // heads
    mixed: Vector = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        weights = share([math.fsum(a * b for a, b in zip(q[part], key[part], strict=True)) for key in keys])
        mixed += [math.fsum(w * v[part][j] for w, v in zip(weights, values, strict=True)) for j in range(size)]
    return times(O, mixed)


def softmax_of(size: int) -> Callable[[Sequence[float]], Vector]:
    def share(scores: Sequence[float]) -> Vector:
        scaled = [score / math.sqrt(size) for score in scores]
        top = max(scaled)
        powers = [math.exp(score - top) for score in scaled]
        return [power / math.fsum(powers) for power in powers]

    return share


def softmax_attention(layer: nn.Module, tokens: Sequence[Vector]) -> Vector:
    heads = int(layer.heads)  # type: ignore[arg-type]
    attended = attend(layer, tokens[-1], tokens, heads, softmax_of(len(tokens[0]) // heads))
    return plus(tokens[-1], attended) if layer.residual else attended


def linear_attention(layer: LinearAttention, tokens: Sequence[Vector]) -> Vector:
    return attend(layer, tokens[-1], tokens, layer.heads, lambda scores: [score / len(tokens) for score in scores])


def recurrent(layer: LastState, tokens: Sequence[Vector]) -> Vector:
    """One step after the other; of the GRU, rows r, z, n as PyTorch stacks them."""
    U, V = weight(layer, "recurrence.weight_ih_l0"), weight(layer, "recurrence.weight_hh_l0")
    width = len(V[0])
    state = [0.0] * width
    for token in tokens:
        into, back = times(U, token), times(V, state)
        if isinstance(layer.recurrence, nn.GRU):
            (ri, zi, ni), (rh, zh, nh) = ((x[:width], x[width : 2 * width], x[2 * width :]) for x in (into, back))
            reset, keep = ([sigmoid(p + q) for p, q in zip(*pair, strict=True)] for pair in ((ri, rh), (zi, zh)))
            fresh = [math.tanh(p + r * q) for p, r, q in zip(ni, reset, nh, strict=True)]
            state = [(1 - z) * f + z * h for z, f, h in zip(keep, fresh, state, strict=True)]
        else:
            state = [max(p + q, 0.0) for p, q in zip(into, back, strict=True)]
    return state


def griffin(layer: Griffin, tokens: Sequence[Vector]) -> Vector:
    """The real-gated unit step by step (Eqs. 1-4), its gated branch and residual, then attention to the last sixteen states."""
    decay = [sigmoid(x) for x in weight(layer, "recurrence.decay")]  # type: ignore[arg-type]
    state = [0.0] * len(decay)
    after: list[Vector] = []
    for token in tokens:
        x = times(weight(layer, "enter.weight"), token)
        gates = [[sigmoid(y) for y in biased(layer, f"recurrence.{name}", x)] for name in ("recurrence_gate", "input_gate")]
        factors = [a ** (8.0 * r) for a, r in zip(decay, gates[0], strict=True)]
        state = [a * h + math.sqrt(1 - a * a) * (i * y) for a, h, i, y in zip(factors, state, gates[1], x, strict=True)]
        branch = [gelu(y) * h for y, h in zip(times(weight(layer, "gate.weight"), token), state, strict=True)]
        after.append(plus(token, times(weight(layer, "leave.weight"), branch)))
    mixed = attend(layer, after[-1], after[-16:], layer.heads, softmax_of(len(after[0]) // layer.heads))
    return plus(after[-1], mixed)


def state_space(layer: SelectiveStateSpace, tokens: Sequence[Vector]) -> Vector:
    """One step after the other: h ← exp(ΔA)h + ΔBu for each channel and state."""
    rates = [[-math.exp(x) for x in row] for row in weight(layer, "log_rate")]
    offset: Vector = layer.step.bias.tolist()
    through: Vector = layer.through.tolist()
    state = [[0.0] * len(row) for row in rates]
    for token in tokens:
        u = [silu(y) for y in times(weight(layer, "enter.weight"), token)]
        steps = [softplus(y + b - 3.0) for y, b in zip(times(weight(layer, "step.weight"), u), offset, strict=True)]
        B = times(weight(layer, "input_map.weight"), u)
        state = [
            [math.exp(delta * rate) * h + delta * b * x for rate, h, b in zip(row, old, B, strict=True)]
            for delta, row, old, x in zip(steps, rates, state, u, strict=True)
        ]
    C = times(weight(layer, "output_map.weight"), u)
    y = [math.fsum(c * h for c, h in zip(C, row, strict=True)) + d * x for row, d, x in zip(state, through, u, strict=True)]
    gate = [silu(g) for g in times(weight(layer, "gate.weight"), tokens[-1])]
    return times(weight(layer, "leave.weight"), [p * g for p, g in zip(y, gate, strict=True)])


def layer_norm(x: Vector, scale: Vector, offset: Vector) -> Vector:
    mean = math.fsum(x) / len(x)
    variance = math.fsum((y - mean) ** 2 for y in x) / len(x)
    return [w * (y - mean) / math.sqrt(variance + 1e-5) + b for y, w, b in zip(x, scale, offset, strict=True)]  # 1e-5: PyTorch's own, documented


def rms_norm(x: Vector) -> Vector:
    """Without a scale, and with PyTorch's documented ε, the format's 2u."""
    return [y / math.sqrt(math.fsum(z * z for z in x) / len(x) + 2.0**-52) for y in x]


def normalised(norm: nn.Module, x: Vector) -> Vector:
    return layer_norm(x, norm.weight.tolist(), norm.bias.tolist()) if isinstance(norm, nn.LayerNorm) else rms_norm(x)  # type: ignore[operator]


def pre_norm_attention(layer: PreNormAttention, tokens: Sequence[Vector]) -> Vector:
    normal = [normalised(layer.norm, token) for token in tokens]
    return plus(tokens[-1], attend(layer, normal[-1], normal, layer.heads, softmax_of(len(tokens[0]) // layer.heads)))


def stack(below: Below, tokens: Sequence[Vector]) -> Vector:
    """Block by block, and in each token by token; a token attends to itself and those before it."""
    streams = list(tokens)
    for block in below.blocks:
        after = []
        for place in range(len(streams)):
            v = pre_norm_attention(block.contextual, streams[: place + 1])
            after.append(plus(v, gelu_network(block.network, normalised(block.norm, v))))
        streams = after
    return pre_norm_attention(below.attention, streams)  # type: ignore[arg-type]


def biased(layer: nn.Module, name: str, x: Vector) -> Vector:
    offset: Vector = layer.get_parameter(f"{name}.bias").tolist()
    return plus(times(weight(layer, f"{name}.weight"), x), offset)


def gelu_network(network: nn.Module, a: Vector) -> Vector:
    return biased(network, "2", [gelu(x) for x in biased(network, "0", a)])


def gated_network(network: nn.Module, a: Vector) -> Vector:
    gate, up = (times(weight(network, f"{name}.weight"), a) for name in ("gate", "up"))
    return times(weight(network, "down.weight"), [silu(g) * u for g, u in zip(gate, up, strict=True)])


def bare_gelu_network(network: nn.Module, a: Vector) -> Vector:
    return times(weight(network, "2.weight"), [gelu(x) for x in times(weight(network, "0.weight"), a)])


def experts(network: nn.Module, a: Vector) -> Vector:
    """The two of four experts with the largest probabilities, weighed by these."""
    logits = times(weight(network, "router.weight"), a)
    powers = [math.exp(x - max(logits)) for x in logits]
    chosen = sorted(range(len(powers)), key=lambda k: powers[k])[-2:]
    total = [0.0] * len(a)
    for k in chosen:
        hidden = [gelu(x) for x in times(weight(network, f"experts.{k}.0.weight"), a)]
        answer = times(weight(network, f"experts.{k}.2.weight"), hidden)
        total = [t + powers[k] / math.fsum(powers) * y for t, y in zip(total, answer, strict=True)]
    return total


NETWORKS: dict[str, Callable[[nn.Module, Vector], Vector]] = {
    "pre-ln": gelu_network,
    "pre-ln-gated": gated_network,
    "mixture-of-experts": experts,
    "parallel": bare_gelu_network,
    "pre-ln-stack": gelu_network,
}
"""Of the blocks that carry their stream past a network: by the block's name."""

PLAIN: dict[str, Callable[..., Vector]] = {
    **dict.fromkeys(("attention", "attention-skip", "attention-one-head", "attention-residual"), softmax_attention),
    **dict.fromkeys(("rnn", "gru"), recurrent),
    **dict.fromkeys(("pre-ln", "pre-ln-gated", "mixture-of-experts", "parallel"), pre_norm_attention),
    "linear-attention": linear_attention,
    "griffin": griffin,
    "selective-ssm": state_space,
    "pre-ln-stack": stack,
}
"""By the block's name."""


def attended(layer: nn.Module, block_id: str, context: Tensor | None, query: Tensor) -> Vector:
    """A(context, query) of one case.  context: (n, width) or None; query: (width,)."""
    tokens = [*([] if context is None else context.tolist()), query.tolist()]
    return PLAIN[block_id](layer, tokens)
