"""What feed-forward parts, experts, routers and norms of transformers execute, and that it has a row."""

import signal
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._ops import OpOverload

from numeric.formats.operator_mode import OperatorMode
from numeric.operator_rules import NoOperatorRule
from numeric.operator_rules.table import operator_row
from numeric.operators.executions import CallSite, Execution, tensors_in
from tests.real_blocks import parts_of_transformers as parts
from tests.real_blocks.libraries import library

WITHOUT_A_ROW = {
    "aten._local_scalar_dense.default": "an expert's number goes to Python: such a block runs case by case, and has no bound",
    "aten._weight_norm_interface.default": "of an audio encoder's convolution over positions, which is no network behind a cut",
}
SECONDS = 20
"""For a part at most; some build a whole model."""


class Executed(OperatorMode):
    """The operators that read a tensor and compute."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[OpOverload] = set()

    def computed(self, operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        step = Execution(CallSite(str(operator), "a test", 0), operator, args, kwargs)
        result = step.result()
        if step.tensors and not step.is_view(tensors_in(result)):
            self.met.add(operator)
        return result


def without_a_row(met: set[OpOverload]) -> set[str]:
    found = set()
    for operator in met:
        try:
            operator_row(operator)
        except NoOperatorRule:
            found.add(str(operator))
    return found


@pytest.mark.soak
def test_every_activation_of_transformers_has_its_rows() -> None:
    functions = library("transformers.activations").ACT2FN
    met: set[OpOverload] = set()
    for name in functions:
        with torch.no_grad(), Executed() as watch:
            functions[name](torch.randn(4, 8))
        met |= watch.met
    assert len(met) > len(functions) / 2
    assert not without_a_row(met)


@pytest.mark.soak
@pytest.mark.parametrize("post", [{}, {"post_act_ln": True}])
def test_every_feed_forward_of_x_transformers_has_its_rows(post: dict[str, bool]) -> None:
    """All that its activations, gates and norms execute."""
    code = library("x_transformers.x_transformers")
    kinds: list[dict[str, Any]] = [{}, *({name: True} for name in ("glu", "swish", "relu_squared", "no_bias", "glu_mult_bias", "custom_activation"))]
    norms = ("RMSNorm", "SimpleRMSNorm", "ScaleNorm", "LayerNorm", "DynamicTanh", "Derf", "AdaptiveLayerNorm", "AdaptiveRMSNorm")
    met, ran = set(), 0
    for kind in kinds:
        given = (
            {"glu": True, "glu_mult_bias": True}
            if "glu_mult_bias" in kind
            else {"custom_activation": code.ReluSquared()}
            if "custom_activation" in kind
            else kind
        )
        network = code.FeedForward(8, **given, **post).eval()
        with torch.no_grad(), Executed() as watch:
            network(torch.randn(2, 3, 8))
        met, ran = met | watch.met, ran + 1
    for name in norms:
        if hasattr(code, name):
            norm = getattr(code, name)(8, **({"dim_condition": 8} if name.startswith("Adaptive") else {})).eval()
            with torch.no_grad(), Executed() as watch:
                norm(torch.randn(2, 3, 8), **({"condition": torch.randn(2, 8)} if name.startswith("Adaptive") else {}))
            met, ran = met | watch.met, ran + 1
    assert ran > len(kinds) + 3
    assert not without_a_row(met)


def test_an_operator_without_a_row_is_found() -> None:
    """A planted one."""
    with torch.no_grad(), Executed() as watch:
        torch.linalg.det(torch.nn.functional.silu(torch.eye(2)))
    assert without_a_row(watch.met) == {"aten._linalg_det.default"}


class _TooLong(BaseException):
    pass


def _stop(*given: object) -> None:
    raise _TooLong


def _in_time(run: Callable[[], Any]) -> Any:
    before = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)
    try:
        return run()
    except _TooLong:
        return None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")  # of 500 families' code
def test_what_parts_of_transformers_execute_has_rows() -> None:
    """Of every family; how many parts were run, and which were not, is printed."""
    found, ran, others = defaultdict(list), [], []
    for family in parts.families():
        try:
            code, configs = parts.modules_of(family)
        except ImportError as error:
            others.append(f"{family}: {error}")
            continue
        for part in parts.parts_of(code):
            watch = _in_time(lambda part=part, configs=configs: parts.run(part, configs, Executed))
            (others if watch is None else ran).append(f"{family}.{part.__name__}")
            for name in without_a_row(watch.met) if watch is not None else ():
                found[name].append(f"{family}.{part.__name__}")
    print(f"{len(ran)} parts run, {len(others)} not: {' '.join(others)}")
    assert len(ran) > len(others)
    assert set(found) == set(WITHOUT_A_ROW), {name: where[:3] for name, where in found.items()}
