"""Stands in for the published LoadGen clients in a rehearsal: their options, the real LoadGen, answers of no meaning.

With a server's address every query goes through its API as the published clients ask; else the answer is made here.
"""

import array
import http.client
import json
import os
import queue
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import arguments
import mlperf_loadgen as lg
import refusals

WAIT_S = 600
CONNECTIONS = 16
_CHUNK = 4096


class Answers:
    """Completes queries; the response is two 32-bit tokens."""

    def __init__(self, *, first_token: bool) -> None:
        self._first_token = first_token
        self._tokens = array.array("i", [1, 2])
        self._address, self._count = self._tokens.buffer_info()

    @property
    def _bytes(self) -> int:
        return self._count * self._tokens.itemsize

    def first(self, number: int) -> None:
        """The first token of a query was there."""
        if self._first_token:
            lg.FirstTokenComplete([lg.QuerySampleResponse(number, self._address, self._tokens.itemsize)])

    def complete(self, numbers: "list[int]") -> None:
        """Whole answers."""
        for start in range(0, len(numbers), _CHUNK):
            part = numbers[start : start + _CHUNK]
            lg.QuerySamplesComplete([lg.QuerySampleResponse(each, self._address, self._bytes, 2) for each in part])


class Streamed:
    """Server: one request for each query, over connections that stay open."""

    def __init__(self, url: str, model: str, answers: Answers) -> None:
        self._address = urllib.parse.urlsplit(url)
        self._model = model
        self._answers = answers
        self._waiting: "queue.SimpleQueue[int | None]" = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CONNECTIONS)]
        for thread in self._threads:
            thread.start()

    def issue(self, samples: "list[lg.QuerySample]") -> None:
        """Take a query from LoadGen."""
        for sample in samples:
            self._waiting.put(sample.id)

    def stop(self) -> None:
        """End the connections."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port)
        while (number := self._waiting.get()) is not None:
            try:
                self._ask(connection, number)
            except Exception as error:
                print(f"error: the server failed: {error}", flush=True)
                os._exit(1)

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> None:
        body = {"model": self._model, "prompt": "nothing", "max_tokens": 128, "min_tokens": 1, "temperature": 0.0}
        body |= {"stream": True, "top_p": 1.0, "top_k": 1.0, "seed": 42}
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.read()!r}")
            tokens = 0
            for line in answer:
                if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["text"]:
                    if tokens == 0:
                        self._answers.first(number)
                    tokens += 1
        if tokens < 2:
            raise RuntimeError(f"only {tokens} tokens came")
        self._answers.complete([number])


class Batched:
    """Offline: all at once, through the API when there is one."""

    def __init__(self, url: "str | None", model: str, answers: Answers) -> None:
        self._url, self._model, self._answers = url, model, answers
        self._waiting: "queue.SimpleQueue[list[int] | None]" = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def issue(self, samples: "list[lg.QuerySample]") -> None:
        """Answer from another thread, as the published clients do."""
        self._waiting.put([sample.id for sample in samples])

    def stop(self) -> None:
        """Wait until everything is answered."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (numbers := self._waiting.get()) is not None:
            self._answer(numbers)

    def _answer(self, numbers: "list[int]") -> None:
        if self._url:
            body = {"model": self._model, "prompt": [[1]] * len(numbers), "min_tokens": 1, "max_tokens": 1024}
            where = f"{self._url}/v1/completions"
            request = urllib.request.Request(where, json.dumps(body).encode())  # noqa: S310 - http
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - http
                if len(json.load(answer)["choices"]) != len(numbers):
                    print("error: the server answered another number of prompts", flush=True)
                    os._exit(1)
        self._answers.complete(numbers)


