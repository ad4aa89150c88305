"""What every row of the record is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

Real = Annotated[float, WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]})]
"""A float; in JSON a number, or one of the strings "NaN", "Infinity", "-Infinity"."""


class Row(BaseModel):
    """A part of the record: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", json_schema_serialization_defaults_required=True)


class NotMeasured(Row):
    """A scenario or a variant that is not measured on a block, whatever the format."""

    block: str
    what: str = Field(description="E.g. 'scenario near_zero'.")
    reason: str
