"""The control plane described for other tools: OpenAPI 3.1, made of the one table of operations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from emulator import VERSION
from emulator.control.answers import Description, Refusal
from emulator.control.bodies import Body
from emulator.control.operation import Content, Operation

Node = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/{name}"
_OK: Final = "200"
_NOT_FOUND: Final = 404
# What a request can come to beside its answer; docs/control.md says more.
REFUSALS: Final[Mapping[int, str]] = {
    400: "the request is wrong: no JSON, an unknown or missing field, a wrong value",
    401: "on TCP: no token, or not this pump's",
    403: "an Origin header, or on TCP a Host that is no loopback name",
    404: "nothing of that name",
    409: "the pump refuses, or is shutting down",
    413: "a body that is too large",
    500: "a defect of vpump, which serve describes on stderr",
}
_DESCRIPTION: Final = (
    "The tester's hand on a running pump: time, faults, power and truth, apart from the telemetry line. `vpump serve "
    "--control` opens it, on a Unix socket that only its owner may use, or on a loopback port with a token. Times are "
    "virtual microseconds. One connection too many, and what is no HTTP, are answered in plain text."
)


def openapi(operations: Sequence[Operation]) -> Description:
    """The description as JSON values."""
    documents = [_document_type(each) for each in operations]
    types = [Refusal, *documents, *(each.body for each in operations)]
    found, components = msgspec.json.schema_components(types, ref_template=_SCHEMAS)
    refusal, *schemas = found
    answers, requests = schemas[: len(operations)], schemas[len(operations) :]
    paths: dict[str, Node] = {}
    for operation, answer, request in zip(operations, answers, requests, strict=True):
        fields = components[request["$ref"].rpartition("/")[2]]
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, answer, fields)
    # Only what is referred to stays: a request's fields stand where they belong, in its path or its body.
    kept = {
        name: schema for name, schema in components.items() if name not in {each.body.__name__ for each in operations}
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "vpump control plane", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": _in_ecma_patterns(paths),
        "components": {
            "schemas": _in_ecma_patterns(kept),
            "responses": {str(status): _response(words, refusal) for status, words in REFUSALS.items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "on TCP; serve prints it"},
            },
        },
    }


def openapi_text(operations: Sequence[Operation]) -> str:
    """The description as a file."""
    return json.dumps(openapi(operations), indent=2, ensure_ascii=False) + "\n"


def _operation(operation: Operation, answer: Node, fields: Node) -> Node:
    body = operation.body
    described: Node = {
        "operationId": operation.name,
        "summary": operation.does,
        "responses": {_OK: _answer(operation, answer)}
        | {
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in REFUSALS
            if status != _NOT_FOUND or body.PATH
        },
    }
    parameters = [
        {
            "name": name,
            "in": "path" if name in body.PATH else "query",
            "required": name in body.PATH,
            "description": body.ALLOWED[name],
            "schema": fields["properties"][name],
        }
        for name in (*body.PATH, *body.QUERY)
    ]
    if parameters:
        described["parameters"] = parameters
    if (content := _content(body, fields)) is not None:
        if operation.example and body.MEDIA_TYPE == Body.MEDIA_TYPE:
            content = content | {"example": dict(operation.example)}
        required = any(name not in (*body.PATH, *body.QUERY) for name in fields["required"])
        described["requestBody"] = {"required": required, "content": {body.MEDIA_TYPE: content}}
    return described


def _document_type(operation: Operation) -> Any:
    return bytes if isinstance(operation.answer, Content) else operation.answer


def _answer(operation: Operation, schema: Node) -> Node:
    told = operation.answer
    if isinstance(told, Content):
        return {"description": told.meaning, "content": {told.media_type: {}}}
    return _response(_first_line(told), schema)


def _content(body: type[Body], fields: Node) -> Node | None:
    """What stands in the body; None for nothing."""
    if body.MEDIA_TYPE != Body.MEDIA_TYPE:
        return {"schema": {"description": body.ALLOWED[body.WHOLE]}}
    if body.WHOLE:
        return {"schema": fields["properties"][body.WHOLE] | {"description": body.ALLOWED[body.WHOLE]}}
    elsewhere = (*body.PATH, *body.QUERY)
    properties = {
        name: schema | {"description": body.ALLOWED[name]}
        for name, schema in fields["properties"].items()
        if name not in elsewhere
    }
    if not properties:
        return None
    required = [name for name in fields["required"] if name not in elsewhere]
    return {"schema": fields | {"properties": properties, "required": required}}


def _response(words: str, schema: Node) -> Node:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _first_line(described: object) -> str:
    return (described.__doc__ or "").strip().splitlines()[0]


def _in_ecma_patterns(node: Any) -> Any:
    """JSON Schema's patterns are ECMAScript's, whose `$` is Python's end of the text."""
    if isinstance(node, Mapping):
        return {
            name: value.replace(r"\Z", "$")
            if name == "pattern" and isinstance(value, str)
            else _in_ecma_patterns(value)
            for name, value in node.items()
        }
    return [_in_ecma_patterns(item) for item in node] if isinstance(node, list | tuple) else node
