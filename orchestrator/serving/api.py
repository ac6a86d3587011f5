"""HTTP: /health, /v1/models and /v1/completions, streamed as server-sent events. Knows no model."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orchestrator.serving.fault import BadRequest, die
from orchestrator.serving.generation import Generation
from orchestrator.serving.request import Completion, read_completion
from orchestrator.serving.vocabulary import Text

_MOST_BODY_BYTES = 1 << 20


class Api(ThreadingHTTPServer):
    """Listens at once; `generation` answers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], generation: Generation, model: str) -> None:
        super().__init__(address, _Handler)
        self.generation = generation
        self.model = model

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        """A client that went away is no fault of ours; anything else is."""
        import sys

        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            die(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Api

    def do_GET(self) -> None:
        if self.path == "/health":
            self._whole(200, {"status": "ok"})
        elif self.path == "/v1/models":
            entry = {"id": self.server.model, "object": "model", "owned_by": "local"}
            self._whole(200, {"object": "list", "data": [entry]})
        else:
            self._refuse(404, f"there is nothing at {self.path}")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        if self.path != "/v1/completions":
            self._refuse(404, f"there is nothing at {self.path}")
            return
        generation = self.server.generation
        try:
            request = read_completion(body, model=self.server.model, vocabulary=len(generation.vocabulary))
            if request.stream:
                _Stream(self, request).run()
            else:
                self._complete(request)
        except BadRequest as fault:
            self._refuse(fault.status, str(fault))

    def _complete(self, request: Completion) -> None:
        tokens: list[int] = []

        def emit(token: int) -> bool:
            tokens.append(token)
            return True

        reason = self.server.generation.generate(request, emit)
        text = Text(self.server.generation.vocabulary)
        spelled = "".join(map(text.add, tokens)) + text.rest()
        choice: dict[str, object] = {"index": 0, "text": spelled, "logprobs": None, "finish_reason": reason}
        if request.token_ids:
            choice["token_ids"] = tokens
        self._whole(200, envelope(self.server.model, choice, usage(request, len(tokens))))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST_BODY_BYTES:
            self.close_connection = True
            self._refuse(411, f"a Content-Length of at most {_MOST_BODY_BYTES} is needed")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: int, why: str) -> None:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self._whole(status, {"error": {"message": why, "type": kind, "code": status}})

    def _whole(self, status: int, value: object) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """No line for each request: a measurement has thousands."""


class _Stream:
    """One streamed answer: the status line waits for the first token, so that a refusal still has its own."""

    def __init__(self, handler: _Handler, request: Completion) -> None:
        self._handler = handler
        self._request = request
        self._text = Text(handler.server.generation.vocabulary)
        self._count = 0

    def run(self) -> None:
        reason = self._handler.server.generation.generate(self._request, self._token)
        choice = {"index": 0, "text": self._text.rest(), "logprobs": None, "finish_reason": reason}
        pieces = [self._event(envelope(self._handler.server.model, choice, None))]
        if self._request.usage:
            counts = envelope(self._handler.server.model, None, usage(self._request, self._count))
            pieces.append(self._event(counts))
        pieces.append(_chunk(b"data: [DONE]\n\n"))
        self._send(b"".join(pieces) + b"0\r\n\r\n")

    def _token(self, token: int) -> bool:
        self._count += 1
        choice: dict[str, object] = {
            "index": 0,
            "text": self._text.add(token),
            "logprobs": None,
            "finish_reason": None,
        }
        if self._request.token_ids:
            choice["token_ids"] = [token]
        head = b"" if self._count > 1 else self._head()
        return self._send(head + self._event(envelope(self._handler.server.model, choice, None)))

    def _head(self) -> bytes:
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    def _event(self, value: object) -> bytes:
        return _chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _send(self, raw: bytes) -> bool:
        """Whether somebody took it."""
        try:
            self._handler.wfile.write(raw)
        except OSError:
            self._handler.close_connection = True
            return False
        return True


def envelope(model: str, choice: object | None, counts: object | None) -> dict[str, object]:
    """The frame around every piece of an answer."""
    return {
        "id": "cmpl-0",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "choices": [] if choice is None else [choice],
        **({} if counts is None else {"usage": counts}),
    }


def usage(request: Completion, new: int) -> dict[str, int]:
    """How many tokens went in and came out."""
    old = len(request.prompt)
    return {"prompt_tokens": old, "completion_tokens": new, "total_tokens": old + new}


def _chunk(raw: bytes) -> bytes:
    return f"{len(raw):x}\r\n".encode() + raw + b"\r\n"
