"""Which claims say that the patch of a watched block is right, by what was found in it."""

from numeric.operators.anatomy import Anatomy

ABSORBED_BY = {"bias": "pre-ln", "scale": "norm-scale", "matrix": "bias-free-output", "several": "mixture-of-experts"}
"""The claim by the kind of the absorber."""

POST_NORM = "post-ln"
"""That what follows the residual sum does not matter."""


def needed_claims(anatomy: Anatomy) -> tuple[str, ...]:
    """Their ids, beside the claim of the scenario; not all of them need be proved yet."""
    found = ["gated"] if sum(len(each.entries) for each in anatomy.weights) > 1 else []
    if anatomy.absorber is not None:
        found.append(ABSORBED_BY[anatomy.absorber.kind])
    if not anatomy.reads_context:
        found.append("parallel")
    if not anatomy.ends_in_the_sum:
        found.append(POST_NORM)
    return tuple(found)
