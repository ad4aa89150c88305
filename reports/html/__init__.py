"""How a page is made: the templates' filters, formulas, glossary."""

from reports.html.glossary import GLOSSARY, VERDICTS
from reports.html.shared_styles import share_styles
from reports.html.templating import TEMPLATES, environment, style

__all__ = ["GLOSSARY", "TEMPLATES", "VERDICTS", "environment", "share_styles", "style"]
