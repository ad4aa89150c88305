"""A plugin for pytest: the fixture ``context_transfer``, for testing a block of your own.

    def test_the_context_moves_into_the_weights(context_transfer):
        context_transfer(make_block(), context, query)

asserts that T_W(C, x) = T_{W+ΔW}(x) to within the rounding bound, for every prompt and in every format that is asked for. A bound that could not
have noticed a wrong update, and a prompt that is refused, fail the test, with the reason. Nothing heavy is imported before the fixture is used.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from numeric.user_blocks import ProbeCache, Transfer

EVERY_FORMAT = "all"
"""In place of a format: every one that a CPU has."""

USUAL = "quick"
"""The profile whose formats are measured unless others are asked for, as by ``verify check``."""


@pytest.fixture(scope="session")
def _icl_verify_machine() -> "ProbeCache":
    """What the machine answered to its probes in this session."""
    from numeric.user_blocks import ProbeCache

    return ProbeCache()


@pytest.fixture
def context_transfer(request: pytest.FixtureRequest, tmp_path: Path) -> "Callable[..., list[Transfer]]":
    """Called as ``context_transfer(block, context, query, *, format=None, variant=None, update=None)``.

    block: a numeric.ContextualBlock; context: (prompts, n, d_in), query: (prompts, d_in), or one prompt without that axis.
    format: a name, several, or "all"; those of the profile ``quick`` if not given. variant: "formula" if not given. update: a ΔW of your own.
    Returns what was found in each format, if every prompt holds in all of them; otherwise the test fails, and witnesses are in ``tmp_path``.
    """

    def check(
        block: object, context: Any, query: Any, *, format: str | Sequence[str] | None = None, variant: str | None = None, update: Any = None
    ) -> "list[Transfer]":
        __tracebackhide__ = True
        from numeric.user_blocks import transfers
        from symbolic.vocabulary import CallError

        machine = request.getfixturevalue("_icl_verify_machine")
        refused = ""
        try:
            rows = transfers(block, context, query, formats=_formats(format), variant=variant, update=update, name=request.node.name, machine=machine)
        except CallError as error:
            refused = str(error)
        if refused:  # outside of the handler, so that the reader is not shown how it came to that
            pytest.fail(f"context_transfer: refused, so nothing was measured. {refused}")
        failed = [row for row in rows if row.verdict.value != "HOLDS"]
        if failed or not rows:
            pytest.fail("\n".join(_lines(rows, failed, tmp_path)))
        return rows

    return check


def _formats(given: str | Sequence[str] | None) -> Sequence[str] | None:
    from verify.plan.profiles import profile_named

    if given is None:
        return profile_named(USUAL).formats
    return None if given == EVERY_FORMAT else [given] if isinstance(given, str) else list(given)


def _lines(rows: "Sequence[Transfer]", failed: "Sequence[Transfer]", folder: Path) -> list[str]:
    """What failed, format by format, and what held beside it."""
    if not rows:
        return ["context_transfer: no format was asked for, so nothing was checked."]
    held = ", ".join(row.format for row in rows if row not in failed)
    lines = [f"context_transfer, variant {rows[0].variant}: not shown in {len(failed)} of {len(rows)} formats" + (f"; it holds in {held}" if held else "")]
    for row in failed:
        lines += ["", f"{row.format}: {row.verdict.value}, {row.reason}", *_worst_prompt(row, folder)]
    return lines


def _worst_prompt(row: "Transfer", folder: Path) -> list[str]:
    """The gravest prompt in numbers, and how to run it again."""
    if row.worst is None or row.witness is None or row.verdict.value == "INCONCLUSIVE":
        return []  # of a prompt that is refused there are no numbers worth telling
    at_output = row.output_ratio > row.ratio
    ratio = max(row.ratio, row.output_ratio)
    path = folder / f"{row.format}-{row.variant}.safetensors"
    path.write_bytes(row.witness.to_bytes())
    return [
        f"  worst prompt   {row.worst}, counted from 0, of {row.prompts}",
        f"  error          {row.error:.6g}, the largest entry at the first dense layer of |with the context - without it and patched|",
        f"  bound          {row.bound:.6g}, there",
        f"  error ÷ bound  {ratio:.6g}, at the entry where it is largest, {'at the block’s output' if at_output else 'at the first dense layer'}",
        f"  side           {_side(row)}",
        f"  witness        {path}",
        f"  replay         {_replay(row, path)}",
    ]


def _side(row: "Transfer") -> str:
    """Which side strayed from the exact value."""
    off = row.strayed
    if off is None:
        return "unknown: a number is not finite"
    far = "the patched side strays" if off.right > off.left else "the side with the context strays" if off.left > off.right else "both are as far off"
    return f"{far}: without the context and patched it errs by {off.right:.3g}, with the context by {off.left:.3g} (ball arithmetic, first dense layer)"


def _replay(row: "Transfer", path: Path) -> str:
    from numeric.sides.variant import OWN

    if row.variant == OWN:
        return "none: the update is known to this test alone"
    return f"verify replay {shlex.quote(str(path))}"
