"""The HTTP application of a control plane: from a request to an operation, and from its outcome to JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from emulator.control.bodies import MAX_BODY_BYTES
from emulator.control.gate import Gate
from emulator.control.operation import Plane
from emulator.control.operations import BY_PATH
from emulator.control.refusal import RequestError, shortened
from emulator.control.request_reading import read_request
from emulator.serving import ServingStopped

MAX_READ_BYTES = (
    16 * MAX_BODY_BYTES
)  # of a body that is too large, for its client's sake; then the connection is closed

_log = logging.getLogger(__name__)


class _Door:
    """Reads a request to its end and lets it in, or answers it here: who has no token learns nothing about the routes.

    The body is read before anything is refused: a server that answers and hangs up while its client still sends may
    break the connection before its answer has been read.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._gate.check(Headers(scope=scope))
            refusal, most_bytes = None, _most_bytes(scope)
        except RequestError as refused:
            refusal, most_bytes = refused, MAX_BODY_BYTES
        try:
            body = await _body(receive, most_bytes)
            if refusal is not None:
                raise refusal
        except RequestError as refused:
            await _refusal(refused)(scope, receive, send)
            return

        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, receive_again, send)


def _most_bytes(scope: Scope) -> int:
    operation = BY_PATH.get(scope["path"], {}).get(scope["method"])
    return MAX_BODY_BYTES if operation is None else operation.body.MOST_BYTES


async def _body(receive: Receive, most_bytes: int) -> bytes:
    """The body, kept no further than it may be long."""
    body = bytearray()
    length, more = 0, True
    while more and length <= max(MAX_READ_BYTES, most_bytes):
        message = await receive()
        if message["type"] != "http.request":
            raise RequestError(400, "the client went away in the middle of its request")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        length += len(chunk)
        if length <= most_bytes:
            body += chunk
    if length > most_bytes:
        allowed = f"{most_bytes} bytes"
        raise RequestError(413, f"the body is too large; allowed are {allowed}", allowed=allowed)
    return bytes(body)


def control_app(plane: Plane, gate: Gate) -> Starlette:
    """The application that answers the requests which the gate lets in."""

    async def answer(request: Request) -> Response:
        operations = BY_PATH[request.scope["route"].path]
        # HEAD is answered as GET is, and the server leaves the body out.
        operation = operations["GET" if request.method == "HEAD" else request.method]
        query = request.query_params.multi_items()
        asked = read_request(await request.body(), operation.body, request.path_params, query)
        answered = await operation.act(plane, asked)
        if isinstance(answered, AsyncIterator):
            if request.method == "HEAD":
                # Nobody waits for the end of what is not sent.
                return Response(media_type=operation.media_type)
            return StreamingResponse(answered, media_type=operation.media_type)
        if isinstance(answered, bytes):
            return Response(answered, media_type=operation.media_type)
        afterwards = None if operation.afterwards is None else BackgroundTask(_call, operation.afterwards, plane)
        return _json_answer(200, answered, background=afterwards)

    def refuse_in_json(request: Request, error: Exception) -> Response:
        """What the framework refuses by itself: unknown paths and methods."""
        status = error.status_code if isinstance(error, HTTPException) else 400
        path = shortened(request.scope["path"])
        if status == 405:
            allowed = ", ".join(BY_PATH[request.scope["route"].path])
            sentence = f"{shortened(request.method)} is not allowed at {path}; allowed are: {allowed}"
            return _refusal(RequestError(405, sentence, allowed=allowed), {"Allow": allowed})
        allowed = ", ".join(BY_PATH)
        return _refusal(RequestError(status, f"there is nothing at {path}; allowed are: {allowed}", allowed=allowed))

    async def on_refusal(_request: Request, error: Exception) -> Response:
        return _refusal(error if isinstance(error, RequestError) else RequestError(400, str(error)))

    async def on_framework_refusal(request: Request, error: Exception) -> Response:
        return refuse_in_json(request, error)

    handlers: dict[object, ExceptionHandler] = {
        RequestError: on_refusal,
        HTTPException: on_framework_refusal,
        ServingStopped: _on_stopped,
        Exception: _on_defect,
    }
    app = Starlette(
        routes=[Route(path, answer, methods=list(operations)) for path, operations in BY_PATH.items()],
        middleware=[Middleware(_Door, gate=gate)],
        exception_handlers=handlers,
    )
    # A redirect would make a POST a GET in many clients; a wrong path is better refused.
    app.router.redirect_slashes = False
    return app


async def _call(afterwards: Callable[[Plane], object], plane: Plane) -> None:
    afterwards(plane)


async def _on_stopped(_request: Request, _error: Exception) -> Response:
    return _refusal(RequestError(409, "the pump is shutting down"))


async def _on_defect(_request: Request, error: Exception) -> Response:
    # For whoever runs the pump; the client learns only that it is not to blame.
    _log.error("a request to the control plane failed by a defect of vpump", exc_info=error)
    return _refusal(RequestError(500, "vpump has made a mistake; the diagnostics of serve say more"))


def _refusal(refused: RequestError, headers: Mapping[str, str] | None = None) -> Response:
    more = {401: {"WWW-Authenticate": "Bearer"}, 413: {"Connection": "close"}}.get(refused.status, {})
    return _json_answer(refused.status, refused.as_json(), headers={**more, **(headers or {})})


def _json_answer(
    status: int,
    document: Mapping[str, object],
    *,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    content = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    return Response(content, status, headers, "application/json", background)
