"""The committed JSON Schema is the one that the code makes."""

import json
from importlib import import_module
from pathlib import Path

from simkit.cli.catalogue import FAMILIES
from simkit.scenario.schema import json_schema

COMMITTED = Path(__file__).parents[2] / "scenario.schema.json"


def test_the_committed_schema_is_current():
    told = "scenario.schema.json is out of date; run `simkit schema > scenario.schema.json` and read the diff"
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == json_schema(), told


def kinds_in(schema):
    """Return every constant that a property `kind` is held to, anywhere in a schema."""
    if isinstance(schema, list):
        return set().union(*map(kinds_in, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["kind"]["const"]} if "const" in schema.get("kind", ()) else set()
    return own.union(*map(kinds_in, schema.values()))


def test_every_kind_is_in_the_schema():
    built_in = {kind for family in FAMILIES for kind in import_module(f"simkit.{family}").FAMILY.builtins}
    assert kinds_in(json_schema()) == built_in
