"""What becomes of a container when its controller is interrupted, killed, or hands it a terminal; every engine."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from orchestrator.errors import UsageError
from tests.engine.carriers import LONG_S, Carrier, new_token

_OWN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

pytestmark = pytest.mark.engine


@contextmanager
def controller(carrier: Carrier, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """A controller process whose container has said that it is ready."""
    argv = [*carrier.controller, carrier.image, token, "hold"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            assert carrier.traces(token)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_controller_leaves_nothing(carrier: Carrier, number: signal.Signals) -> None:
    token = new_token()
    with controller(carrier, token) as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == b"interrupted\n"
        assert process.wait(LONG_S) == 130
    assert carrier.traces(token) == []


def test_an_impatient_second_interruption_leaves_nothing_either(carrier: Carrier) -> None:
    token = new_token()
    with controller(carrier, token) as process:
        process.send_signal(signal.SIGINT)
        while carrier.traces(token) and process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(LONG_S)
    assert carrier.traces(token) == []


def test_clean_removes_what_a_killed_controller_left_and_spares_the_living(carrier: Carrier) -> None:
    dead, living = new_token(), new_token()
    with controller(carrier, living), controller(carrier, dead) as process:
        process.kill()
        process.wait()
        assert carrier.traces(dead)
        assert carrier.engine.clean()
        assert carrier.traces(dead) == []
        assert carrier.traces(living)
    carrier.engine.clean()
    assert carrier.traces(living) == []


def test_a_shell_has_the_caller_s_terminal_and_gives_it_back(carrier: Carrier) -> None:
    token = new_token()
    typed = ("python3 -c 'import os; print(6*7, *os.get_terminal_size())'", "exit 7")
    code, screen = in_a_terminal([*carrier.controller, carrier.image, token, "shell"], typed, rows=33, columns=101)
    assert "42 101 33" in screen
    assert "terminal restored" in screen
    assert code == 7
    assert carrier.traces(token) == []


def test_a_shell_without_a_terminal_is_a_usage_error(carrier: Carrier) -> None:
    spec = replace(carrier.spec("sh", "-i", token=""), interactive=True)
    with open(os.devnull) as nothing, replaced_input(nothing.fileno()), pytest.raises(UsageError, match="terminal"):  # noqa: PTH123
        carrier.engine.shell(spec, run_id="")


@contextmanager
def replaced_input(descriptor: int) -> Iterator[None]:
    kept = os.dup(0)
    os.dup2(descriptor, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def in_a_terminal(argv: list[str], lines: tuple[str, ...], *, rows: int, columns: int) -> tuple[int, str]:
    """Run a program on a terminal of its own; each line is typed when a prompt is there. Returns status and screen."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    own = [sys.executable, "-c", _OWN_TERMINAL, *argv]
    process = subprocess.Popen(own, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    screen, to_type = b"", [line.encode() + b"\n" for line in lines]
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the last holder of the terminal has gone
            break
        screen += piece
        if to_type and screen.rstrip().endswith((b"#", b"$")):
            os.write(master, to_type.pop(0))
    os.close(master)
    return process.wait(LONG_S), screen.decode("utf-8", "replace")
