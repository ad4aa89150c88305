"""How a page is made: the templates' filters, formulas, glossary."""
