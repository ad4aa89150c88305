"""Why a module of a network has no rounding rule, and what to write instead: one line each.

By the module's kind: one that works along another axis than that of the entries, one that computes something else than its class promises, the usual
modules that no rule is written for, and whatever else there is.
"""

from torch import nn

from numeric.architecture.contextual_block import AS_WRITTEN
from numeric.architecture.wiring import DROPOUTS
from numeric.rules.table import RULES, along_the_entries

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
GROUP_NORMS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LocalResponseNorm)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


def why_no_rule(name: str, module: nn.Module) -> str:
    """The sentence for a module for which ``rule_for`` has none, and that is no dense layer.  name: its name in the network."""
    kind = type(module)
    subject = f'no rounding rule for "{kind.__name__}" ("{name}" of the network)'
    if "forward" in vars(module):
        return f"{subject}, since its forward was replaced: take that out, or {AS_WRITTEN}."
    if not along_the_entries(module):
        return f"{subject} along {_axis(module)}: rules are for the last axis, the entries of a case; write {_rewritten(module)}."
    if kind in DROPOUTS:
        return f"{subject}, which stays in training mode after eval(): what it returns is random."
    ruled = next((each for each in (*RULES, nn.Linear, nn.Identity, *DROPOUTS) if isinstance(module, each)), None)
    if ruled is not None:
        return f"{subject}, a subclass of {ruled.__name__}, which may compute something else: write nn.{ruled.__name__}, or {AS_WRITTEN}."
    for kinds, words in _USUAL:
        if isinstance(module, kinds):
            return f"{subject}: {words}, or {AS_WRITTEN}."
    if _is_transposed_linear(module):
        return f"{subject}, a dense layer that holds its weight transposed: write nn.Linear with weight.T, or {AS_WRITTEN}."
    known = ", ".join(each.__name__ for each in RULES)
    return f"{subject}; there are rules for Linear, {known}, and Identity and Dropout are passed over. Write the network of these, or {AS_WRITTEN}."


_USUAL: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    (BATCH_NORMS, "in eval mode it is an affine map of each entry; fold it into the dense layer in front of it (torch.nn.utils.fusion.fuse_linear_bn_eval)"),
    (GROUP_NORMS, "there are rules for LayerNorm and RMSNorm, over all entries of a case; write one of these if it computes the same"),
    (CONVOLUTIONS, "a network is given one vector for each case, on which a convolution is a dense layer; write nn.Linear"),
    (EMBEDDINGS, "it reads integers, and a network is given numbers; put it into the contextual layer"),
)


def _is_transposed_linear(module: nn.Module) -> bool:
    """Whether it is the Conv1D of GPT-2 as transformers write it, by its name: the library need not be there."""
    return type(module).__name__ == "Conv1D"


def _axis(module: nn.Module) -> str:
    if isinstance(module, nn.Softmax):
        return f"axis {module.dim}" + (", the cases of the batch" if module.dim in (0, -2) else ", which a (batch, entries) tensor has not")
    assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
    return f"the last {len(module.normalized_shape)} axes, normalized_shape={tuple(module.normalized_shape)}"


def _rewritten(module: nn.Module) -> str:
    if isinstance(module, nn.Softmax):
        return "nn.Softmax(dim=-1)"
    assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
    return f"nn.{type(module).__name__}({module.normalized_shape[-1]})"
