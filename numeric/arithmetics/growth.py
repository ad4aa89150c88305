"""How much a sum's roundings can make of its terms, and of what was lost early in it."""

from numeric.arithmetics.roundoff import gamma
from numeric.machine import ErrorModel
from numeric.machine.summation_tree import Order


def grown(terms: int, order: Order | None, n: ErrorModel) -> float:
    """How many times as large a term, or an error made early in a sum, can be at its end: 1 + γ of the roundings that it goes through.

    terms: of the sum; order: in which they are added, where it is known and of as many.

    *Proof.* In any order a term goes through no more roundings than there are terms: its own, as a product, and one for each addition. Of a tree of known
    height it goes through its own and as many as the height. Strands that are stored are summed in the wider format; then each sum is stored, and a rounding
    to storage follows for each that is added: no more than two for each strand.
    """
    if order is None or order.leaves != terms:
        return 1.0 + gamma(terms, n.sum_roundoff)
    if order.stored_strands:
        return (1.0 + gamma(order.height + 1, n.opmath.unit_roundoff)) * (1.0 + gamma(2 * order.strands, n.storage.unit_roundoff))
    return 1.0 + gamma(order.height + 1, n.sum_roundoff)
