"""Every part of transformers whose name says feed-forward network, norm, expert or router, as far as its signature is enough to build it small."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tests.real_blocks.libraries import library

WORDS = ("MLP", "Mlp", "FeedForward", "FFN", "Norm", "Intermediate", "FFLayer", "DenseActDense", "Experts", "Router", "MoE", "Moe", "Projector", "Activation")
OTHERS = ("PreTrained", "Model", "For", "Attention", "Rotary", "Mamba")
"""Parts of names of what is larger, or stands before the cut."""
D, M = 16, 24
SIZES: dict[str, Any] = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "in_features", "input_dim", "output_dim", "in_dim", "channels", "normalized_shape"), D
    ),
    **dict.fromkeys(
        ("intermediate_size", "d_ff", "n_inner", "hidden_dim", "ffn_dim", "hidden_features", "inner_dim", "mlp_dim", "n_state", "ffn_hidden_size"), M
    ),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "num_experts_per_tok", "num_layers"), 2),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_hidden_layers", "layer_idx", "layer_id"), 1),
    **dict.fromkeys(("hidden_act", "activation_function", "activation"), "gelu"),
    "moe_intermediate_size": 12,
    "head_dim": 8,
    "vocab_size": 50,
}
"""What arguments of these names are."""


def modules_of(family: str) -> tuple[Any, list[type]]:
    """The code of a family, and its configurations."""
    code = library(f"transformers.models.{family}.modeling_{family}")
    kept = library(f"transformers.models.{family}.configuration_{family}")
    configs = [each for name, each in vars(kept).items() if inspect.isclass(each) and name.endswith("Config") and each.__module__ == kept.__name__]
    return code, sorted(configs, key=lambda each: ("Text" not in each.__name__, len(each.__name__)))


def families() -> list[str]:
    """Every family that has both files."""
    models = library("transformers.models")
    names = [each.name for each in pkgutil.iter_modules(models.__path__)]
    return [name for name in names if all(importlib.util.find_spec(f"transformers.models.{name}.{kind}_{name}") for kind in ("modeling", "configuration"))]


def parts_of(code: Any) -> Iterator[type[nn.Module]]:
    for name, each in vars(code).items():
        named = any(word in name for word in WORDS) and not any(word in name for word in OTHERS if word != "For" or "FeedForward" not in name)
        if named and inspect.isclass(each) and issubclass(each, nn.Module) and each.__module__ == code.__name__:
            yield each


def configured(kind: type) -> Any:
    """A small configuration, or the usual one."""
    given = {name: value for name, value in SIZES.items() if name in inspect.signature(kind.__init__).parameters or hasattr(kind, name)}
    return kind(**given)


def built(part: type[nn.Module], config: Any) -> nn.Module:
    """A part with random weights.  Raises TypeError for an argument of a name that is not known."""
    arguments: dict[str, Any] = {}
    for each in list(inspect.signature(part.__init__).parameters.values())[1:]:
        if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        if each.name == "config" or each.name in SIZES:
            arguments[each.name] = config if each.name == "config" else SIZES[each.name]
        elif each.default is each.empty:
            raise TypeError(each.name)
    made = part(**arguments).eval().requires_grad_(False)
    for parameter in made.parameters():
        if parameter.is_floating_point():
            parameter.normal_(0.0, 0.1)
    return made


def calls(module: nn.Module) -> Iterator[tuple[Tensor, ...]]:
    """What it may want to be given: tokens of a width that one of its parameters has, with themselves, or with a choice of experts."""
    widths = [size for parameter in module.parameters() for size in (parameter.shape[-1:] if parameter.dim() == 2 else parameter.shape[:1])]
    for width in dict.fromkeys([*widths, D, M]):
        flat = torch.randn(6, width)
        yield (flat.reshape(2, 3, width),)
        yield (flat,)
        yield flat, flat
        yield flat, torch.randint(0, 4, (6, 2)), torch.rand(6, 2)


def run(part: type[nn.Module], configs: list[type], watching: Callable[[], Any]) -> Any:
    """What watched the first call that a part takes; None if it takes none.  watching: makes a mode."""
    for kind in configs:
        try:
            module = built(part, configured(kind))
        except Exception:
            continue  # a part that wants more than its signature says: it is counted as not run
        for call in calls(module):
            watch = watching()
            try:
                with torch.no_grad(), watch:
                    module(*call)
            except Exception:
                continue
            return watch
    return None
