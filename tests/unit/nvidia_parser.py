"""Reads RUN_ARGS with the argument parser of NVIDIA's own published code, and prints what it understood as JSON.

Usage: nvidia_parser.py TREE MITTEN|- RUN_ARGS. Run in a process of its own. TREE is a closed/NVIDIA folder; MITTEN the
sources of NVIDIA's mitten, which v5.1 takes its parser from. Modules that are not installed here (and the detection of
a system) are stand-ins: only what defines and parses flags is the vendor's.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import shlex
import sys
import types
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import ClassVar

# What the standard library or the vendor only uses where it is installed.
WANTED_MISSING = {
    "tensorrt",
    "mlperf_loadgen",
    "org",
    "readline",
    "_winapi",
    "msvcrt",
    "nt",
    "winreg",
    "vms_lib",
    "java",
}


class AnyClass(type):
    """The class of a stand-in: has every attribute."""

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls()


class Anything(metaclass=AnyClass):
    """Stands in for whatever a missing module has: can be called, indexed, compared, subclassed."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Anything:
        return self

    def __getattr__(self, name: str) -> Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Anything:
        return self


class StandIn(types.ModuleType):
    """A module that has everything."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return Exception if name.endswith("Error") else AnyClass(name, (Anything,), {})


class Missing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes a stand-in of every module that nothing else finds, and of the detection of systems."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in WANTED_MISSING:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None: ...


def bare_package(name: str, folder: Path) -> None:
    """A package without its __init__, so that only what is asked for is imported."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def newer(tree: Path, arguments: list[str]) -> tuple[dict[str, object], list[str]]:
    """v5.1: Field objects of nvmitten, spread over modules."""
    names = ["meta", "general", "harness", "loadgen", "models", "gen_engines"]
    modules = [importlib.import_module(f"code.fields.{name}") for name in names]
    bare_package("code.llmlib", tree / "code/llmlib")
    modules.append(importlib.import_module("code.llmlib.fields"))
    parser = argparse.ArgumentParser(allow_abbrev=False, argument_default=argparse.SUPPRESS, add_help=False)
    seen = set()
    for module in modules:
        for field in vars(module).values():
            if type(field).__name__ == "Field" and field.name not in seen:
                seen.add(field.name)
                field.add_to_argparse(parser)
    found, left = parser.parse_known_args(arguments)
    return vars(found), left


def older(arguments: list[str]) -> tuple[dict[str, object], list[str]]:
    """Up to v5.0: two enumerations of fields, for main.py and for a benchmark's configuration."""
    fields = importlib.import_module("code.common.fields")
    understood: dict[str, object] = {}
    left = arguments
    for group, defaults in ((fields.MainArgs, True), (fields.Fields, False)):
        parser = argparse.ArgumentParser(allow_abbrev=False)
        for member in group:
            if member.name not in {"benchmark", "scenario"}:
                member.value.add_to_argparser(parser, allow_argparse_default=defaults)
        found, left = parser.parse_known_args(left)
        understood |= {name: value for name, value in vars(found).items() if value not in (None, False)}
    return understood, left


def drawn(tree: Path, arguments: list[str]) -> tuple[dict[str, object], list[str]]:
    """A copy whose fields.py cannot be imported beside its other files: its fields as they are written down."""
    types_of = {"int": int, "float": float, "str": str}
    parser = argparse.ArgumentParser(allow_abbrev=False, argument_default=argparse.SUPPRESS, add_help=False)
    seen = set()
    for node in ast.walk(ast.parse((tree / "code/common/fields.py").read_text())):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "Field"
        ):
            name = ast.literal_eval(node.value.args[0])
            kind = next(ast.unparse(word.value) for word in node.value.keywords if word.arg == "value_type")
            if name not in seen and kind == "bool":
                parser.add_argument(f"--{name}", action="store_true")
            elif name not in seen:
                parser.add_argument(f"--{name}", type=types_of.get(kind, str))
            seen.add(name)
    found, left = parser.parse_known_args(arguments)
    return vars(found), left


def plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return str(getattr(value.value, "name", value.value))
    return value if isinstance(value, str | int | float | bool) else str(value)


def main() -> None:
    """Print {"understood": …, "ignored": […]}."""
    tree, mitten, arguments = Path(sys.argv[1]), sys.argv[2], shlex.split(sys.argv[3])
    sys.modules.pop("code", None)
    sys.path[:0] = [str(tree)] if mitten == "-" else [str(tree), mitten]
    bare_package("code", tree / "code")
    bare_package("code.common", tree / "code/common")
    sys.modules["code.common"].__MLPERF_INF_VERSION__ = "v0"  # type: ignore[attr-defined]
    if mitten == "-":
        bare_package("code.common.systems", tree / "nowhere")
    sys.meta_path.append(Missing())
    if not (tree / "code/common/fields.py").is_file():
        understood, ignored = newer(tree, arguments)
    elif (tree / "code/common/systems/systems.py").is_file():
        understood, ignored = older(arguments)
    else:
        understood, ignored = drawn(tree, arguments)
    sys.stdout.write(
        json.dumps({"understood": {name: plain(value) for name, value in understood.items()}, "ignored": ignored})
    )


main()
