"""Text of a record as text: what a name or a reason holds is shown, and never obeyed by what reads it.

A character that is not seen (control characters, newlines, marks that turn the direction of writing, halves of surrogate
pairs) is written out as Python would, ``\\n`` or ``\\u202e``: most of them are not allowed in XML at all, and the rest end lines.
"""

import re
import unicodedata

_MARKDOWN = re.compile(r"[\\`*_\[\]|~$@#]|:(?=/)|(?<=www)\.|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
"""What Markdown, as GitHub and GitLab write it, gives a meaning in a line, at its beginning, or in an address; a backslash takes it away."""

LONGEST = 2000
"""Characters of one text of a record that a summary or an annotation shows."""


def printable(text: str) -> str:
    """The text in one line, with every character that is not seen written out."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else _written_out(letter) for letter in text)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, which stay lines."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning and how many characters are left out."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} more characters)"


def markdown(text: str) -> str:
    """The text in one line of Markdown, or in a cell of a table, in which nothing of it is markup or HTML."""
    plain = printable(shortened(text.strip())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(lambda found: f"\\{found.group()}", plain)


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape", errors="backslashreplace").decode("ascii")
