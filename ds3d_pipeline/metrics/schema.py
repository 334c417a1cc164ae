"""The JSON schema of `metrics.json`, made from its record.

`python -m ds3d_pipeline.metrics.schema > ds3d_pipeline/metrics/schema.json` renews the file; a test compares.
"""

from __future__ import annotations

import json
import sys

from pydantic import TypeAdapter

from ds3d_pipeline.metrics.record import Metrics


def schema_text() -> str:
    """The whole of `schema.json`."""
    schema = TypeAdapter(Metrics).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    whole = {"$schema": dialect} | schema | {"title": "ds3d metrics", "additionalProperties": False}
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
