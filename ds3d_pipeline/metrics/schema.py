"""The JSON schema of `metrics.json`, made from its record.

`python -m ds3d_pipeline.metrics.schema > ds3d_pipeline/metrics/schema.json` renews the file; a test compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ds3d_pipeline.metrics.record import Metrics


def schema_text() -> str:
    """The whole of `schema.json`."""
    schema = TypeAdapter(Metrics).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    whole = {"$schema": dialect} | schema | {"title": "ds3d metrics", "additionalProperties": False}
    return json.dumps(whole, indent=1) + "\n"


def check_metrics(content: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError where the content of a `metrics.json` does not keep the schema."""
    import jsonschema

    schema = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema)


if __name__ == "__main__":
    sys.stdout.write(schema_text())
