"""JSON schemas: values held against them, with what is wrong said in a sentence that a model understands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dragoman.errors import RequestRejectedError

REASON_CHARS: Final = 300
"""The longest reason: it goes to a person, or back to a model, and a value of an answer may be as long as the answer."""

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}
_DATA = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are data: a ``$ref`` in them refers to nothing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a value: at ``path`` (``$.items[0].name``), and in a sentence without a full stop."""

    path: str
    reason: str


class Schema:
    """A JSON schema to hold values against; nothing that it refers to outside itself is ever fetched.

    Raises RequestRejectedError for what is no JSON schema. Making the first one imports the validator, a tenth of a second.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from referencing.jsonschema import EMPTY_REGISTRY

        self._schema = dict(schema)
        for reference in _references(self._schema):
            if not reference.startswith("#") and not self._holds(reference):
                raise _bad(f"it refers to {reference!r}, and no other document is ever fetched")
        kind = validator_for(self._schema, default=Draft202012Validator)
        try:
            kind.check_schema(self._schema)
        except SchemaError as error:
            raise _bad(f"at {error.json_path}, {_shorten(error.message)}") from error
        self._validator = kind(self._schema, registry=EMPTY_REGISTRY)

    @property
    def brackets(self) -> Literal["{[", "{", "["]:
        """Those that may begin a value: one where the schema names an object or an array, else both."""
        match self._schema.get("type"):
            case "object":
                return "{"
            case "array":
                return "["
            case _:
                return "{["

    def check(self, value: Any) -> Problem | None:
        """Return what is most wrong with ``value``, None when it is valid; raises RequestRejectedError for a broken schema."""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            error = best_match(self._validator.iter_errors(value))
        except Unresolvable as failure:
            raise _bad(f"its reference {failure.ref!r} leads nowhere") from failure
        except re.error as failure:
            raise _bad(f"a pattern is no regular expression: {failure}") from failure
        except RecursionError as failure:
            raise _bad("it, or the value, is nested too deeply") from failure
        return None if error is None else Problem(error.json_path, _shorten(_say(error)))

    def _holds(self, reference: str) -> bool:
        name = reference.partition("#")[0]
        return any(name == identity for identity in _strings(self._schema, "$id"))


def _say(error: Any) -> str:
    """Say what is wrong without repeating the value, which may be the whole answer."""
    wanted = error.validator_value
    match error.validator:
        case "type":
            kinds = wanted if isinstance(wanted, str) else " or ".join(map(str, wanted))
            return f"{_KINDS.get(type(error.instance), 'this')} stands where the type should be {kinds}"
        case "enum":
            return f"the value is not one of {_compact(wanted)}"
        case "const":
            return f"the value is not {_compact(wanted)}"
        case "required" | "additionalProperties" | "dependentRequired" | "unevaluatedProperties":
            message: str = error.message
            return message[:1].lower() + message[1:]
        case None:
            return "nothing is allowed here"
        case keyword:
            return f"the value does not keep to {keyword!r}: {_compact(wanted)}"


def _references(schema: Any) -> Iterator[str]:
    yield from _strings(schema, "$ref")
    yield from _strings(schema, "$dynamicRef")


def _strings(schema: Any, keyword: str) -> Iterator[str]:
    """Yield what ``keyword`` says anywhere in a schema."""
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as part:
                if isinstance(found := part.get(keyword), str):
                    yield found
                waiting += [value for name, value in part.items() if name not in _DATA]
            case list() as parts:
                waiting += parts


def _bad(reason: str) -> RequestRejectedError:
    return RequestRejectedError(f"The JSON schema of the request cannot be used: {reason}.")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shorten(text: str) -> str:
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1] + "…"
