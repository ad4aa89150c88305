"""Samples of ours of operators that add, choose and move: each a few draws of every argument."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from tests.numeric.operator_rules.drawn import Draw

Sample = tuple[tuple[Any, ...], dict[str, Any]]
Maker = Callable[[Draw], Sample]
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def _one(d: Draw, least: int = 0, most: int = 4) -> torch.Tensor:
    return d.tensor(d.shape(least, most))


def _along(more: Callable[[Draw, torch.Tensor], dict[str, Any]] = lambda d, x: {}, least: int = 1) -> Maker:
    def make(d: Draw) -> Sample:
        x = _one(d, least)
        return (x, d.axis(x)), more(d, x)

    return make


def _axes(d: Draw) -> Sample:
    x = _one(d, 1)
    axes = sorted(d.random.sample(range(x.dim()), d.random.randint(1, x.dim())))
    return (x, axes), {"keepdim": d.random.random() < 0.5}


def _keep(d: Draw, x: torch.Tensor) -> dict[str, Any]:
    return {"keepdim": d.random.random() < 0.5}


def _cast_total(d: Draw) -> Sample:
    (x, axes), more = _axes(d)
    return (x, axes), {**more, "dtype": d.random.choice(DTYPES)}


def _pair(d: Draw) -> Sample:
    """Two that broadcast; now and then the second has one entry of another dtype."""
    x = _one(d)
    y = d.tensor(d.spread(tuple(x.shape))) if d.random.random() < 0.7 else d.tensor((), "plain").to(d.random.choice(DTYPES))
    if d.random.random() < 0.3 and x.numel() and x.shape == y.shape:
        y = x.clone()
    return (x, y), {}


def _scalar(d: Draw) -> Sample:
    x = _one(d)
    return (x, float(x.flatten()[0]) if x.numel() and d.random.random() < 0.4 else d.number()), {}


def _masks(d: Draw) -> Sample:
    shape = d.shape()
    return (d.mask(shape), d.mask(d.spread(shape))), {}


def _where(d: Draw) -> Sample:
    shape = d.shape()
    return (d.mask(d.spread(shape)), d.tensor(shape), d.tensor(d.spread(shape))), {}


def _gather(d: Draw) -> Sample:
    x = _one(d, 1)
    axis = d.axis(x)
    shape = list(x.shape)
    shape[axis] = d.random.randint(1, 5)
    return (x, axis, d.places(x.shape[axis], tuple(shape))), {}


def _scatter(d: Draw) -> Sample:
    (x, axis, index), _ = _gather(d)
    return (x, axis, index, d.tensor(tuple(index.shape))), {}


def _scatter_once(d: Draw) -> Sample:
    x = d.tensor((d.random.choice([5, 9]), d.random.choice([1, 3])), dense=True)
    index = torch.stack([d.places(x.shape[0], (2,), once=True) for _ in range(x.shape[1])], 1)
    return (x, 0, index, d.tensor(tuple(index.shape))), {}


def _rows(d: Draw, *, once: bool = False) -> tuple[torch.Tensor, int, torch.Tensor, torch.Tensor]:
    x = _one(d, 1)
    axis = d.axis(x)
    count = d.random.randint(1, x.shape[axis]) if once else d.random.randint(0, 4)
    shape = list(x.shape)
    shape[axis] = count
    return x, axis, d.places(x.shape[axis], (count,), once=once), d.tensor(tuple(shape))


def _index_add(d: Draw) -> Sample:
    return _rows(d), {"alpha": d.random.choice([1, 1, 2, -0.5, 0.1])}


def _indices(d: Draw) -> Sample:
    x = _one(d, 2)
    count = d.random.randint(1, 4)
    ways = [[d.places(x.shape[0], (count,))], [None, d.places(x.shape[1], (count, 1))], [d.places(x.shape[0], (count, 1)), d.places(x.shape[1], (1, 2))]]
    return (x, d.random.choice(ways)), {}


def _index_put(d: Draw) -> Sample:
    (x, indices), _ = _indices(d)
    x = x.contiguous()
    return (x, indices, d.tensor(tuple(x[tuple(slice(None) if each is None else each for each in indices)].shape))), {"accumulate": d.random.random() < 0.7}


def _put(d: Draw) -> Sample:
    x = _one(d, 1).contiguous()
    count = d.random.randint(1, 4)
    return (x, d.places(x.numel(), (count,)), d.tensor((count,))), {"accumulate": d.random.random() < 0.7}


def _several(d: Draw) -> Sample:
    x = _one(d, 1)
    others = [d.tensor(tuple(x.shape)).to(d.random.choice([d.dtype, torch.float32])) for _ in range(d.random.randint(0, 2))]
    return ([x, *others], d.axis(x)), {}


def _stack(d: Draw) -> Sample:
    x = _one(d)
    return ([x, d.tensor(tuple(x.shape))], d.random.randint(-1, x.dim())), {}


def _pad(d: Draw) -> Sample:
    x = _one(d, 1)
    return (x, [d.random.randint(0, 2) for _ in range(2 * d.random.randint(1, x.dim()))], d.number()), {}


def _slice_scatter(d: Draw) -> Sample:
    x = _one(d, 1)
    axis, start = d.axis(x), 0
    end = d.random.randint(1, x.shape[axis])
    shape = list(x.shape)
    shape[axis] = end
    return (x, d.tensor(tuple(shape)), axis, start, end, 1), {}


def _select_scatter(d: Draw) -> Sample:
    x = _one(d, 1)
    axis = d.axis(x)
    return (x, d.tensor(tuple(x.select(axis, 0).shape)), axis, d.random.randrange(x.shape[axis])), {}


def _three(d: Draw) -> Sample:
    x = _one(d)
    shape = tuple(x.shape)
    return (x, d.tensor(d.spread(shape)), d.tensor(d.spread(shape))), {"value": d.random.choice([1, 1, 2, 0.1, -3.0])}


def _lerp(d: Draw) -> Sample:
    x = _one(d)
    return (x, d.tensor(tuple(x.shape)), d.random.choice([0.0, 0.25, 0.1, 0.9, 1.0, -2.0, 1.5])), {}


def _lerp_tensor(d: Draw) -> Sample:
    (x, y, _), _ = _lerp(d)
    return (x, y, d.tensor(tuple(x.shape), "plain")), {}


def _topk(d: Draw) -> Sample:
    x = _one(d, 1)
    axis = d.axis(x)
    return (x, d.random.randint(1, x.shape[axis]), axis, d.random.random() < 0.7, d.random.random() < 0.7), {}


def _kth(d: Draw) -> Sample:
    x = _one(d, 1)
    axis = d.axis(x)
    return (x, d.random.randint(1, x.shape[axis]), axis), _keep(d, x)


def _embedding(d: Draw) -> Sample:
    weight = d.tensor((d.random.choice([3, 9]), d.random.choice([1, 5])))
    return (weight, d.places(weight.shape[0], d.shape(0, 2))), {}


def _cast(d: Draw) -> Sample:
    return (_one(d),), {"dtype": d.random.choice(DTYPES)}


def _copy(d: Draw) -> Sample:
    x = d.tensor(d.shape(), dense=True)
    y = d.tensor(d.spread(tuple(x.shape))).to(d.random.choice(DTYPES))
    return (x, y), {}


def _spread_out(d: Draw) -> Sample:
    (x, axes), more = _axes(d)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    corrections = [0, 0, 0.5] if count == 1 else [None, 0, 1, 0.5]
    return (x, axes) if d.random.random() < 0.8 else (x, None), {**more, "correction": d.random.choice(corrections)}


def _alone(d: Draw) -> Sample:
    return (_one(d),), {}


MAKERS: dict[str, Maker] = {
    **dict.fromkeys(("sum.default", "mean.default", "max.default", "min.default"), lambda d: ((d.tensor(d.shape(1)),), {})),
    **dict.fromkeys(("sum.dim_IntList", "mean.dim", "amax.default", "amin.default"), _axes),
    "sum.dim_IntList cast": _cast_total,
    "cumsum.default": _along(),
    **dict.fromkeys((f"{name}.correction" for name in ("var", "std", "var_mean", "std_mean")), _spread_out),
    "prod.default": lambda d: ((d.tensor(d.shape(1)),), {}),
    "prod.dim_int": _along(_keep),
    "cumprod.default": _along(),
    "linalg_vector_norm.default": lambda d: (((x := _axes(d))[0][0], 2, x[0][1]), x[1]),
    **dict.fromkeys(("max.dim", "min.dim", "argmax.default", "argmin.default"), _along(_keep)),
    "sort.default": lambda d: ((x := _one(d, 1), d.axis(x), d.random.random() < 0.5), {}),
    "topk.default": _topk,
    "kthvalue.default": _kth,
    **dict.fromkeys([f"{name}.Tensor" for name in ("gt", "ge", "lt", "le", "eq", "ne")], _pair),
    **dict.fromkeys([f"{name}.Scalar" for name in ("gt", "ge", "lt", "le", "eq", "ne")], _scalar),
    **dict.fromkeys(("logical_and.default", "logical_or.default", "logical_xor.default"), _pair),
    **dict.fromkeys(("bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_xor.Tensor"), _masks),
    **dict.fromkeys(("logical_not.default", "isnan.default", "any.default", "all.default", "nonzero.default"), _alone),
    **dict.fromkeys([f"{name}.default" for name in ("sign", "floor", "ceil", "trunc", "round")], _alone),
    "bitwise_not.default": lambda d: ((d.mask(d.shape()),), {}),
    **dict.fromkeys(("any.dim", "all.dim"), _along(_keep)),
    "where.self": _where,
    "masked_fill.Scalar": lambda d: ((x := _one(d), d.mask(d.spread(tuple(x.shape))), d.number()), {}),
    "masked_fill.Tensor": lambda d: ((x := _one(d), d.mask(d.spread(tuple(x.shape))), d.tensor(())), {}),
    "masked_select.default": lambda d: ((x := _one(d), d.mask(d.spread(tuple(x.shape)))), {}),
    **dict.fromkeys(("clone.default", "zeros_like.default", "ones_like.default"), _alone),
    "_to_copy.default": _cast,
    "copy.default": _copy,
    "fill.Scalar": lambda d: ((d.tensor(d.shape(), dense=True), d.number()), {}),
    "fill.Tensor": lambda d: ((d.tensor(d.shape(), dense=True), d.tensor(())), {}),
    "zero.default": lambda d: ((d.tensor(d.shape(), dense=True),), {}),
    "full_like.default": lambda d: ((_one(d), d.number()), {}),
    "flip.default": lambda d: ((x := _one(d, 1), [d.axis(x)]), {}),
    "roll.default": lambda d: ((x := _one(d, 1), [d.random.randint(-3, 3)], [d.axis(x)]), {}),
    "repeat.default": lambda d: ((x := _one(d, 0, 2), [d.random.randint(1, 2) for _ in range(x.dim() + 1)]), {}),
    **dict.fromkeys(("tril.default", "triu.default"), lambda d: ((_one(d, 2), d.random.randint(-2, 2)), {})),
    "diagonal_copy.default": lambda d: ((_one(d, 2), d.random.randint(0, 1)), {}),
    "unfold_copy.default": lambda d: ((x := _one(d, 1), (axis := d.axis(x)), d.random.randint(1, x.shape[axis]), d.random.randint(1, 2)), {}),
    "cat.default": _several,
    "stack.default": _stack,
    "constant_pad_nd.default": _pad,
    "gather.default": _gather,
    "take.default": lambda d: ((x := _one(d, 1), d.places(x.numel(), d.shape(0, 2))), {}),
    "index_select.default": lambda d: (_rows(d)[:3], {}),
    "embedding.default": _embedding,
    "index.Tensor": _indices,
    "scatter.src": _scatter_once,
    "scatter.value": lambda d: ((*_gather(d)[0], d.number()), {}),
    "scatter_add.default": _scatter,
    "index_add.default": _index_add,
    "index_copy.default": lambda d: (_rows(d, once=True), {}),
    "index_fill.int_Scalar": lambda d: ((*_rows(d)[:3], d.number()), {}),
    "index_put.default": _index_put,
    "put.default": _put,
    "slice_scatter.default": _slice_scatter,
    "select_scatter.default": _select_scatter,
    **dict.fromkeys(("addcmul.default", "addcdiv.default"), _three),
    "lerp.Scalar": _lerp,
    "lerp.Tensor": _lerp_tensor,
}
"""By overload without ``aten.``, and a word behind it where there are several ways."""


def own(name: str, d: Draw) -> Iterator[tuple[Any, Sample]]:
    """An overload with what was drawn for it, and its in-place form on the same."""
    overload, (args, kwargs) = name.split()[0], MAKERS[name](d)
    plain, form = overload.split(".")
    packet = getattr(torch.ops.aten, plain, None)
    if packet is not None and form in packet.overloads():
        yield getattr(packet, form), (args, kwargs)
    inplace = getattr(torch.ops.aten, f"{plain}_", None)
    if inplace is not None and form in inplace.overloads() and isinstance(args[0], torch.Tensor):
        onto = args[0].clone(memory_format=torch.contiguous_format)
        yield getattr(inplace, form), ((onto, *args[1:]), kwargs)
