"""`python -m orchestrator.serving serve MODEL_FOLDER --name NAME …` and `… health URL`.

Exit 0: ended by SIGTERM or SIGINT, or healthy. 2: arguments or model are at fault. 1: anything else. One line
`error: …` on stderr says what.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.serving.fault import BAD_INPUT, FAILED, ServingError, die, say

HEALTH_TIMEOUT_S = 5.0
GRACE_S = 5.0  # for requests in flight, once asked to end
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        return health(asked.url) if asked.command == "health" else serve(asked)
    except ServingError as error:
        say(error)
        return error.exit_code
    except Exception as error:
        say(error)
        return FAILED


def health(url: str) -> int:
    """0 when the server answers that it serves."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=HEALTH_TIMEOUT_S) as answer:  # noqa: S310 - our own server
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


def serve(asked: argparse.Namespace) -> int:
    """Load, listen, and serve until a signal asks for an end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # before any thread starts: all must leave them to sigwait
    from orchestrator.serving.api import Api
    from orchestrator.serving.generation import Generation

    _check_room(asked)
    generation = Generation(
        Path(asked.model),
        threads=asked.threads,
        concurrency=asked.concurrency,
        compute_type=asked.compute_type,
        queue=asked.queue,
    )
    generation.warm_up(asked.concurrency)
    try:
        api = Api((asked.host, asked.port), generation, asked.name)
    except OSError as error:
        raise ServingError(f"cannot listen on {asked.host}:{asked.port}: {error.strerror}") from error
    threading.Thread(target=_listen, args=(api.serve_forever,), name="listen", daemon=True).start()
    print(
        f"serving {asked.name} on {asked.host}:{asked.port}, CTranslate2 {generation.version} {asked.compute_type}, "
        f"{asked.threads} threads for {asked.concurrency} requests at a time",
        flush=True,
    )
    number = signal.sigwait(_SIGNALS)
    api.shutdown()
    deadline = time.monotonic() + GRACE_S
    while generation.running and time.monotonic() < deadline:
        time.sleep(0.05)
    unfinished = f", {generation.running} cut off" if generation.running else ""
    print(
        f"ended by {signal.Signals(number).name}: {generation.served} requests served, {generation.tokens} tokens"
        f"{unfinished}",
        flush=True,
    )
    return 0


def _listen(serve_forever: Callable[[], None]) -> None:
    try:
        serve_forever()
    except BaseException as error:
        die(error)


def _check_room(asked: argparse.Namespace) -> None:
    if asked.concurrency > asked.threads:
        raise ServingError(
            f"--concurrency {asked.concurrency} needs as many threads; there are {asked.threads}", exit_code=BAD_INPUT
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestrator.serving", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", allow_abbrev=False)
    server.add_argument("model", metavar="MODEL_FOLDER")
    server.add_argument("--name", required=True, help="the model's name in requests")
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", type=int, default=8000)
    server.add_argument("--threads", type=_count, default=1, help="of the runtime, all together")
    server.add_argument("--concurrency", type=_count, default=1, help="requests at a time")
    server.add_argument("--queue", type=_count, default=4096, help="requests that may wait")
    server.add_argument("--compute-type", default="int8", choices=("int8", "float32"))
    probe = commands.add_parser("health", allow_abbrev=False)
    probe.add_argument("url")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
