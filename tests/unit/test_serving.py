"""The streaming server and its client over real HTTP, with a model that says what the test tells it to."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from orchestrator.serving.__main__ import health
from orchestrator.serving.api import Api
from orchestrator.serving.fault import BadRequest
from orchestrator.serving.request import Completion, read_completion
from orchestrator.serving.vocabulary import Text, Vocabulary
from orchestrator.sut.endpoint import Answer, Connection, endpoint
from orchestrator.sut.faults import SutError

VOCABULARY = Vocabulary(["Hello", "Ġworld", "Ã", "©", "<|im_end|>"])
GOOD = {"prompt": [0, 1], "max_tokens": 4, "min_tokens": 2, "temperature": 0, "stream": True}


@dataclass
class Scripted:
    """Stands in for the runtime: emits these tokens; waits at the gate after the first one, if there is a gate."""

    tokens: tuple[int, ...] = (0, 1, 4)
    gate: threading.Event | None = None
    refuse: bool = False
    vocabulary: Vocabulary = VOCABULARY
    asked: list[Completion] = field(default_factory=list)

    def generate(self, request: Completion, emit: Callable[[int], bool]) -> str:
        if self.refuse:
            raise BadRequest("too many requests wait", status=503)
        self.asked.append(request)
        for place, token in enumerate(self.tokens):
            if place and self.gate is not None:
                assert self.gate.wait(20)
            if not emit(token):
                break
        return "stop"


@contextmanager
def serving(model: Scripted) -> Iterator[str]:
    """The server on a free port; its address."""
    api = Api(("127.0.0.1", 0), model, "tiny")  # type: ignore[arg-type]
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{api.server_address[1]}"
    finally:
        api.shutdown()
        api.server_close()
        thread.join()


def ask(url: str, first: Callable[[bytes], None] = lambda _: None) -> Answer:
    connection = Connection(endpoint({"url": url, "model": "tiny", "timeout_s": "20"}))
    try:
        return connection.ask([0, 1], first)
    finally:
        connection.close()


def post(url: str, body: object) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_client_reads_what_the_server_streams() -> None:
    model = Scripted()
    with serving(model) as url:
        firsts: list[bytes] = []
        answer = ask(url, firsts.append)
    assert (answer.text, answer.tokens) == (b"Hello world", 3)
    assert firsts == [b"Hello"]
    assert (model.asked[0].prompt, model.asked[0].min_tokens) == ((0, 1), 2)


def test_the_first_token_is_told_before_the_second_is_made() -> None:
    gate = threading.Event()
    with serving(Scripted(gate=gate)) as url:
        answer = ask(url, lambda _: gate.set())  # the server makes no second token until the first has arrived
    assert answer.tokens == 3


def test_a_connection_serves_one_request_after_another() -> None:
    with serving(Scripted()) as url:
        connection = Connection(endpoint({"url": url, "model": "tiny"}))
        assert {connection.ask([0], lambda _: None).text for _ in range(3)} == {b"Hello world"}
        connection.close()


def test_a_character_of_two_tokens_appears_when_it_is_whole() -> None:
    text = Text(VOCABULARY)
    assert [text.add(token) for token in (0, 2, 3, 4)] == ["Hello", "", "é", ""]
    assert text.rest() == ""
    assert text.add(2) + text.rest() == "�"


def test_an_overloaded_server_refuses_and_the_client_says_so() -> None:
    with serving(Scripted(refuse=True)) as url, pytest.raises(SutError, match="refused: 503 too many requests wait"):
        ask(url)


def test_a_server_that_is_gone_is_named() -> None:
    with serving(Scripted()) as url:
        pass
    with pytest.raises(SutError, match=f"the server at {url} does not answer any more"):
        ask(url)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def half() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65536)
                event = json.dumps({"choices": [{"text": "He", "finish_reason": None}]})
                data = f"data: {event}\n\n".encode()
                head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                taken.sendall(head + f"{len(data):x}\r\n".encode() + data + b"\r\n")

        thread = threading.Thread(target=half)
        thread.start()
        with pytest.raises(SutError, match="does not answer any more"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()


def test_health_tells_a_server_from_none() -> None:
    with serving(Scripted()) as url:
        assert health(url) == 0
    assert health(url) == 1


def test_a_whole_answer_counts_its_tokens() -> None:
    with serving(Scripted()) as url:
        status, body = post(url, {**GOOD, "stream": False, "return_token_ids": True})
    assert status == 200
    assert body["choices"] == [
        {"index": 0, "text": "Hello world", "logprobs": None, "finish_reason": "stop", "token_ids": [0, 1, 4]}
    ]
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt": "Hello"}, "has no tokenizer"),
        ({"prompt": [5]}, "not the id of a token"),
        ({"prompt": [True]}, "not the id of a token"),
        ({"prompt": []}, "has no tokenizer"),
        ({"temperature": 0.7}, "decodes greedily"),
        ({"n": 2}, "decodes greedily"),
        ({"max_tokens": 0}, "whole number from 1"),
        ({"min_tokens": 9}, "more than 'max_tokens'"),
        ({"best_of": 3}, "'best_of' is not supported"),
        ({"stream": "yes"}, "true or false"),
        ({"model": "other"}, "does not exist"),
    ],
)
def test_what_the_server_cannot_do_it_refuses(change: dict[str, object], said: str) -> None:
    with serving(Scripted()) as url:
        status, body = post(url, {**GOOD, **change})
    assert status == (404 if "model" in change else 400)
    error = body["error"]
    assert isinstance(error, dict)
    assert said in str(error["message"])


def test_ignoring_the_end_of_turn_asks_for_all_tokens() -> None:
    body = json.dumps({**GOOD, "ignore_eos": True}).encode()
    assert read_completion(body, model="tiny", vocabulary=5).min_tokens == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "tiny"}, "needs 'url'"),
        ({"url": "http://a:1"}, "needs 'model'"),
        ({"url": "a:1", "model": "tiny"}, "must be http://HOST:PORT"),
        ({"url": "http://a:b", "model": "tiny"}, "must be http://HOST:PORT"),
        ({"url": "http://a:1", "model": "tiny", "max_tokens": "1"}, "at least 2"),
        ({"url": "http://a:1", "model": "tiny", "min_tokens": "20"}, "more than 'max_tokens'"),
        ({"url": "http://a:1", "model": "tiny", "threads": "2"}, "no option 'threads'"),
    ],
)
def test_a_bad_endpoint_is_the_harness_file_s_fault(options: dict[str, str], said: str) -> None:
    with pytest.raises(SutError, match=said) as caught:
        endpoint(options)
    assert caught.value.exit_code == 2
