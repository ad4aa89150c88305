"""Pages from templates: where these lie, and the filters by which they write numbers and formulas."""

import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.html.glossary import term, word_anchor
from reports.html.mathml import mathml, matrix, prose, statement
from reports.text import numbers

TEMPLATES = Path(__file__).parents[1] / "templates"


def style() -> Markup:
    """The one style sheet of all pages."""
    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))


class _Unindented(FileSystemLoader):
    """The templates without their indentation, which is for who reads them: what they are filled with keeps its own."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, unchanged = super().get_source(environment, template)
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE), path, unchanged


def environment() -> Environment:
    """Templates, and the filters that write numbers."""
    templates = Environment(loader=_Unindented(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    templates.filters.update(
        count=numbers.count,
        counted=numbers.counted,
        real=_raised(numbers.real),
        ratio=_raised(numbers.ratio),
        power_of_two=_raised(numbers.power_of_two),
        scientific=numbers.scientific,
        fixed=numbers.fixed,
        binary_exponent=numbers.binary_exponent,
        seconds=numbers.seconds,
        words=numbers.words,
        two_to=_raised(numbers.two_to),
        raised=_raised(lambda text: text.replace("-", "−")),
        term=term,
        word_anchor=word_anchor,
        mathml=mathml,
        prose=prose,
        statement=statement,
        matrix=matrix,
    )
    return templates


def _raised(format_number: Callable[..., str]) -> Callable[..., Markup]:
    """The same numbers with their exponents as <sup>: the superscript characters of most fonts are small and uneven."""

    def formatted(*arguments: object) -> Markup:
        parts = re.split(r"(?<=\d)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹][⁻⁰¹²³⁴⁵⁶⁷⁸⁹·]*)", format_number(*arguments))
        pieces = [Markup("<sup>{}</sup>").format(part.translate(numbers.LOWERED)) if index % 2 else escape(part) for index, part in enumerate(parts)]
        return Markup("").join(pieces)

    return formatted
