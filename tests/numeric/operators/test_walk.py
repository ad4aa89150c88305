"""The walk: every operator once, with the line of the code that called it; and labels, which follow what a value is made of."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from numeric.operators.executions import Execution
from numeric.operators.labels import Labels, Made
from numeric.operators.recording import Cases, DoubleBlock
from numeric.operators.walk import Walk, calling_line, opaque, operators_apart


class Listed(Walk):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Execution] = []

    def execute(self, step: Execution) -> object:
        self.steps.append(step)
        return super().execute(step)


def listed(code: object, *given: Tensor) -> list[str]:
    walk = Listed()
    with operators_apart(), walk:
        code(*given)  # type: ignore[operator]
    return [str(step.operator) for step in walk.steps]


def test_an_operator_is_executed_once_and_named_by_its_line() -> None:
    walk, x = Listed(), torch.ones(3)
    with operators_apart(), walk:
        line = calling_line()
        for _ in range(2):
            x.mul_(2.0)
    assert x.tolist() == [4.0, 4.0, 4.0]
    assert [(step.place.operator, step.place.count) for step in walk.steps] == [("aten.mul_.Tensor", 0), ("aten.mul_.Tensor", 1)]
    file, number = line.split(":")
    assert {step.place.line for step in walk.steps} == {f"{file}:{int(number) + 2}"}
    assert file == "test_walk.py"


def test_a_composite_operator_is_taken_apart_under_inference_mode_as_outside_of_it() -> None:
    layer, x = nn.Linear(3, 4), torch.ones(2, 5, 3)

    def inside(x: Tensor) -> None:
        with torch.inference_mode():
            layer(x)

    assert "aten.addmm.default" in listed(layer, x)
    assert [name for name in listed(inside, x) if "view" not in name] == [name for name in listed(layer, x) if "view" not in name]


def test_what_an_operator_computes_with_and_what_it_overwrites() -> None:
    walk, x, out = Listed(), torch.ones(2, 3), torch.empty(2, 3)
    with operators_apart(), walk:
        x.add(2).clamp(min=0.5).view(3, 2)
        torch.add(x, x, out=out)
        out.copy_(x)
        x.mul_(out)
    steps = {step.place.operator: step for step in walk.steps}
    assert steps["aten.add.Tensor"].numbers == [2]
    assert steps["aten.clamp.default"].numbers == [0.5]
    assert steps["aten.view.default"].numbers == []
    assert [steps[name].overwrites_only(out) for name in ("aten.add.out", "aten.copy_.default")] == [True, True]
    assert not steps["aten.mul_.Tensor"].overwrites_only(x)
    assert steps["aten.mul_.Tensor"].written[0] is x


def test_lists_are_exchanged_inside() -> None:
    walk = Listed()
    with operators_apart(), walk:
        torch.cat([torch.zeros(1), torch.ones(1)])
    step = walk.steps[-1]
    again = step.replaced({1: torch.full((1,), 5.0)})
    assert step.operator(*again.args, **again.kwargs).tolist() == [0.0, 5.0]
    assert step.operator(*step.args, **step.kwargs).tolist() == [0.0, 1.0]


def test_what_decides_for_python() -> None:
    walk, x = Listed(), torch.tensor([1.0, -1.0])
    with operators_apart(), walk:
        x[x > 0]
        x[torch.tensor([0])]
        float(x[0])
        x.nonzero()
    deciding = {(step.place.operator, len(step.deciding)) for step in walk.steps if "index" in step.place.operator or step.deciding}
    assert deciding == {("aten.index.Tensor", 1), ("aten.index.Tensor", 0), ("aten._local_scalar_dense.default", 1), ("aten.nonzero.default", 1)}


def test_what_is_unknown_inside() -> None:
    assert opaque(torch.ops.aten._transformer_encoder_layer_fwd.default)
    assert not opaque(torch.ops.aten.mm.default)


def labelled(code: object, **shapes: tuple[int, ...]) -> tuple[Tensor, Labels]:
    """The output of code on a module with parameters w, p and on x = [context, query], with its labels."""
    module = nn.Module()
    for name, shape in {"w": (6, 4), "p": (6, 4), **shapes}.items():
        module.register_parameter(name, nn.Parameter(torch.ones(shape, dtype=torch.float64), requires_grad=False))

    def call(module: nn.Module, context: Tensor | None, query: Tensor, positions: Tensor) -> Tensor:
        assert context is not None
        kept.append(code(module, context, query))  # type: ignore[operator]
        return query

    kept: list[Tensor] = []
    block = DoubleBlock(module, call, {"w": module.w.data})  # type: ignore[union-attr]
    trace = block.record(Cases(torch.ones(2, 3, 4, dtype=torch.float64), torch.ones(2, 4, dtype=torch.float64), torch.arange(4)))
    return kept[0], trace.labels


CONTEXT, QUERY, NETWORK = int(Made.CONTEXT), int(Made.QUERY), int(Made.NETWORK)


def test_labels_follow_entries_through_views_and_what_moves_them() -> None:
    made, labels = labelled(lambda _, context, query: torch.cat([context, query[:, None]], 1).transpose(0, 1).contiguous()[2:] * 2.0)
    assert labels.of(made).tolist() == [[[CONTEXT] * 4] * 2, [[QUERY] * 4] * 2]


def test_behind_the_cut_the_network_alone_is_left() -> None:
    made, labels = labelled(lambda p, context, query: torch.relu(F.linear(query + context[:, 0], p.w)))
    assert labels.made(made) == Made.NETWORK
    made, labels = labelled(lambda p, context, query: F.linear(query, p.p))
    assert labels.made(made) == Made.QUERY


def test_of_one_product_the_rows_that_are_w_alone_are_the_networks() -> None:
    made, labels = labelled(lambda p, context, query: F.linear(query, torch.cat([p.p, p.w])))
    assert labels.of(made)[0].tolist() == [QUERY] * 6 + [NETWORK] * 6


def test_in_place_code_changes_what_every_view_says() -> None:
    def code(p: nn.Module, context: Tensor, query: Tensor) -> Tensor:
        buffer = torch.zeros(2, 2, 6, dtype=torch.float64)
        buffer[:, 0] = F.linear(query, p.w)
        buffer[:, 1].add_(context.sum((1, 2))[:, None])
        return buffer

    made, labels = labelled(code)
    assert labels.of(made)[0, :, 0].tolist() == [NETWORK, CONTEXT]


def test_a_mixture_carries_both_labels_and_a_choice_by_the_network_those_of_before() -> None:
    made, labels = labelled(lambda p, context, query: F.linear(query, p.w)[:, :4] + context[:, 0])
    assert labels.made(made) == Made.NETWORK | Made.CONTEXT
    made, labels = labelled(lambda p, context, query: query[F.linear(query, p.w).argmax(-1) % 2])
    assert labels.made(made) == Made.QUERY


def test_a_reading_of_w_that_is_no_product_is_the_networks_too() -> None:
    made, labels = labelled(lambda p, context, query: query * p.w.sum())
    assert Made.NETWORK in labels.made(made)
    assert labels.source(made) is None
