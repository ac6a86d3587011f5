"""Read published code out of a clone that an environment variable names: a work tree, or a git directory."""

from __future__ import annotations

import argparse
import ast
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.host.process import run
from orchestrator.host.shipped import shipped


@dataclass(frozen=True)
class Clone:
    """A clone at a revision."""

    folder: Path
    revision: str

    def text(self, path: str) -> str:
        """A file of it."""
        done = run(("git", "-c", "safe.directory=*", "-C", str(self.folder), "show", f"{self.revision}:{path}"))
        assert done.ok, done.stderr
        return done.stdout

    def unpack(self, target: Path, *paths: str) -> Path:
        """Files of it, in a folder. A clone that lacks other files will do."""
        target.mkdir(parents=True, exist_ok=True)
        git = ("git", "-c", "safe.directory=*", "-C", str(self.folder))
        found = run((*git, "rev-parse", "--absolute-git-dir"))
        there = ("git", "-c", "safe.directory=*", f"--git-dir={found.stdout.strip()}", f"--work-tree={target}")
        index = {"GIT_INDEX_FILE": str(target.parent / f"{target.name}.index")}
        assert run((*there, "read-tree", self.revision), environment=index).ok
        names = run((*git, "ls-tree", "-r", "--name-only", self.revision, *paths)).stdout.split()
        assert names
        done = run((*there, "checkout-index", "--", *names), environment=index, cwd=target)
        assert done.ok, done.stderr
        return target


def clone(variable: str, revision: str) -> Clone:
    """The clone that the variable names; without it the test is skipped, and says so."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no clone")
    return Clone(Path(named), revision)


class RefusedError(Exception):
    """A parser's own refusal."""


class Parser(argparse.ArgumentParser):
    """Raises instead of ending the process."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise RefusedError(message)


_TYPES = {"int": int, "float": float, "str": str}


def parser_of(source: str) -> Parser:
    """The options that a published script defines, read from its text; none of it is run."""
    parser = Parser(add_help=False, allow_abbrev=False)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            names = [str(ast.literal_eval(each)) for each in node.args]
            parser.add_argument(*names, **_options(node))  # type: ignore[arg-type]
    return parser


def _options(node: ast.Call) -> dict[str, object]:
    found: dict[str, object] = {}
    for keyword in node.keywords:
        if keyword.arg == "type" and isinstance(keyword.value, ast.Name):
            found["type"] = _TYPES[keyword.value.id]
        elif keyword.arg in {"action", "required", "nargs", "choices"}:
            try:
                found[keyword.arg] = ast.literal_eval(keyword.value)
            except ValueError:  # choices taken from a table of the script
                continue
    return found


def documented(implementation: str) -> Any:
    """The table by which the rehearsal's stand-in refuses what no document names."""
    return json.loads((shipped("dockerfiles") / "rehearsal" / implementation / "documented.json").read_text())


def option_names(command: tuple[str, ...]) -> set[str]:
    """The names of the options in a command line."""
    return {word.partition("=")[0] for word in command if word.startswith("-")}
