"""LaTeX from a record as MathML for the page.

``latex2mathml.converter.convert`` unescapes its result, so a ``<script>`` inside a formula would become one on the
page. Here each text of the tree is unescaped once, and the serialiser escapes it again.
"""

import html
import re
from typing import Protocol
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

FENCES = ("(", ")", "[", "]", "{", "}")

ROW_ELEMENTS = ("math", "mstyle", "msqrt", "mtd", "mpadded", "mphantom", "merror")
"""Elements whose children are a row, whether or not they say so (MathML Core, inferred ``<mrow>``)."""


class Written(Protocol):
    """What has a formula in both forms, such as a row of the record."""

    @property
    def text(self) -> str:
        """Unicode."""

    @property
    def latex(self) -> str:
        """Without delimiters."""


def mathml(formula: Written, *, display: bool = False) -> Markup:
    """The formula as a ``<math>`` element; as plain text if its LaTeX cannot be converted.

    display: on its own line, rather than within one.
    """
    return _converted(formula.latex, "block" if display else "inline") or _plain(formula)


def statement(formula: Written) -> Markup:
    """A formula as one ``<math>`` for each of its parts between ``\\quad``, so that a narrow page can break the line there."""
    parts = formula.latex.split(r"\quad")
    whole = parts if all(_balanced(part) for part in parts) else [formula.latex]
    converted = [_converted(part.strip(), "block") for part in whole]
    return Markup("").join(part or "" for part in converted) if all(converted) else _plain(formula)


def _converted(latex: str, display: str) -> Markup | None:
    try:
        tree = convert_to_element(latex, display=display)
    except Exception:  # the library raises bare exceptions of many kinds, and a page with the text beats no page
        return None
    for element in tree.iter():
        element.text = html.unescape(element.text) if element.text else None
        if element.text == "\u29f5":  # what \setminus becomes; fonts lack it, and it is an operator
            element.tag, element.text = "mo", "\u2216"
        if element.tag == "mo" and element.text in ("‖", "|"):
            element.attrib.setdefault("stretchy", "false")  # else the one that carries an exponent is shorter than its partner
        assert not element.tail, "MathML carries its text in leaves"
    _slim(tree)
    return Markup(tostring(tree, encoding="unicode").replace(" />", "/>"))


def _slim(tree: Element) -> None:
    """Leave out what an HTML parser and its operator dictionary supply anyway; a page holds hundreds of formulas.

    MathML Core: the elements are in the MathML namespace by themselves; parentheses and brackets are fences that stretch, whose
    form follows from their place at either end of a row; a row of one element is that element; and what stands in ``<math>``, or in
    any other element that takes one argument, is a row by itself.
    """
    tree.attrib.pop("xmlns", None)
    if tree.get("display") == "inline":
        del tree.attrib["display"]
    for element in tree.iter():
        if element.tag == "mo" and element.text in FENCES and element.get("stretchy") == "true":
            element.attrib.clear()
        for index, child in enumerate(element):
            while child.tag == "mrow" and len(child) == 1 and not child.attrib:
                child = child[0]
            element[index] = child
        if element.tag in ROW_ELEMENTS and len(element) == 1 and element[0].tag == "mrow" and not element[0].attrib:
            element[:] = element[0]


def _plain(formula: Written) -> Markup:
    return Markup('<span class="formula">{}</span>').format(formula.text)


def _balanced(latex: str) -> bool:
    def number(token: str) -> int:
        return len(re.findall(re.escape(token) + ("(?![a-z])" if token[0] == "\\" else ""), latex))  # \left is no \leftarrow

    return all(number(opening) == number(closing) for opening, closing in (("{", "}"), (r"\left", r"\right"), (r"\begin", r"\end")))


def prose(text: str) -> Markup:
    """Plain text with its indices as <sub>, T_{W+ΔW} and g_θ, and what stands between backticks as code."""
    shown = str(escape(text))
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", shown)
    return Markup(re.sub(r"_(?:\{([^{}]*)\}|(\w))(?!\w)", lambda found: f"<sub>{found[1] or found[2]}</sub>", shown))


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
