"""What a person is shown of a set of runs: the table on stdout, why and what next on stderr; progress."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli import options
from orchestrator.cli.output import Progress
from orchestrator.cli.run_output import show_set
from orchestrator.controller.runs import Done, run_set
from orchestrator.controller.watch import Silent
from orchestrator.domain.terms import Device, Mode, Phase
from orchestrator.errors import HarnessError, UsageError
from tests.unit.fake_tools import FakeEngine, accuracy_logs, tools
from tests.unit.plans import a_plan, a_spec


@pytest.fixture
def done(tmp_path: Path) -> Done:
    plan = a_plan(a_spec(mode=Mode.ACCURACY))
    return run_set([plan], tmp_path, tools(FakeEngine(harness=accuracy_logs)), Silent())[0]


def failed(done: Done) -> Done:
    return replace(done, error=HarnessError("it broke", hint="mend it"), record=replace(done.record, verdict=None))


def test_a_run_is_a_row_with_accuracy_target_verdict_and_image(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_set([done], as_json=False) == 0
    said = capsys.readouterr()
    row = next(line for line in said.out.splitlines() if "Offline" in line)
    assert "top1 0.85 / 0.8" in row
    assert "not judged (test)" in row
    assert "aaaaaaaaaaaa" in row
    assert "not submittable: " in said.err
    assert said.err.splitlines()[-2:] == [
        f"record: {done.directory}",
        f"next: mlperf-docker results show {done.directory}",
    ]


def test_the_exit_code_of_a_set_is_the_first_failure_s(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    invalid = replace(done, error=UsageError("later"))
    assert show_set([done, failed(done), invalid], as_json=False) == 8
    said = capsys.readouterr()
    assert "FAILED" in said.out
    assert f"error: {done.directory.name}: it broke\nhint: mend it\n" in said.err


def test_each_run_of_a_document_has_its_own_exit_code(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    show_set([replace(done, kept=True), failed(done)], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 8
    assert [run["exit_code"] for run in document["runs"]] == [0, 8]
    assert [run["kept"] for run in document["runs"]] == [True, False]
    assert document["runs"][0]["accuracy_lower_limit"] == 0.8


def test_text_that_looks_like_markup_is_shown_as_it_is(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    odd = replace(done, plan=replace(done.plan, spec=replace(done.plan.spec, model="[red]x[/red]")))
    show_set([odd], as_json=False)
    assert "[red]x[/red]" in capsys.readouterr().out


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.begin_run("a model", 1, 2)
    progress.phase(Phase.IMAGE)
    progress.phase(Phase.MEASURE)
    progress.progress(3, 9)
    progress.progress(4, None)
    progress.say("a word")
    progress.done()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "[1/2] a model",
        "  measure",
        "  measure 0 s, 3 of 9 samples",
        "  measure 0 s, 4 samples",
        "  a word",
    ]


def test_quiet_says_nothing_and_verbose_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (Progress(quiet=True), Progress(verbose=True)):
        progress.begin_run("a model", 1, 1)
        progress.phase(Phase.IMAGE)
        progress.progress(1, 2)
        progress.say("a word")
        progress.done()
        said = capsys.readouterr().err
        assert said == "" or "  image\n" in said
    assert "a word" in said


@pytest.mark.parametrize(
    ("text", "size"),
    [("8g", 8 << 30), ("512MiB", 512 << 20), ("1.5k", 1536), ("1000000", 1000000), ("2 TB", 2 << 40), ("7b", 7)],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert options.size_bytes(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "g", "-1g", "1e9", "8 g b", "0x10", "0", "0.0001"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        options.size_bytes(text, "--memory")


def test_pairs_keep_everything_after_the_first_equals_sign() -> None:
    assert options.pairs(["a=b=c", "d="], "--set") == (("a", "b=c"), ("d", ""))


def test_a_prefix_is_split_as_a_shell_splits_words() -> None:
    assert options.words("gdb -ex 'run now' --args", "--run-prefix") == ("gdb", "-ex", "run now", "--args")
    assert options.words(None, "--run-prefix") == ()


def test_a_member_of_a_closed_set_is_found_letter_case_aside() -> None:
    assert options.one_of(Device, "CUDA", "device") is Device.CUDA
    assert options.one_of(Device, None, "device") is None
