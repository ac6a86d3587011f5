"""Carry output and actions across threads: a container's output as it comes, and actions no interruption cuts short."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from orchestrator.domain.ports import Output

T = TypeVar("T")
_HEAD_BYTES = 512


class Pump:
    """Hands pieces to `output` from one thread of its own; what that raises is kept, and `failed` is called once."""

    def __init__(self, pieces: Iterable[bytes], output: Output, *, failed: Callable[[], None]) -> None:
        self._pieces = pieces
        self._output = output
        self._failed = failed
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._carry, name="container output", daemon=True)
        self.head = b""

    def start(self) -> None:
        """Begin; pieces that come before are not lost, the engine holds them."""
        self._thread.start()

    def finish(self, timeout_s: float) -> bool:
        """Wait for the last piece; false when it has not come by then. Raises, once, what `output` raised."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return not self._thread.is_alive()

    def _carry(self) -> None:
        try:
            for piece in self._pieces:
                if len(self.head) < _HEAD_BYTES:
                    self.head += piece[:_HEAD_BYTES]
                if not self._deliver(piece):
                    return
        except (OSError, ValueError):  # the channel was closed under us: the end of output
            return

    def _deliver(self, piece: bytes) -> bool:
        try:
            self._output(piece)
        except Exception as error:
            self._error = error
            self._failed()
            return False
        return True


def to_the_end(action: Callable[[], T]) -> T:
    """Run an action that an interruption (Ctrl-C, a signal turned exception) may delay but not cut short.

    The first interruption goes on once the action has ended; else its result or its own error does.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def body() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    interruption: BaseException | None = None
    threading.Thread(target=body, name="uninterrupted").start()
    while not ended.is_set():
        try:
            ended.wait()
        except BaseException as error:
            interruption = interruption or error
    if interruption is not None:
        raise interruption
    if errors:
        raise errors[0]
    return results[0]
