"""What goes on beside the test: progress lines for the host, and an orderly end when a signal asks for one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PROGRESS_EVERY_S = 2.0
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def end_on_signals() -> None:
    """End the process with 128 + the signal's number, also as PID 1 and while LoadGen holds the main thread.

    Call before any other thread starts: all threads must block the signals that the one thread waits for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def wait() -> None:
        number = signal.sigwait(_SIGNALS)
        print(f"error: ended by {signal.Signals(number).name}", file=sys.stderr, flush=True)
        os._exit(128 + number)

    threading.Thread(target=wait, name="signals", daemon=True).start()


@contextmanager
def progress(counts: Callable[[], tuple[int, int]]) -> Iterator[None]:
    """Print (completed, issued) every two seconds while the block runs, and once at its end."""
    over = threading.Event()

    def tell() -> None:
        more = True
        while more:
            more = not over.wait(PROGRESS_EVERY_S)
            completed, issued = counts()
            try:
                print(f"progress completed={completed} issued={issued}", flush=True)
            except OSError:  # nobody listens; the test goes on
                return

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
