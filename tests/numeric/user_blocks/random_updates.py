"""Updates as a user could write them, as text: right in their shapes, or with anything in them that Python and torch let one write."""

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st

NUMBERS = ("1", "0.5", "-3.0", "1e-30", "1e30", "0.0")
ANYTHING = (
    *("W", "delta", "a", "2.0", "True", "None", "1e300", "float('nan')", "W.mT", "W + W", "W - W", "W @ W.mT @ W", "W @ (delta @ a.mT)", "(delta @ a.mT) @ a"),
    *("2 * a", "a * a", "-a", "a.T", "a.square().sum()", "torch.cat([a, a])", "torch.ones(1)", "a.half()", "a.__iadd__(delta)", "W.add_(W)"),
    *("[a]", "a[0]", "1 - a"),
)


@st.composite
def updates(draw: st.DrawFn, kind: str, depth: int, *, mistakes: bool) -> str:
    """An expression.  kind: "ΔW" (m, d), "v" (m, 1), "x" (d, 1), "r" (1, d) or "s" (1, 1); mistakes: whether a part of it may be of any kind."""

    def part(kind: str) -> str:
        return draw(updates(kind, depth - 1, mistakes=mistakes))

    if mistakes and draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(ANYTHING)) if depth == 0 or draw(st.booleans()) else part(draw(st.sampled_from(["ΔW", "v", "x", "r", "s"])))
    if depth == 0:
        return {"ΔW": "(W @ delta) @ a.mT", "v": "W @ delta", "x": draw(st.sampled_from(["delta", "a"])), "r": "a.mT", "s": "a.mT @ a"}[kind]
    forms: dict[str, list[Callable[[], str]]] = {
        "ΔW": [
            lambda: f"({part('v')}) @ ({part('r')})",
            lambda: f"(W + ({part('v')}) @ ({part('r')})) - W",
            lambda: f"(({part('v')}) @ ({part('r')}) - W) + W",
        ],
        "v": [lambda: f"W @ ({part('x')})", lambda: f"({part('v')}) @ ({part('s')})"],
        "x": [lambda: f"({part('r')}).mT", lambda: f"({part('x')}) @ ({part('s')})"],
        "r": [lambda: f"({part('x')}).mT"],
        "s": [lambda: f"({part('r')}) @ ({part('x')})", lambda: f"({part('s')}) {draw(st.sampled_from('+-'))} {draw(st.sampled_from(NUMBERS))}"],
    }
    common = [lambda: f"({part(kind)}) + ({part(kind)})", lambda: f"({part(kind)}) - ({part(kind)})", lambda: part(kind)]
    if kind != "ΔW" or mistakes:  # what was made with W in a sum is not divided
        common += [lambda: f"({part(kind)}) / ({part('s')})", lambda: f"({part(kind)}) / {draw(st.sampled_from(NUMBERS[:5]))}"]
    return draw(st.sampled_from([*forms[kind], *common]))()


def written(text: str) -> Callable[..., Any]:
    """The update that is written so."""
    code = compile(text, "update", "eval")
    return lambda W, delta, a: eval(code, {"torch": torch}, {"W": W, "delta": delta, "a": a})
