import pytest

from symbolic import formulas
from symbolic.terms.term import Trace
from symbolic.vocabulary import ShapeMismatch
from tests.symbolic.symbolic_strategies import SYMBOLS

W, V, A, x, y, u, s = (SYMBOLS[name] for name in "WVAxyus")


@pytest.mark.parametrize(
    ("what", "build"),
    [
        ("W W", lambda: W @ W),
        ("W u", lambda: W @ u),
        ("W + Wᵀ", lambda: W + W.mT),
        ("x + y yᵀ", lambda: x + y @ y.mT),
        ("x - u", lambda: x - u),
        ("W / x", lambda: W / x),
        ("W * W", lambda: W * V),
        ("x * u", lambda: x * u),
        ("x / u", lambda: x / u),
        ("xᵀ * yᵀ", lambda: x.mT * y.mT),
        ("tr W", lambda: Trace(W)),
        ("x + s", lambda: x + s),
        ("x + 1", lambda: x + 1),
    ],
)
def test_wrong_shapes_are_refused(what, build):
    """Sizes are letters: d is never m, not even if both may be 3, and nothing is broadcast."""
    with pytest.raises(ShapeMismatch, match=r"^ShapeMismatch: .* cannot combine "):
        build()


def test_shapes_of_what_can_be_built():
    """By hand, for each operator."""
    assert (W @ x).shape == ("m", "1")
    assert (x @ y.mT).shape == ("d", "d")
    assert (W.mT @ V).shape == ("d", "d")
    assert (W @ x / (x.mT @ y)).shape == ("m", "1")
    assert (s * W).shape == (3 * W).shape == (W * s).shape == W.shape
    assert (-W).shape == W.shape
    assert (x * y).shape == (x / y).shape == ("d", "1"), "two columns, entry by entry"
    assert Trace(A).shape == (x.mT @ y + 1).shape == (x.mT @ y - 1).shape == (s**2).shape == x.norm().shape == ("1", "1")


def test_the_papers_formulas_run_on_terms_unchanged():
    """Every formula of the module that the numeric floor runs builds a term of the shape that its docstring states."""
    assert formulas.rank_one_update(W, x, y).shape == W.shape
    assert formulas.scaled_rank_one_update(W, x, y, s).shape == W.shape
    assert formulas.patched_weight(W, V).shape == W.shape
    assert formulas.first_layer(W, u, x).shape == u.shape
    assert formulas.output_update(u, x).shape == W.shape
    assert formulas.scale_update(x, y).shape == formulas.expert_target(x, s).shape == x.shape
    assert formulas.bias_update(x, y).shape == formulas.skip_connection(x, y, x).shape == x.shape
