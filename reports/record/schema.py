"""The JSON Schema of the run record, generated from the types in ``reports.record.run_record``.

``python -m reports.record.schema`` writes ``reports/record/run.schema.json`` again; a test fails while the file and the types differ.
"""

import json
from pathlib import Path
from typing import Any

from reports.record.run_record import RunRecord

SCHEMA_FILE = Path(__file__).with_name("run.schema.json")


def run_schema() -> dict[str, Any]:
    """The schema of ``run.json`` as it is written: every field is there, and nothing else is."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunRecord.model_json_schema(mode="serialization")}


def schema_text() -> str:
    """The schema as the repository keeps it."""
    return json.dumps(run_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(SCHEMA_FILE)
