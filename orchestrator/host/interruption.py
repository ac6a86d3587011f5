"""Let a few actions run to their end although the user or the system asks to stop. Swallows no request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
_ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def to_the_end(action: Callable[[], T]) -> T:
    """Run an action that Ctrl-C, or a signal turned exception, may delay but not cut short; it goes on afterwards."""
    if threading.current_thread() is not threading.main_thread():
        return action()  # only the main thread is ever interrupted
    with _deferred():
        return action()


@contextmanager
def _deferred() -> Iterator[None]:
    came: list[tuple[int, FrameType | None]] = []
    with ExitStack() as stack:
        stack.callback(_deliver, came)
        for number in _ASKED_TO_STOP:
            if callable(before := signal.getsignal(number)):
                signal.signal(number, lambda number, frame: came.append((number, frame)))
                stack.callback(signal.signal, number, before)
        yield


def _deliver(came: list[tuple[int, FrameType | None]]) -> None:
    if came:
        number, frame = came[0]
        handler = signal.getsignal(number)
        if callable(handler):
            handler(number, frame)
