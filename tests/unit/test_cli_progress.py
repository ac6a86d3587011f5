"""How far downloads are: bars on a terminal, a plain line now and then elsewhere, and nothing of small files."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.cli.output import Progress
from orchestrator.cli.progress import Transfers, duration, size

ROOT = Path(__file__).parents[2]


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(said: list[str], clock: Clock) -> Transfers:
    return Transfers(said.append, io.StringIO(), live=False, now=clock)


def test_a_long_download_says_rate_and_time_left_every_ten_seconds() -> None:
    said, clock = list[str](), Clock()
    meter = plain(said, clock)
    for second in range(31):
        clock.now = 100.0 + second
        meter("weights", 500_000_000 + second * 10_000_000, 2_000_000_000)
    assert said == [
        "weights: 600.0 MB of 2.0 GB (30 %) at 10.0 MB/s, 2 min left",
        "weights: 700.0 MB of 2.0 GB (35 %) at 10.0 MB/s, 2 min left",
        "weights: 800.0 MB of 2.0 GB (40 %) at 10.0 MB/s, 2 min left",
    ]
    meter("weights", 2_000_000_000, 2_000_000_000)
    assert said[3:] == ["weights: 1.5 GB in 30 s (50.0 MB/s)"]


def test_small_files_and_ends_told_twice_say_nothing() -> None:
    said, clock = list[str](), Clock()
    meter = plain(said, clock)
    for number in range(100):
        meter(f"file {number}", 5, 5)
        meter(f"file {number}", 5, 5)
        meter(f"empty {number}", 0, 0)
        clock.now += 1
    assert said == []


def test_a_download_of_unknown_size_or_one_that_stands_still_is_told_so() -> None:
    said, clock = list[str](), Clock()
    meter = plain(said, clock)
    meter("pictures", 0, None)
    meter("stuck", 5, 100)
    clock.now += 10
    meter("pictures", 20_000_000, None)
    meter("stuck", 5, 100)
    assert said == ["pictures: 20.0 MB at 2.0 MB/s", "stuck: 5 B of 100 B (5 %) at 0 B/s, standing still"]


def test_one_that_begins_anew_is_measured_anew() -> None:
    said, clock = list[str](), Clock()
    meter = plain(said, clock)
    meter("weights", 1_000_000, 9_000_000)
    clock.now += 9
    meter("weights", 0, 9_000_000)
    clock.now += 10
    meter("weights", 1_000_000, 9_000_000)
    assert said == ["weights: 1.0 MB of 9.0 MB (11 %) at 100.0 kB/s, 80 s left"]


def test_without_a_terminal_no_control_characters_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for done in range(0, 101, 10):
        progress.transfer("weights", done, 100)
    progress.say("a word")
    progress.done()
    assert capsys.readouterr().err == "  a word\n"


def test_quiet_says_nothing_of_downloads(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=True)
    progress.transfer("weights", 1, 3)
    progress.transfer("weights", 3, 3)
    assert capsys.readouterr().err == ""


PROGRAM = """
import time
from orchestrator.cli.output import Progress
progress = Progress()
for step in range(6):
    progress.transfer("weights [b]x", step * 10_000_000, 100_000_000)
    progress.transfer("pictures", step * 1_000_000, None)
    time.sleep(0.12)
progress.say("a word in between")
progress.transfer("weights [b]x", 60_000_000, 100_000_000)
progress.transfer("weights [b]x", 100_000_000, 100_000_000)
progress.transfer("pictures", 7_000_000, 7_000_000)
progress.say("the end")
progress.done()
"""


def test_on_a_terminal_each_download_has_a_bar_with_rate_and_time_left() -> None:
    ours, theirs = pty.openpty()
    heard = bytearray()

    def listen() -> None:
        try:
            while piece := os.read(ours, 65536):
                heard.extend(piece)
        except OSError:
            return  # the other end is closed

    listener = threading.Thread(target=listen)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs, cwd=ROOT, env=environment) as process:
        os.close(theirs)
        listener.start()
        assert process.wait(30) == 0
    listener.join(30)
    os.close(ours)
    text = heard.decode()
    assert "weights [b]x" in text
    assert "50.0 MB of 100.0 MB (50 %) at " in text
    assert "MB/s, " in text
    assert " s left" in text
    assert "  a word in between\r\n\x1b[?25l" in text
    assert "  a word in between\r\n\x1b[?25l\r\x1b[2K\x1b[1A" not in text  # which would wipe it out
    assert text.endswith("  the end\r\n")


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.1e12, "2.1 TB")])
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (89, "89 s"), (300, "5 min"), (12000, "3 h 20 min")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
