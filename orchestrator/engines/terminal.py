"""Bridge the caller's terminal and a container's; the terminal is given back whatever happens."""

from __future__ import annotations

import os
import select
import signal
import socket
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_INPUT, _OUTPUT = 0, 1
_PIECE_BYTES = 65536
Resize = Callable[[int, int], None]


def is_there() -> bool:
    """Whether standard input and output are a terminal."""
    return os.isatty(_INPUT) and os.isatty(_OUTPUT)


def bridge(channel: socket.socket, *, resize: Resize) -> None:
    """Carry bytes both ways until the other side closes; `resize(rows, columns)` now and when the window changes."""
    with _raw(), _window(resize):
        watched = select.poll()
        watched.register(_INPUT, select.POLLIN)
        watched.register(channel, select.POLLIN)
        while True:
            ready = {fd for fd, _ in watched.poll()}
            if channel.fileno() in ready:
                piece = channel.recv(_PIECE_BYTES)
                if not piece:
                    return
                _write(piece)
            if _INPUT in ready:
                typed = os.read(_INPUT, _PIECE_BYTES)
                if not typed:
                    watched.unregister(_INPUT)
                    continue
                channel.sendall(typed)


def _write(piece: bytes) -> None:
    while piece:
        piece = piece[os.write(_OUTPUT, piece) :]


@contextmanager
def given_back() -> Iterator[None]:
    """Lend the terminal to a program of ours; afterwards its settings and its foreground are what they were."""
    before, group = termios.tcgetattr(_INPUT), os.tcgetpgrp(_INPUT)
    try:
        yield
    finally:
        stop = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # we may be in the background now
        os.tcsetpgrp(_INPUT, group)
        termios.tcsetattr(_INPUT, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTTOU, stop)


@contextmanager
def _raw() -> Iterator[None]:
    before = termios.tcgetattr(_INPUT)
    tty.setraw(_INPUT)
    try:
        yield
    finally:
        termios.tcsetattr(_INPUT, termios.TCSADRAIN, before)


@contextmanager
def _window(resize: Resize) -> Iterator[None]:
    def tell(_number: int = 0, _frame: FrameType | None = None) -> None:
        columns, rows = os.get_terminal_size(_OUTPUT)
        resize(rows, columns)

    tell()
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen to signals: the size stays as it is
        return
    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
