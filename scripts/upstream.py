"""Read the constants of a clone of the rules repository: never imported, never evaluated, only parsed.

A clone is a git directory (bare or not), a work tree, or a plain folder with the files of one revision.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.host.process import run

CHECKERS = (
    "tools/submission/submission_checker/constants.py",
    "tools/submission/submission_checker.py",
    "tools/submission/submission-checker.py",
)
SETTINGS = ("loadgen/mlperf.conf", "mlperf.conf")
_WORDS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class NotPlainError(ValueError):
    """An expression that is more than literals, arithmetic and names defined before."""


@dataclass(frozen=True)
class Clone:
    """A clone at `path`; `read` gives the text of a file in a revision, or None."""

    path: Path
    git: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find out what kind of folder it is; ValueError when it is none."""
        if not self.path.is_dir():
            raise ValueError(f"{self.path} is no folder")
        bare = (self.path / "HEAD").is_file() and (self.path / "objects").is_dir()
        where = ("--git-dir", str(self.path)) if bare else ("-C", str(self.path))
        is_git = bare or (self.path / ".git").exists()
        object.__setattr__(self, "git", ("git", "-c", "safe.directory=*", *where) if is_git else ())

    def read(self, revision: str, *paths: str) -> str | None:
        """The first of some files that a revision has; a folder without git has only HEAD."""
        for path in paths:
            if self.git:
                done = run((*self.git, "show", f"{revision}:{path}"))
                if done.ok:
                    return done.stdout
            elif revision == "HEAD" and (self.path / path).is_file():
                return (self.path / path).read_text(encoding="utf-8")
        return None

    def revision(self) -> str:
        """What HEAD is."""
        if not self.git:
            return "a folder without git"
        return run((*self.git, "rev-parse", "--short", "HEAD")).stdout.strip()


@functools.cache
def constants(text: str) -> dict[str, object]:
    """The constants a Python file assigns at its top level; those that are not plain are left out."""
    found: dict[str, object] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = _plain(node.value, found)
            except NotPlainError:
                continue
    return found


def _plain(node: ast.expr, known: dict[str, object]) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_plain(item, known) for item in items)
        case ast.Dict(keys=keys, values=values):
            pairs = [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
            return {_plain(key, known): _plain(value, known) for key, value in pairs}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(_plain(operand, known))
        case ast.BinOp(left=left, op=word, right=right) if type(word) in _WORDS:
            return _WORDS[type(word)](_number(_plain(left, known)), _number(_plain(right, known)))
    raise NotPlainError(ast.dump(node)[:80])


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotPlainError(f"{value!r} is no number")
    return value


@dataclass(frozen=True)
class Settings:
    """LoadGen's built-in settings: `model.scenario.key = value`."""

    values: dict[tuple[str, str, str], str]

    @classmethod
    def parse(cls, text: str) -> Settings:
        """Read an mlperf.conf; a model's name holds no dots but those of its version."""
        found: dict[tuple[str, str, str], str] = {}
        for line in text.splitlines():
            left, mark, value = line.partition("=")
            parts = left.strip().rsplit(".", 2)
            if mark and not line.lstrip().startswith("#") and len(parts) == 3:
                found[(parts[0], parts[1], parts[2])] = value.strip()
        return cls(found)

    def knows(self, model: str) -> bool:
        """Whether anything is set for a model by name."""
        return any(name == model for name, _, _ in self.values)

    def get(self, model: str, scenario: str, key: str) -> float | None:
        """A value as LoadGen finds it: model and scenario, any scenario, any model."""
        for name, where in ((model, scenario), ("*", scenario), (model, "*"), ("*", "*")):
            if (name, where, key) in self.values:
                return float(self.values[(name, where, key)])
        return None

    def own(self, model: str, scenario: str, key: str) -> float | None:
        """A value that is set for this model by name."""
        return next(
            (float(self.values[(model, s, key)]) for s in (scenario, "*") if (model, s, key) in self.values), None
        )
