"""The only retry policies: transient errors of engine, registry and downloads; never a harness, never a verdict."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from orchestrator.errors import MlperfDockerError

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
_LONGEST_WAIT_S = 30.0


def transient(
    action: Callable[[], T],
    *,
    say: Callable[[str], None],
    attempts: int = 4,
    first_wait_s: float = 1.0,
    progress: Callable[[], int] | None = None,
) -> T:
    """Call until it works, at most `attempts` times with growing waits; only retryable errors are tried again.

    `progress` gives a figure that grows while the action gets further; attempts that got further are not counted. An
    error's own `wait_s` is waited at least.
    """
    from tenacity import Retrying

    patience = _Patience(attempts, first_wait_s, progress, say)
    retrying = Retrying(
        retry=patience.again,
        stop=patience.exhausted,
        wait=patience.wait_s,
        before_sleep=patience.announce,
        reraise=True,
    )
    return retrying(action)


class _Patience:
    """Counts the attempts that led nowhere."""

    def __init__(
        self, attempts: int, first_wait_s: float, progress: Callable[[], int] | None, say: Callable[[str], None]
    ) -> None:
        self._attempts, self._first_wait_s, self._say = attempts, first_wait_s, say
        self._progress = progress or (lambda: 0)
        self._reached = self._progress()
        self._in_vain = 0

    def again(self, state: RetryCallState) -> bool:
        """Whether the attempt's outcome is one to try again; called once after each attempt."""
        error = _error(state)
        if not isinstance(error, MlperfDockerError) or not error.retryable:
            return False
        reached = self._progress()
        self._in_vain = 1 if reached > self._reached else self._in_vain + 1
        self._reached = max(reached, self._reached)
        return True

    def exhausted(self, _state: RetryCallState) -> bool:
        """Whether there is to be no other try."""
        return self._in_vain >= self._attempts

    def wait_s(self, state: RetryCallState) -> float:
        """Growing waits, a little apart so that many do not come back at once."""
        growing = min(self._first_wait_s * 2.0 ** (self._in_vain - 1), _LONGEST_WAIT_S)
        apart = random.uniform(0.0, self._first_wait_s)  # noqa: S311 - no secret depends on it
        error = _error(state)
        asked = error.wait_s if isinstance(error, MlperfDockerError) else 0.0
        return max(growing, asked) + apart

    def announce(self, state: RetryCallState) -> None:
        """Say what happened and what comes."""
        pause_s = state.next_action.sleep if state.next_action else 0.0
        self._say(f"{_error(state)}; trying again in {pause_s:.0f} s (attempt {self._in_vain + 1} of {self._attempts})")


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
