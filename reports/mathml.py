"""LaTeX from a record as MathML for the page.

``latex2mathml.converter.convert`` unescapes its result, so a ``<script>`` inside a formula would become one on the
page. Here each text of the tree is unescaped once, and the serialiser escapes it again.
"""

import html
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

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
        assert not element.tail, "MathML carries its text in leaves"
    tree.set("aria-label", formula.text)
    return Markup(tostring(tree, encoding="unicode"))


def matrix(rows: list[list[str]]) -> Markup:
    """Exact rationals such as '-3/2', by rows, as a bracketed matrix; a single entry without brackets."""
    if [len(row) for row in rows] == [1]:
        entry = _entry(rows[0][0])
        return Markup(tostring(_wrap(entry), encoding="unicode"))
    table = Element("mtable")
    for row in rows:
        line = Element("mtr")
        for value in row:
            cell = Element("mtd")
            cell.append(_entry(value))
            line.append(cell)
        table.append(line)
    return Markup(tostring(_wrap(_leaf("mo", "["), table, _leaf("mo", "]")), encoding="unicode"))


def _entry(value: str) -> Element:
    sign, magnitude = ("-", value[1:]) if value.startswith("-") else ("", value)
    numerator, slash, denominator = magnitude.partition("/")
    if not numerator.isdecimal() or (slash and not denominator.isdecimal()):
        return _leaf("mtext", value)
    number = Element("mfrac") if slash else _leaf("mn", numerator)
    if slash:
        number.extend([_leaf("mn", numerator), _leaf("mn", denominator)])
    if not sign:
        return number
    row = Element("mrow")
    row.extend([_leaf("mo", "−"), number])
    return row


def _wrap(*children: Element) -> Element:
    math, row = Element("math", {"xmlns": "http://www.w3.org/1998/Math/MathML"}), Element("mrow")
    row.extend(children)
    math.append(row)
    return math


def _leaf(tag: str, text: str) -> Element:
    leaf = Element(tag)
    leaf.text = text
    return leaf
