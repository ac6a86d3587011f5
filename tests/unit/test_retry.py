"""Only what another try may cure is tried again; each new try is announced."""

from __future__ import annotations

import pytest

from orchestrator.errors import (
    AssetError,
    ConfigError,
    EngineError,
    HarnessError,
    ImageError,
    InterruptedRun,
    TransientAssetError,
    TransientEngineError,
    TransientImageError,
    UsageError,
)
from orchestrator.host.retry import transient


class Action:
    """Fails with the given errors, one a call, then works."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("kind", [TransientAssetError, TransientEngineError, TransientImageError])
def test_a_transient_error_is_tried_again_and_announced(kind: type[AssetError]) -> None:
    action, said = Action(kind("lost the line")), list[str]()
    assert transient(action, say=said.append, attempts=2, first_wait_s=0.01) == "done"
    assert action.calls == 2
    assert len(said) == 1
    assert said[0].startswith("lost the line; trying again in ")
    assert said[0].endswith("(attempt 2 of 2)")


def test_the_last_error_comes_out_as_it_was() -> None:
    action, said = Action(TransientAssetError("first"), TransientAssetError("second", hint="look")), list[str]()
    with pytest.raises(TransientAssetError, match="second") as caught:
        transient(action, say=said.append, attempts=2, first_wait_s=0.01)
    assert caught.value.hint == "look"
    assert len(said) == 1


@pytest.mark.parametrize(
    "error",
    [
        AssetError("a wrong hash"),
        EngineError("refused"),
        ImageError("no such file"),
        HarnessError("it failed"),
        UsageError("no"),
        ConfigError(("x:1:1: bad",)),
        InterruptedRun("stop"),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_else_is_tried_again(error: BaseException) -> None:
    action, said = Action(error), list[str]()
    with pytest.raises(type(error)):
        transient(action, say=said.append)
    assert (action.calls, said) == (1, [])


def test_what_works_is_not_announced() -> None:
    said: list[str] = []
    assert transient(Action(), say=said.append) == "done"
    assert said == []
