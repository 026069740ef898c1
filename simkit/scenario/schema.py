"""The JSON Schema of a scenario, made from the built-in kinds alone."""

from __future__ import annotations

from typing import Any

from simkit.scenario.spec import Scenario


def json_schema() -> dict[str, Any]:
    """Return the schema, for editors that complete and check YAML."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_required_kinds(schema),
        "title": "simkit scenario",
    }


def _with_required_kinds(schema: Any) -> Any:
    """Require `kind` wherever it tells members of a family apart: in Python it has a default, in YAML not."""
    if isinstance(schema, list):
        return [_with_required_kinds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _with_required_kinds(value) for key, value in schema.items()}
    if "const" in schema.get("properties", {}).get("kind", ()):
        schema["required"] = ["kind", *schema.get("required", ())]
    return schema
