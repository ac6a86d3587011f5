"""The only retry policies: transient errors of engine, registry and downloads; never a harness, never a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchestrator.errors import MlperfDockerError

T = TypeVar("T")


def transient(
    action: Callable[[], T], *, say: Callable[[str], None], attempts: int = 4, first_wait_s: float = 1.0
) -> T:
    """Call until it works, at most `attempts` times with growing waits; only retryable errors are tried again."""
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        say(f"{error}; trying again in {pause:.0f} s (attempt {state.attempt_number + 1} of {attempts})")

    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, MlperfDockerError) and error.retryable),
        stop=stop_after_attempt(attempts),
        wait=wait_exponential(multiplier=first_wait_s, max=30.0) + wait_random(0.0, first_wait_s),
        before_sleep=announce,
        reraise=True,
    )
    return retrying(action)
