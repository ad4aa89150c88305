"""Which claims apply to a block: by the form of the block, and by what its row says of its contextual layer."""

from numeric.architecture import Block, ContextualBlock, output_layers
from numeric.architecture.wiring import wiring
from numeric.cells import claim_of
from numeric.formats import MODES
from numeric.scenarios import all_scenarios
from symbolic.claims import claim_ids

OF_SOME_FORMS = frozenset(
    {"theorem-a.2", "linear-attention", "pre-ln", "gated", "bias-free-output", "norm-scale", "parallel", "mixture-of-experts", "stack", "generation"}
)
"""Claims of blocks of one form; the others are of any first layer that reads the context."""

DYNAMICS = ("proposition-3.1", "proposition-3.1-endpoint", "corollary-b.0.1", "appendix-b-factorization", "appendix-b-versus-section-3")
"""Claims that the implicit dynamics measure."""


def claims_that_apply(block: Block) -> list[str]:
    """Their ids, in the order of the registry."""
    module = block.build(block.recipe)
    own = {*_of_its_form(module), *block.claims}
    anywhere = set() if module.parallel else {claim for claim in claim_ids() if claim not in OF_SOME_FORMS}
    return [claim for claim in claim_ids() if claim in own | anywhere]


def claims_measured(block: Block) -> list[str]:
    """Those of them that some scenario or experiment tests on the block, scenarios first."""
    module = block.build(block.recipe)
    of_cells = [claim_of(scenario, module) for scenario in all_scenarios() if any(scenario.refuses(block, mode) is None for mode in MODES)]
    of_experiments = [*(() if module.parallel else DYNAMICS), *(claim for claim in ("stack", "generation") if claim in block.claims)]
    return list(dict.fromkeys([*of_cells, *of_experiments]))


def _of_its_form(module: ContextualBlock) -> list[str]:
    if module.skip:
        return ["theorem-a.2"]
    claims = ["gated"] if len(module.first_layers) > 1 else []
    if module.norm is None:
        return claims
    if module.parallel:
        return ["parallel"]
    layers = output_layers(module, wiring(module))
    if layers.gates is not None:
        return ["mixture-of-experts"]
    return [*claims, "pre-ln" if layers.bias is not None else "bias-free-output"]
