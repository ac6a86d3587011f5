"""Actions that must not be cut short are not; output that cannot be delivered is not forgotten."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from orchestrator.engines.streaming import Pump
from orchestrator.host.interruption import to_the_end


def test_an_interruption_waits_for_the_action_and_then_goes_on() -> None:
    done: list[str] = []

    def action() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append("done")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        to_the_end(action)
    assert done == ["done"]
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_there_is_nothing_to_defer() -> None:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(to_the_end(lambda: 42)))
    thread.start()
    thread.join()
    assert results == [42]


def test_the_action_s_own_result_and_error_come_through() -> None:
    assert to_the_end(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        to_the_end(lambda: 1 // 0)


def test_a_listener_that_fails_is_told_of_once() -> None:
    failures: list[str] = []

    def full(_: bytes) -> None:
        raise OSError("no space left")

    pump = Pump([b"a", b"b"], full, failed=lambda: failures.append("killed"))
    pump.start()
    with pytest.raises(OSError, match="no space left"):
        pump.finish(5.0)
    assert failures == ["killed"]
    assert pump.finish(5.0)


def test_only_the_beginning_is_kept() -> None:
    pieces: list[bytes] = []
    pump = Pump([b"x" * 300] * 10, pieces.append, failed=lambda: None)
    pump.start()
    assert pump.finish(5.0)
    assert len(b"".join(pieces)) == 3000
    assert 512 <= len(pump.head) < 1024


def test_a_pump_that_never_started_has_nothing_to_finish() -> None:
    assert Pump([], len, failed=lambda: None).finish(0.1)
