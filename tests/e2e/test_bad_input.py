"""Bad input of the installed command: exit 2 and the nearest match. All of it is in unit/test_cli_bad_input.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.command import call
from tests.e2e.conftest import SMALL

UNKNOWN = [
    (("run", "--model", "resnet9-cifar10"), "resnet9-cifar10", "resnet8-cifar10"),
    ((*SMALL, "--backend", "tflit"), "tflit", "tflite"),
    ((*SMALL, "--scenaro", "Offline"), "--scenaro", "--scenario"),
    (("rum", "--model", "resnet8-cifar10"), "rum", "run"),
]


@pytest.mark.parametrize(
    ("arguments", "typed", "meant"), UNKNOWN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_unknown_name_gets_the_nearest_match(
    tmp_path: Path, arguments: tuple[str, ...], typed: str, meant: str
) -> None:
    call(tmp_path, *arguments).refuses(typed, meant)
    assert list(tmp_path.iterdir()) == []


def test_under_json_the_error_is_the_one_document(tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--backend", "tflit", "--json")
    assert called.code == 2
    assert called.document["exit_code"] == 2
    assert "did you mean 'tflite'" in called.document["error"]["cause"]
    assert called.document["error"]["hint"]


def test_every_fault_of_a_user_conf_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "user.conf").write_text("*.Offline.target_qps = many\n\na.b.c=1\n")
    called = call(tmp_path, *SMALL, "--user-conf", "user.conf")
    assert called.code == 2
    assert "error: user.conf:1: " in called.stderr
    assert "error: user.conf:3: " in called.stderr


@pytest.mark.engine
def test_there_must_be_something_to_resume(tmp_path: Path, docker_url: str) -> None:
    called = call(tmp_path, *SMALL, "--resume")
    assert called.code == 2
    assert "there is no interrupted set of the same runs to resume" in called.stderr


@pytest.mark.engine
@pytest.mark.parametrize("place", ["file", "folder"])
def test_results_that_cannot_be_written_are_not_a_bug_of_ours(tmp_path: Path, docker_url: str, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "sets").write_text("")
    (tmp_path / "file").write_text("")
    called = call(tmp_path, *SMALL, "--results-dir", place)
    assert called.code == 1
    assert "choose another place with --results-dir" in called.stderr
