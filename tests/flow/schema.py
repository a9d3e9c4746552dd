# SPDX-License-Identifier: MIT
"""What commands say with --json, against contrib/schema/postern-NAME.json."""

import json
from pathlib import Path

import gateway as gateways
import jsonschema

FOLDER = Path(gateways.SOURCE) / "contrib" / "schema"


def check(name, text):
    """The value, when it is as the schema says. Schemas are closed: a field that they do not name is an error."""
    (value,) = check_each(name, text)
    return value


def check_each(name, text):
    """The same for values that come one behind the other."""
    values, text = [], text.strip()
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    schema = json.loads((FOLDER / f"postern-{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for value in values:
        jsonschema.Draft202012Validator(schema).validate(value)
    return values
