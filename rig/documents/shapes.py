"""The shapes of which the JSON Schemas of `/admin` are made."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}


def object_(**properties: Schema) -> Schema:
    """An object with these members, all of them required."""
    return {"type": "object", "properties": properties, "required": [*properties]}


def list_(items: Schema, most: int) -> Schema:
    """A list of at most *most* items."""
    return {"type": "array", "items": items, "maxItems": most}


def or_null(schema: Schema) -> Schema:
    """A value of *schema*, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """A reference to the schema *name*."""
    return {"$ref": f"#/components/schemas/{name}"}
