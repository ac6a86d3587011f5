"""Every rendered Dockerfile and every shell script stands up to hadolint and shellcheck."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from orchestrator.config.catalog import rounds
from orchestrator.config.images import image_entries
from orchestrator.host.process import run
from orchestrator.host.shipped import shipped
from orchestrator.images.render import render, render_debug

# DL3059 wants two RUN lines in one: a stage that is thrown away has no layers to save.
# DL3002 wants an ordinary user at the end: every container is started as the caller, whatever its image says.
LEFT_OUT = ("--ignore", "DL3059", "--ignore", "DL3002")
SHEBANGS = (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/usr/bin/env sh")


def tool(name: str) -> str:
    """A linter of the dev extra; where it has no build, the test is skipped, but never under CI on x86-64."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        message = f"{name} is not installed: pip install 'mlperf-docker[dev]'"
        if os.environ.get("CI") and os.uname().machine == "x86_64":
            pytest.fail(message)
        pytest.skip(message)
    return found


def texts() -> dict[str, str]:
    """One Dockerfile of every entry that differs from the others (in its first round and platform)."""
    found = {"debug": render_debug("generic-tflite", "linux/amd64").text}
    for name, entry in image_entries().items():
        of_round = (entry.rounds or rounds())[-1]
        text = render(entry, of_round, entry.platforms[0]).text
        body = text.split("\n", 1)[1]  # the first line is a comment with the entry's name
        if body not in found.values():
            found[name] = text
    return found


def scripts() -> list[Path]:
    """Every shell script that is shipped or used to develop, whatever its name."""
    root = shipped()
    folders = [root / name for name in ("dockerfiles", "scripts", ".ci")]
    files = [path for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if path.suffix == ".sh" or path.read_bytes().startswith(SHEBANGS)]


def test_every_rendered_dockerfile_is_clean(tmp_path: Path) -> None:
    hadolint = tool("hadolint")
    found = texts()
    assert len(found) > 20
    for name, text in found.items():
        (tmp_path / f"{name}.Dockerfile").write_text(text)
    done = run((hadolint, "--no-color", *LEFT_OUT, *(str(path) for path in sorted(tmp_path.iterdir()))))
    assert done.ok, done.stdout + done.stderr


def test_every_shell_script_is_clean() -> None:
    shellcheck = tool("shellcheck")
    found = scripts()
    assert len(found) > 10
    # SC2329 does not see functions that a trap calls.
    done = run(
        (shellcheck, "--color=never", "--exclude=SC2329", "--external-sources", *(str(path) for path in found)),
        cwd=shipped(),
    )
    assert done.ok, done.stdout + done.stderr
