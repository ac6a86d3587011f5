"""`python -m orchestrator.preparation STEP --input NAME=DIR … --output DIR --set KEY=VALUE …`.

Exit 0: done. 2: the request or an input is at fault. 1: anything else. One line `error: …` on stderr names the fault.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

Step = Callable[[Inputs, Path, dict[str, str], Callable[[str], None]], None]

STEPS: Mapping[str, tuple[str, str]] = {
    "efficientnet-lite0-onnx": ("efficientnet", "prepare"),
    "imagenet-pictures": ("pictures", "imagenet"),
    "cifar10-pictures": ("pictures", "cifar10"),
    "newsgroup-tokens": ("newsgroups", "prepare"),
    "smollm2-ctranslate2": ("smollm2", "prepare"),
    "capital-questions": ("questions", "prepare"),
    "spoken-prompts": ("speech", "prepare"),
    "efficientnet-lite0-torch": ("efficientnet_torch", "prepare"),
    "imagenet-validation": ("imagenet", "validation"),
    "imagenet-calibration": ("imagenet", "calibration"),
    "subset": ("subset", "prepare"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one step; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        step = _step(asked.step)
        inputs = Inputs({name: _existing(Path(place)) for name, place in _pairs("--input", asked.input).items()})
        output = _empty_folder(Path(asked.output))
        _run(step, inputs, output, _pairs("--set", asked.set))
    except BadInput as fault:
        print(f"error: {asked.step}: {fault}", file=sys.stderr, flush=True)
        return 2
    except Exception as error:  # the last line of a container: one line, no traceback
        print(f"error: {asked.step}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(step: Step, inputs: Inputs, output: Path, parameters: dict[str, str]) -> None:
    """Work in a folder beside the result's files, so that an interrupted step leaves no file that looks whole."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=output) as part:
        step(inputs, Path(part), parameters, lambda line: print(line, flush=True))
        made = sorted(Path(part).iterdir())
        if not made:
            raise BadInput("the step wrote nothing")
        for path in Path(part).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        for path in made:
            os.replace(path, output / path.name)  # noqa: PTH105 - a move within the output folder


def _step(name: str) -> Step:
    if name not in STEPS:
        raise BadInput(f"no such step; there are: {', '.join(sorted(STEPS))}")
    module, function = STEPS[name]
    step: Step = getattr(importlib.import_module(f"orchestrator.preparation.{module}"), function)
    return step


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orchestrator.preparation", allow_abbrev=False)
    parser.add_argument("step", metavar="STEP", help=", ".join(sorted(STEPS)))
    parser.add_argument("--input", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in pairs:
            raise BadInput(f"{option} {text!r}: write NAME=VALUE, each name once")
        pairs[name] = value
    return pairs


def _existing(path: Path) -> Path:
    if not path.exists():
        raise BadInput(f"there is no input at {path}")
    return path


def _empty_folder(path: Path) -> Path:
    if not path.is_dir():
        raise BadInput(f"the output folder {path} is not there")
    if any(path.iterdir()):
        raise BadInput(f"the output folder {path} is not empty")
    return path


if __name__ == "__main__":
    raise SystemExit(main())
