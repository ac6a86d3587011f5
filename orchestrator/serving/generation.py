"""The loaded model: greedy generation of one request, token by token. Knows CTranslate2 and nothing of HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.serving.fault import BAD_INPUT, BadRequest, ServingError
from orchestrator.serving.request import Completion
from orchestrator.serving.vocabulary import read_vocabulary

Emit = Callable[[int], bool]  # a token's id; false when nobody listens any more


class Generation:
    """Runs `concurrency` requests at a time with `threads` ÷ `concurrency` threads each; further ones wait in line.

    At most `queue` requests may wait: more are refused (503), so that an overloaded server says so.
    """

    def __init__(self, folder: Path, *, threads: int, concurrency: int, compute_type: str, queue: int) -> None:
        self.vocabulary = read_vocabulary(folder)
        self._room = threading.Semaphore(concurrency + queue)
        self._lock = threading.Lock()
        self.served = 0
        self.tokens = 0
        self.running = 0
        try:
            import ctranslate2

            self.version: str = ctranslate2.__version__
            self._generator: Any = ctranslate2.Generator(
                str(folder),
                device="cpu",
                compute_type=compute_type,
                inter_threads=concurrency,
                intra_threads=max(1, threads // concurrency),
                max_queued_batches=-1,
            )
        except ImportError as error:
            raise ServingError(f"CTranslate2 is not in this image: {error}") from error
        except (RuntimeError, ValueError) as error:
            raise ServingError(f"{folder}: CTranslate2 cannot load it: {error}", exit_code=BAD_INPUT) from error

    def warm_up(self, times: int) -> None:
        """Generate a little, so that the first request does not pay for memory and threads."""
        request = Completion(
            prompt=tuple(range(32)), max_tokens=4, min_tokens=4, stream=False, usage=False, token_ids=False
        )
        threads = [threading.Thread(target=self.generate, args=(request, lambda _: True)) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.served = self.tokens = 0

    def generate(self, request: Completion, emit: Emit) -> str:
        """Call `emit` with every new token as it is there; returns why it ended: `stop` or `length`.

        The end-of-turn token is emitted, too: it took its time like any other.
        """
        if not self._room.acquire(blocking=False):
            raise BadRequest("too many requests wait", status=503)
        try:
            self._count(running=1)
            return self._generate(request, emit)
        finally:
            self._count(running=-1)
            self._room.release()

    def _generate(self, request: Completion, emit: Emit) -> str:
        new: list[int] = []
        left = threading.Event()

        def step(result: Any) -> bool:
            new.append(result.token_id)
            if not emit(result.token_id):
                left.set()
            return left.is_set()

        self._generator.generate_batch(
            [[self.vocabulary.tokens[token] for token in request.prompt]],
            max_length=request.max_tokens,
            min_length=request.min_tokens,
            sampling_topk=1,
            include_prompt_in_result=False,
            return_end_token=True,
            callback=step,
        )
        self._count(served=1, tokens=len(new))
        return "length" if len(new) >= request.max_tokens else "stop"

    def _count(self, *, running: int = 0, served: int = 0, tokens: int = 0) -> None:
        with self._lock:
            self.running += running
            self.served += served
            self.tokens += tokens
