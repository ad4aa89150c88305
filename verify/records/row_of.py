"""A row of the record made of values that have fields of the same names."""

from typing import TypeVar

from reports.record.row import Row

AnyRow = TypeVar("AnyRow", bound=Row)


def row_of(kind: type[AnyRow], *values: object, **fields: object) -> AnyRow:
    """The row with these fields, and for each other one the attribute of that name: of the first value that has it, or else the default.

    Rows within the row are made of attributes likewise.  Raises pydantic.ValidationError if a field has neither.
    """
    for name in kind.model_fields:
        source = next((value for value in values if hasattr(value, name)), None)
        if name not in fields and source is not None:
            fields[name] = getattr(source, name)
    return kind.model_validate(fields, from_attributes=True)
