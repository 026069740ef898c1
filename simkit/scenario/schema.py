"""The JSON Schema of a scenario, made from the built-in kinds alone."""

from __future__ import annotations

from typing import Any

from simkit.scenario.spec import Scenario


def json_schema() -> dict[str, Any]:
    """Return the schema, for editors that complete and check YAML."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Scenario.model_json_schema(by_alias=True, mode="validation"),
        "title": "simkit scenario",
    }
