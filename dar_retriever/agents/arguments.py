"""The arguments of a call of the tool, as models really send them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

MAX_HITS: Final = 20

_SHOWN: Final = 80
_OPERATORS: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin")
_VALUE: Final[dict[str, Any]] = {
    "anyOf": [{"type": kind} for kind in ("string", "number", "boolean")]
}
# Providers with a strict mode refuse objects with free keys, defaults and optional fields.
_CONDITION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "description": "Name of a metadata field."},
        "operator": {"type": "string", "enum": list(_OPERATORS)},
        "value": {"anyOf": [*_VALUE["anyOf"], {"type": "array", "items": _VALUE}]},
    },
    "required": ["field", "operator", "value"],
    "additionalProperties": False,
}


def _read(value: Any) -> Any:
    """A value, read if it is JSON text."""
    with suppress(ValueError, TypeError, RecursionError):
        return json.loads(value)
    return value


def _request(value: Any) -> Any:
    return "" if value is None else value


def _names(value: Any) -> Any:
    """A list of numbers and ids, from a list, one of them, or a text of several."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        read = _read(value)
        value = read if isinstance(read, list) else value.split(",")
    return value if isinstance(value, list | tuple) else [value]


def _filter(value: Any) -> Any:
    """A filter of Chroma, from one, its JSON text, or a list of conditions that all hold."""
    if isinstance(value, str):
        value = _read(value) if value.strip() else None
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        parts = [_condition(part) for part in value if part]
        value = parts[0] if len(parts) == 1 else {"$and": parts} if parts else None
    return value or None if isinstance(value, dict) else value


def _condition(part: dict[str, Any]) -> dict[str, Any]:
    if part.keys() != _CONDITION["properties"].keys():
        return part
    return {part["field"]: {part["operator"]: part["value"]}}


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


Request = Annotated[str, BeforeValidator(_request), Field(json_schema_extra=_without_default)]
Hits = Annotated[
    Annotated[int, Field(ge=1, le=MAX_HITS)] | None, Field(json_schema_extra=_without_default)
]
Named = Annotated[
    list[int | str], BeforeValidator(_names), Field(json_schema_extra=_without_default)
]
FilterArgument = Annotated[
    dict[str, Any] | None,
    BeforeValidator(_filter),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _CONDITION}, {"type": "null"}]}),
    Field(json_schema_extra=_without_default),
]

REQUEST: Final = (
    "Either the whole wish, the thing by its name and all that is wanted of it ('a blue mug with "
    "two handles'), or only what changes ('make it blue', 'with a lid'). May be empty where the "
    "conversation, more_like or less_like say it all."
)
K: Final = "Number of images wanted; null for the usual number."
FILTER: Final = (
    "Exact conditions on the images' metadata, all of which hold. Leave it null unless the user "
    "insists on them."
)
MORE_LIKE: Final = (
    "Earlier results that the user likes: their numbers in the last list, or ids. Else empty."
)
LESS_LIKE: Final = (
    "Earlier results that the user turns down: their numbers in the last list, or ids. They are "
    "not shown again. Else empty."
)


def _strict(schema: dict[str, Any]) -> None:
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False


class SearchCall(BaseModel):
    """The arguments of one call of the tool, and the schema that the model sees.

    The schema fits OpenAI's strict mode. Taken are also arguments that do not fit it but that
    models send: null for any of them, "2" for [2], a filter as JSON text or in Chroma's language,
    and no argument at all.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra=_strict)

    request: Request = Field(default="", description=REQUEST)
    k: Hits = Field(default=None, description=K)
    filter: FilterArgument = Field(default=None, description=FILTER)
    more_like: Named = Field(default=[], description=MORE_LIKE)
    less_like: Named = Field(default=[], description=LESS_LIKE)


def invalid_arguments(error: ValidationError) -> str:
    """An error message about invalid arguments, for the model that made the call."""
    problems: dict[str, str] = {}
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else "the arguments"
        given = repr(problem["input"])
        given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}..."
        problems.setdefault(name, f"{name}={given}: {problem['msg']}")
    return f"invalid arguments: {'; '.join(problems.values())}; correct them and call again"


def judgements_of(arguments: Any) -> SearchCall:
    """An earlier call, read from its arguments; an empty call if they were invalid."""
    try:
        return SearchCall.model_validate(arguments)
    except ValidationError:
        return SearchCall()
