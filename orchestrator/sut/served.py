"""Measure a language model behind a server: LoadGen here, the model there, first and further tokens timed for real."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import mlperf_loadgen

from orchestrator.sut.backends import Feeds, Runner
from orchestrator.sut.config import Harness, Scenario
from orchestrator.sut.datasets import Dataset, Response, bound, prepared
from orchestrator.sut.endpoint import Answer, Connection, Endpoint, endpoint
from orchestrator.sut.faults import SutError, bad_input, guarded
from orchestrator.sut.measure import Measured, run_test, test_settings
from orchestrator.sut.model import ReadyModel
from orchestrator.sut.signature import Signature, TensorSpec

_WARM_UPS = 2


@dataclass(slots=True)
class ServedBackend:
    """What report.json says of a model that another container holds."""

    name: str
    version: str
    signature: Signature

    def runner(self, example: Feeds, batch: int) -> Runner:  # noqa: ARG002 - the protocol's
        """There is none: the server runs the model."""
        raise SutError("the model runs in the server")


SIGNATURE = Signature(
    (
        TensorSpec("input_ids", "int32", ("batch", "tokens")),
        TensorSpec("attention_mask", "int32", ("batch", "tokens")),
    ),
    (TensorSpec("text", "utf-8", ("batch", "bytes")),),
)


def measure_served(harness: Harness) -> tuple[ReadyModel, Measured]:
    """Run LoadGen's test against the server that `options` name; its logs lie in the output folder afterwards."""
    server = endpoint(harness.options)
    dataset = bound(prepared(harness.dataset), SIGNATURE) if harness.dataset else None
    if dataset is None or dataset.response is not Response.TEXT:
        raise bad_input(harness.dataset, "the backend endpoint needs a data set whose response is 'text'")
    prompts = prompts_of(dataset)
    settings = test_settings(harness)
    warm = Connection(server)
    for _ in range(_WARM_UPS):
        warm.ask(prompts[0], lambda _: None)
    warm.close()
    tokens = bool(getattr(settings, "use_token_latencies", False)) and harness.scenario is not Scenario.OFFLINE
    queries = Queries(harness, server, prompts, first_tokens=tokens)
    measured = run_test(harness, settings, queries, total=dataset.samples, load=_nothing, unload=_nothing)
    backend = ServedBackend("endpoint", f"{server.model} at {server.url}", SIGNATURE)
    measured = replace(measured, tokens=queries.tokens)
    return ReadyModel(backend=backend, dataset=dataset, runners=(), batch=1), measured


def prompts_of(dataset: Dataset) -> list[list[int]]:
    """Token ids of each sample, without what fills the rows up."""
    ids, mask = dataset.inputs["input_ids"], dataset.inputs["attention_mask"]
    prompts = [[int(token) for token in row[keep.astype(bool)]] for row, keep in zip(ids, mask, strict=True)]
    empty = next((place for place, prompt in enumerate(prompts) if not prompt), None)
    if empty is not None:
        raise bad_input(dataset.where, f"sample {empty} has no token")
    return prompts


class Queries:
    """LoadGen's queries on their way to the server and back: one thread and one connection for each in flight."""

    def __init__(self, harness: Harness, server: Endpoint, prompts: Sequence[Sequence[int]], *, first_tokens: bool):
        self._server = server
        self._prompts = prompts
        self._first_tokens = first_tokens
        self._depth = harness.queue_depth if harness.scenario is Scenario.SERVER else None
        self._waiting: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=guarded(self._work), name=f"connection-{place}", daemon=True)
            for place in range(harness.lanes)
        ]
        for thread in self._threads:
            thread.start()
        self.issued = 0
        self.completed = 0
        self.tokens = 0

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback; returns at once. A full queue ends the run: dropping queries would be a lie."""
        self.issued += len(ids)
        if self._depth is not None and self._waiting.qsize() + len(ids) > self._depth:
            raise SutError(
                f"queue overflow: more than {self._depth} samples wait ({self.issued} issued, {self.completed} "
                "completed); the target rate is beyond this system, lower target_qps or raise queue_depth"
            )
        for sample in zip(ids, indices, strict=True):
            self._waiting.put(sample)

    def stop(self) -> None:
        """End the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection = Connection(self._server)
        while (sample := self._waiting.get()) is not None:
            number, index = sample
            answer = connection.ask(self._prompts[index], self._first(number))
            if answer.tokens < 2:
                raise SutError(f"the server answered sample {index} with {answer.tokens} tokens; LoadGen needs two")
            self._complete(number, answer)
        connection.close()

    def _first(self, number: int) -> Any:
        def tell(text: bytes) -> None:
            buffer = ctypes.create_string_buffer(text, max(1, len(text)))
            mlperf_loadgen.FirstTokenComplete([_response(number, buffer, len(text))])

        return tell if self._first_tokens else lambda _: None

    def _complete(self, number: int, answer: Answer) -> None:
        buffer = ctypes.create_string_buffer(answer.text, max(1, len(answer.text)))
        with self._lock:
            self.completed += 1
            self.tokens += answer.tokens
        mlperf_loadgen.QuerySamplesComplete([_response(number, buffer, len(answer.text), answer.tokens)])


def _response(number: int, buffer: Any, size_bytes: int, *tokens: int) -> Any:
    return mlperf_loadgen.QuerySampleResponse(number, ctypes.addressof(buffer), size_bytes, *tokens)


def _nothing(indices: Sequence[int]) -> None:
    """Prompts are in memory from the start."""