def wait_for(url: str) -> None:
    """The published clients wait for /health, too."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:  # noqa: S310 - http
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(1)
    raise SystemExit(f"error: the server at {url} did not become ready")


def main(name: str, words: "list[str]") -> None:
    """Run LoadGen as the published script of that name would."""
    found = arguments.read(name, words)
    arguments.say(name)
    if name == "main.py":
        reference(name, found)
    else:
        red_hat(name, found)


def red_hat(name: str, found: "dict[str, str]") -> None:
    """SUT_VLLM_SingleReplica.py and SUT_VLLM_SingleReplica_Server.py."""
    offline = name == "SUT_VLLM_SingleReplica.py"
    url = found.get("--api-server-url")
    if not offline and url is None:
        refusals.refuse(f"{name}: without --api-server-url it has no system under test")
    run(
        name,
        model=found.get("--model" if offline else "--model-name", ""),
        dataset=found.get("--dataset-path", ""),
        url=url,
        scenario=found.get("--scenario", "Offline" if offline else "Server"),
        accuracy=found.get("--test-mode") == "accuracy",
        loadgen_model=found.get("--lg-model-name", "llama3_1-8b"),
        user_conf=found.get("--user-conf", "user.conf"),
        audit_conf=found.get("--audit-conf", ""),
        output=found.get("--output-log-dir", "./"),
        samples=13368,
        rate=float(found["--target-qps"]) if "--target-qps" in found else None,
        coalesce="--coalesce" in found,
    )


def reference(name: str, found: "dict[str, str]") -> None:
    """main.py of the reference as a client of an API server."""
    if "--vllm" not in found or "--api-server" not in found:
        refusals.refuse(f"{name}: without --vllm and --api-server it loads the weights itself")
    if found.get("--scenario", "Offline") != "Offline":
        refusals.refuse(f"{name}: SUT_API.py:361-370 drops the server's address in Server")
    with urllib.request.urlopen(f"{found['--api-server']}/v1/models") as answer:  # noqa: S310 - http
        served = json.load(answer)["data"][0]["id"]
    if served != found.get("--api-model-name"):
        refusals.refuse(f"{name}: asked for {found.get('--api-model-name')}, but the server has {served}")
    run(
        name,
        model=found.get("--model-path", ""),
        dataset=found.get("--dataset-path", ""),
        url=found["--api-server"],
        scenario="Offline",
        accuracy="--accuracy" in found,
        loadgen_model="llama2-70b",
        user_conf=found.get("--user-conf", "user.conf"),
        audit_conf=found.get("--audit-conf", "audit.conf"),
        output=found.get("--output-log-dir", "output-logs"),
        samples=int(found.get("--total-sample-count", "24576")),
    )


def run(
    name: str,
    *,
    model: str,
    dataset: str,
    url: "str | None",
    scenario: str,
    accuracy: bool,
    loadgen_model: str,
    user_conf: str,
    audit_conf: str,
    output: str,
    samples: int,
    rate: "float | None" = None,
    coalesce: bool = False,
) -> None:
    """One LoadGen test with token latencies."""
    arguments.must_exist(name, "the model", model)
    arguments.must_exist(name, "the data set", dataset)
    arguments.must_exist(name, "user.conf", user_conf)
    if url:
        wait_for(url)
    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.Server if scenario == "Server" else lg.TestScenario.Offline
    settings.mode = lg.TestMode.AccuracyOnly if accuracy else lg.TestMode.PerformanceOnly
    settings.use_token_latencies = True
    if settings.FromConfig(user_conf, loadgen_model, scenario, 1) not in (0, None):
        raise SystemExit(f"error: LoadGen refuses {user_conf}")
    if rate is not None:
        settings.server_target_qps = rate
    if coalesce:
        settings.server_coalesce_queries = True
    Path(output).mkdir(parents=True, exist_ok=True)
    files = lg.LogOutputSettings()
    files.outdir = output
    files.copy_summary_to_stdout = True
    logs = lg.LogSettings()
    logs.log_output = files
    logs.enable_trace = False
    answers = Answers(first_token=scenario == "Server")
    sut = Streamed(url, model, answers) if scenario == "Server" and url else Batched(url, model, answers)
    library = lg.ConstructQSL(samples, samples, lambda _: None, lambda _: None)
    tested = lg.ConstructSUT(sut.issue, lambda: None)
    lg.StartTestWithLogSettings(tested, library, settings, logs, audit_conf)
    sut.stop()
    lg.DestroyQSL(library)
    lg.DestroySUT(tested)
