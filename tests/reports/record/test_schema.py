"""The schema in the repository is the one that the types give, and it tells a record from a damaged one."""

import json
from typing import Any

import jsonschema
import pytest

from reports.record.schema import SCHEMA_FILE, run_schema, schema_text
from tests import report_samples as samples


def written(**changes: object) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(samples.record(**changes).model_dump_json())
    return data


def test_the_file_is_what_the_types_give():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m reports.record.schema`"


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(run_schema())


RECORDS = [samples.record(), samples.empty_record(), samples.full_record(), samples.record(cells=[samples.cell(worst_ratio=samples.NAN)])]


@pytest.mark.parametrize("run", RECORDS)
def test_a_written_record_validates(run):
    jsonschema.validate(json.loads(run.model_dump_json()), run_schema())


def test_damage_is_seen():
    """Each of these would pass a schema that is too weak."""
    dropped, unknown, renamed, null, word = (written() for _ in range(5))
    del dropped["cells"][0]["counts"]
    unknown["cells"][0]["colour"] = "blue"
    renamed["claims"][0]["verdict"] = "FINE"
    null["cells"][0]["error"]["max"] = None
    word["cells"][0]["error"]["max"] = "big"
    for damaged in (dropped, unknown, renamed, null, word, [], {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(damaged, run_schema())
