"""LaTeX from a record as MathML for the page.

``latex2mathml.converter.convert`` unescapes its result, so a ``<script>`` inside a formula would become one on the
page. Here each text of the tree is unescaped once, and the serialiser escapes it again.
"""

import html
from xml.etree.ElementTree import tostring

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

from reports.record import Formula


def mathml(formula: Formula, *, display: bool = False) -> Markup:
    """The formula as a ``<math>`` element; as plain text if its LaTeX cannot be converted.

    display: on its own line, rather than within one.
    """
    try:
        tree = convert_to_element(formula.latex, display="block" if display else "inline")
    except Exception:  # the library raises bare exceptions of many kinds, and a page with the text beats no page
        return Markup('<span class="formula">{}</span>').format(formula.text)
    for element in tree.iter():
        element.text = html.unescape(element.text) if element.text else None
        if element.text == "\u29f5":  # what \setminus becomes; fonts lack it, and it is an operator
            element.tag, element.text = "mo", "\u2216"
        if element.tag == "mo" and element.text in ("‖", "|"):
            element.attrib.setdefault("stretchy", "false")  # else the one that carries an exponent is shorter than its partner
        assert not element.tail, "MathML carries its text in leaves"
    tree.set("aria-label", formula.text)
    return Markup(tostring(tree, encoding="unicode"))


def matrix(rows: list[list[str]]) -> Markup:
    """Exact rationals such as '-3/2', by rows, as a bracketed matrix; a single entry without brackets.

    In HTML rather than MathML: without a mathematical font a browser does not stretch a bracket over two rows.
    """
    rows = [[entry.replace("-", "−") for entry in row] for row in rows]
    if [len(row) for row in rows] == [1]:
        return escape(rows[0][0])
    lines = Markup("").join(
        Markup('<span class="row">{}</span>').format(Markup("").join(Markup('<span class="entry">{}</span>').format(entry) for entry in row)) for row in rows
    )
    return Markup('<span class="matrix" role="img" aria-label="{}">{}</span>').format("; ".join(", ".join(row) for row in rows), lines)
