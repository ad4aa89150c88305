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


def rendered(template: str, **values: object) -> str:
    """A page, with the one style sheet of all pages."""
    return environment().get_template(template).render(values, style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")))


class _Unindented(FileSystemLoader):
    """The templates without their indentation, which is for who reads them: what they are filled with keeps its own."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, unchanged = super().get_source(environment, template)
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE), path, unchanged


def environment() -> Environment:
    """Templates, and the filters that write numbers."""
    templates = Environment(loader=_Unindented(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    plain = (numbers.count, numbers.counted, numbers.scientific, numbers.fixed, numbers.binary_exponent, numbers.seconds, numbers.words)
    raised = (numbers.real, numbers.ratio, numbers.power_of_two, numbers.two_to)
    markup = (term, word_anchor, mathml, prose, statement, matrix)
    templates.filters |= {each.__name__: each for each in (*plain, *markup)} | {each.__name__: _raised(each) for each in raised}
    templates.filters["raised"] = _raised(lambda text: text.replace("-", "−"))
    return templates


def _raised(format_number: Callable[..., str]) -> Callable[..., Markup]:
    """The same numbers with their exponents as <sup>: the superscript characters of most fonts are small and uneven."""

    def formatted(*arguments: object) -> Markup:
        parts = re.split(r"(?<=\d)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹][⁻⁰¹²³⁴⁵⁶⁷⁸⁹·]*)", format_number(*arguments))
        pieces = [Markup("<sup>{}</sup>").format(part.translate(numbers.LOWERED)) if index % 2 else escape(part) for index, part in enumerate(parts)]
        return Markup("").join(pieces)

    return formatted
