"""Ask a completion server over HTTP and read its answer token by token. Standard library alone; knows no LoadGen.

Speaks what `orchestrator.serving` and larger servers (vLLM among them) offer at /v1/completions with `stream`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.sut.faults import BAD_INPUT, SutError

PATH = "/v1/completions"
_DEFAULTS = {"max_tokens": "16", "min_tokens": "2", "timeout_s": "600"}
_NAMED = ("url", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server, and how much it is asked for: greedy decoding of `min_tokens` to `max_tokens` new tokens."""

    host: str
    port: int
    model: str
    max_tokens: int
    min_tokens: int
    timeout_s: int

    @property
    def url(self) -> str:
        """As a person writes it."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: its text, the tokens that the server counted, the end of turn included."""

    text: bytes
    tokens: int


def endpoint(options: Mapping[str, str]) -> Endpoint:
    """The `options` of harness.json as an endpoint; SutError (exit 2) names the first fault."""
    for name in sorted(options):
        if name not in _DEFAULTS and name not in _NAMED:
            known = ", ".join(sorted((*_DEFAULTS, *_NAMED)))
            raise SutError(f"options: endpoint has no option '{name}'; it knows {known}", exit_code=BAD_INPUT)
    for name in _NAMED:
        if not options.get(name):
            raise SutError(f"options: endpoint needs '{name}'", exit_code=BAD_INPUT)
    try:
        parts = urlsplit(options["url"])
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise SutError(f"options: 'url' must be http://HOST:PORT, not '{options['url']}'", exit_code=BAD_INPUT)
    found = Endpoint(
        host=parts.hostname,
        port=port,
        model=options["model"],
        max_tokens=_whole(options, "max_tokens", least=2),
        min_tokens=_whole(options, "min_tokens", least=2),  # LoadGen refuses answers of fewer than two tokens
        timeout_s=_whole(options, "timeout_s", least=1),
    )
    if found.min_tokens > found.max_tokens:
        raise SutError("options: 'min_tokens' is more than 'max_tokens'", exit_code=BAD_INPUT)
    return found


def _whole(options: Mapping[str, str], name: str, *, least: int) -> int:
    text = options.get(name, _DEFAULTS[name])
    if not text.isdigit() or int(text) < least:
        raise SutError(f"options: '{name}' must be a whole number of at least {least}", exit_code=BAD_INPUT)
    return int(text)


class Connection:
    """One thread's connection, kept open from request to request."""

    def __init__(self, server: Endpoint) -> None:
        self._server = server
        self._http = http.client.HTTPConnection(server.host, server.port, timeout=server.timeout_s)

    def ask(self, prompt: Sequence[int], first: Callable[[bytes], None]) -> Answer:
        """Send a prompt (token ids); `first` is called with the text of the first piece, the moment it is there.

        SutError for whatever goes wrong: nothing is asked twice, for LoadGen's clock runs on.
        """
        server = self._server
        asked = {
            "model": server.model,
            "prompt": list(prompt),
            "max_tokens": server.max_tokens,
            "min_tokens": server.min_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        try:
            self._http.request("POST", PATH, json.dumps(asked), {"Content-Type": "application/json"})
            answer = self._http.getresponse()
            if answer.status != 200:
                raise SutError(f"the server at {server.url} refused: {answer.status} {_message(answer.read())}")
            return _collected(_events(answer), first)
        except (OSError, http.client.HTTPException) as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            raise SutError(f"the server at {server.url} does not answer any more: {cause}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SutError(f"the server at {server.url} sent what is no stream of completions: {error!r}") from error

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[Mapping[str, object]]:
    """The events of a stream up to its `[DONE]`; http.client.IncompleteRead when it breaks off before."""
    while line := answer.readline():
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            answer.read()  # the rest of the body, so that the connection can be used again
            return
        yield json.loads(data)
    raise http.client.IncompleteRead(b"")


def _collected(events: Iterator[Mapping[str, object]], first: Callable[[bytes], None]) -> Answer:
    pieces: list[str] = []
    counted: int | None = None
    finished = False
    for event in events:
        if "error" in event:
            raise SutError(f"the server failed: {event['error']}")
        usage = event.get("usage")
        if isinstance(usage, Mapping):
            counted = int(usage["completion_tokens"])
        for choice in event["choices"]:  # type: ignore[attr-defined]
            if not pieces:
                first(choice["text"].encode())
            pieces.append(choice["text"])
            finished = finished or choice.get("finish_reason") is not None
    if counted is None or not finished:
        raise ValueError("it has no usage or no finish_reason")
    return Answer(text="".join(pieces).encode(), tokens=counted)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200]
