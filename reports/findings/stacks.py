"""What the patched stacks, generations and post-norms gave, in words: strayed, or a wrong patch that let itself be taken for the right one."""

from collections.abc import Iterable

from reports.record import Experiments
from reports.text import counted, joined


def strayed_stacks(experiments: Experiments) -> Iterable[str]:
    """Stacks whose last stream, or whose generations, are not what they are with the prompt."""
    for row in experiments.stacks:
        outside = [replay for replay in row.replays if not all(apart <= row.limit for apart in replay.apart)]
        if outside or not row.apart <= row.limit:
            yield f"the patched stack {row.block} strays from the stack with its prompt by more than roundings of fp64"
        if row.same < row.prompts:
            yield f"the patched stack {row.block} generates other tokens for {counted(row.prompts - row.same, 'prompt')}"

    norm = experiments.post_norm
    if norm is not None and not norm.apart <= norm.limit:
        yield f"{norm.block} with a patched post-norm strays from itself with its prompt by more than roundings of fp64"


def unnoticed_patches(experiments: Experiments) -> Iterable[str]:
    """Planted patches that stayed inside the limit, and where none was planted or nothing replayed."""
    for row in experiments.stacks:
        if not row.replays or not all(replay.apart and replay.planted for replay in row.replays):
            yield f"the patched stack {row.block} was replayed without a wrong patch, or not at all"
        passed = [words for replay in row.replays for words, apart in replay.planted.items() if not apart > row.limit]
        if passed:
            yield f"a wrong patch of the stack {row.block} stays inside the limit ({joined(sorted(set(passed)))})"
        if row.planted_same >= row.prompts:
            yield f"the first token's patches would have replayed every generation of {row.block}, so that the replay shows nothing"
    if experiments.post_norm and not experiments.post_norm.planted:
        yield f"no wrong patch of the post-norm of {experiments.post_norm.block} was planted"
    passed = [words for words, apart in experiments.post_norm.planted.items() if not apart > experiments.post_norm.limit] if experiments.post_norm else []
    if passed:
        yield f"a wrong patch of a post-norm stays inside the limit ({joined(sorted(passed))})"
