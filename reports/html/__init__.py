"""How a page is made: the templates' filters, formulas, glossary."""

from reports.html.glossary import GLOSSARY, VERDICTS
from reports.html.templating import TEMPLATES, rendered

__all__ = ["GLOSSARY", "TEMPLATES", "VERDICTS", "rendered"]
