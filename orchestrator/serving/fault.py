"""How the server fails: one line on stderr, and the process ends; a server that limps on would spoil a measurement."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

BAD_INPUT = 2
FAILED = 1


class ServingError(Exception):
    """A deliberate failure; `exit_code` 2 when arguments or model are at fault, else 1."""

    def __init__(self, cause: str, *, exit_code: int = FAILED) -> None:
        super().__init__(cause)
        self.exit_code = exit_code


class BadRequest(Exception):  # noqa: N818 - reads as what it is
    """What a client sent cannot be served; answered with status 400, or `status`."""

    def __init__(self, cause: str, *, status: int = 400) -> None:
        super().__init__(cause)
        self.status = status


def say(error: BaseException) -> None:
    """Print the one line."""
    text = " ".join(str(error).split())
    if not isinstance(error, ServingError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    print(f"error: {text[:600]}", file=sys.stderr, flush=True)


def die(error: BaseException) -> NoReturn:
    """End the process at once, from whatever thread."""
    say(error)
    sys.stdout.flush()
    os._exit(error.exit_code if isinstance(error, ServingError) else FAILED)
