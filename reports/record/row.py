"""What every row of the record is made of, and the kinds of numbers in it: each kind refuses what no measurement can give.

Real        any number, also one that is not finite
Magnitude   a norm, an error, a bound, a loss, a ratio: not negative; infinite or NaN where the record says so
Finite      a magnitude that is always finite: seconds
Share       from 0 to 1
Count       how many: a whole number from 0 to 2⁵³, up to which every reader of JSON holds each exactly (RFC 8259, section 6)
SeedNumber  any whole number of 64 bits
Name        text that names something, so it is not empty
Digest      SHA-256, in hexadecimal
Moment      UTC, ISO 8601
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How JSON has the numbers for which it has no sign."""

LARGEST_COUNT = 2**53


def _from_word(value: Any) -> Any:
    """The number that one of the three words stands for; anything else as it is."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError(f"{value!r} is negative, which a magnitude cannot be")
    return value


def moment(text: str) -> datetime:
    """The time that the text says. Raises ValueError if it says none, or not in UTC."""
    time = datetime.fromisoformat(text)
    if time.utcoffset() != timedelta(0):
        raise ValueError(f"{text!r} is not a time in UTC")
    return time


def _moment(text: str) -> str:
    moment(text)
    return text


Real = Annotated[float, BeforeValidator(_from_word), WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": [*NOT_FINITE]}]})]
"""A float; in JSON a number, or one of the strings "NaN", "Infinity", "-Infinity"."""

Magnitude = Annotated[
    float,
    BeforeValidator(_from_word),
    AfterValidator(_not_negative),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"enum": ["NaN", "Infinity"]}]}),
]
Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
SeedNumber = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Name = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class Row(BaseModel):
    """A part of the record: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", json_schema_serialization_defaults_required=True)


class NotMeasured(Row):
    """A scenario or a variant that is not measured on a block, whatever the format."""

    block: Name
    what: Name = Field(description="E.g. 'scenario near_zero'.")
    reason: Name
