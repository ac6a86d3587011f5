"""How the harness fails: one line on stderr and an exit status, never a traceback, never a core file."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")

BAD_INPUT = 2
FAILED = 1

_dying = threading.Lock()


class SutError(Exception):
    """A deliberate failure: `exit_code` 2 when harness.json, model or data are at fault, else 1."""

    def __init__(self, cause: str, *, exit_code: int = FAILED) -> None:
        super().__init__(cause)
        self.exit_code = exit_code


def bad_input(where: object, cause: str) -> SutError:
    """The error for a bad harness.json, model or data set; `where` is the file at fault."""
    return SutError(f"{where}: {cause}", exit_code=BAD_INPUT)


def one_line(error: BaseException) -> str:
    """An exception's text in one line of at most 600 characters; its type where it has no text of ours."""
    text = " ".join(str(error).split())
    if not isinstance(error, SutError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 600 else f"{text[:597]}..."


def say(error: BaseException) -> None:
    """Print the one line."""
    print(f"error: {one_line(error)}", file=sys.stderr, flush=True)


def die(error: BaseException) -> NoReturn:
    """End the process at once, from whatever thread.

    LoadGen waits for ever for a query that failed, and an exception that leaves one of its callbacks ends in
    SIGABRT with a core file; so the process leaves on purpose, without running LoadGen's destructors.
    """
    _dying.acquire()  # never released: the first error is the one that is told
    say(error)
    sys.stdout.flush()
    os._exit(error.exit_code if isinstance(error, SutError) else FAILED)


def guarded(action: Callable[..., T]) -> Callable[..., T]:
    """The same callable, for LoadGen or a thread to call: any exception ends the process through `die`."""

    def call(*arguments: object) -> T:
        try:
            return action(*arguments)
        except BaseException as error:
            die(error)

    return call
