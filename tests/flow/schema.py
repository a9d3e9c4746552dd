# SPDX-License-Identifier: MIT
"""What commands say with --json, against contrib/schema/postern-NAME.json."""

import json
from pathlib import Path

import gateway as gateways
import jsonschema

FOLDER = Path(gateways.SOURCE) / "contrib" / "schema"


def check(name, text):
    """The value, when it is as the schema says. Schemas are closed: a field that they do not name is an error."""
    value = json.loads(text)
    schema = json.loads((FOLDER / f"postern-{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)
    return value
