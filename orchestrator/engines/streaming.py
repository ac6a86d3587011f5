"""Carry a container's output to whoever listens, as it comes, from one thread. Keeps nothing but its beginning."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from orchestrator.domain.ports import Output

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
