"""Formulas from a record become markup that holds nothing else, and what cannot be converted stays readable."""

import pytest

from reports.html.mathml import mathml, matrix, prose, statement
from reports.record.claims import Formula


def test_a_fraction_is_a_fraction():
    shown = mathml(Formula(text="1/a", latex=r"\frac{1}{a}"))
    assert "<mfrac><mn>1</mn><mi>a</mi></mfrac>" in shown


def test_what_a_browser_supplies_is_left_out_and_nothing_else():
    shown = mathml(Formula(text="(a/2)x", latex=r"\left(\frac{a}{2 b}\right) x"))
    assert shown == ("<math><mrow><mo>(</mo><mfrac><mi>a</mi><mrow><mn>2</mn><mi>b</mi></mrow></mfrac><mo>)</mo></mrow><mi>x</mi></math>"), (
        "the row within <math> is there by itself, those of a fraction and between parentheses are not"
    )
    assert mathml(Formula(text="a", latex="a"), display=True) == '<math display="block"><mi>a</mi></math>'
    assert '<mo stretchy="false">(</mo>' in mathml(Formula(text="(a)", latex="(a)")), "a parenthesis that is not to stretch says so"


@pytest.mark.parametrize("text", ["<script>", "&lt;script&gt;", "&#60;script&#62;", "<img src=x>"])
def test_text_in_a_formula_cannot_become_markup(text):
    shown = mathml(Formula(text="x", latex=rf"\text{{{text}}} + a < b"))
    assert "<script" not in shown
    assert "<img" not in shown


def test_a_set_difference_is_an_operator_that_fonts_have():
    assert "<mo>∖</mo>" in mathml(Formula(text="C∖Y", latex=r"C \setminus Y"))


def test_the_bars_of_a_norm_have_one_height():
    shown = mathml(Formula(text="‖a‖²", latex=r"\lVert a \rVert^{2}"))
    assert shown.count('<mo stretchy="false">‖</mo>') == 2
    assert 'stretchy="true"' in mathml(Formula(text="‖a/2‖", latex=r"\left\lVert \frac{a}{2} \right\rVert"))


@pytest.mark.parametrize("latex", [r"\frac{", r"\left(", "}", "\\"])
def test_latex_that_is_none_gives_the_text(latex):
    shown = mathml(Formula(text='a < "b"', latex=latex))
    assert "math" in shown or shown == '<span class="formula">a &lt; &#34;b&#34;</span>'
    assert '"b"' not in shown


def test_a_statement_is_broken_where_its_parts_end_and_nowhere_else():
    assert statement(Formula(text="x", latex=r"a = b,\quad c = d")).count("<math") == 2
    assert statement(Formula(text="x", latex=r"\left( a \quad b \right)")).count("<math") == 1
    assert statement(Formula(text="x", latex=r"\text{a \quad b}")).count("<math") == 1
    assert statement(Formula(text="plain", latex=r"a \quad \frac{1}{")) == '<span class="formula">plain</span>'


def test_matrices():
    assert matrix([["-3/2"]]) == "−3/2"
    assert matrix([["<b>"]]) == "&lt;b&gt;"
    shown = matrix([["1", "-2"], ["0", "undefined"]])
    assert shown.count('class="row"') == 2
    assert shown.count('class="entry"') == 4
    assert 'aria-label="1, −2; 0, undefined"' in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("T_{Wₙ}(x), g_θ", "T<sub>Wₙ</sub>(x), g<sub>θ</sub>"),
        ("‖·‖_F and `rank`", "‖·‖<sub>F</sub> and <code>rank</code>"),
        ("near_zero stays, c_i, A(c_{i+1}..c_n)", "near_zero stays, c<sub>i</sub>, A(c<sub>i+1</sub>..c<sub>n</sub>)"),
        ("<b>x_{<i>}</b>", "&lt;b&gt;x<sub>&lt;i&gt;</sub>&lt;/b&gt;"),
    ],
)
def test_prose_shows_its_indices_and_nothing_but_text(text, shown):
    assert prose(text) == shown


def test_a_statement_breaks_between_its_parts_also_where_an_index_is_in_braces():
    assert statement(Formula(text="three", latex=r"W_{i+1} = W_i,\quad h = 1,\quad L_{n-1}")).count("<math") == 3
    assert statement(Formula(text="three", latex=r"\left(a \quad b\right)")).count("<math") == 1
