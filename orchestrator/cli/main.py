"""Entry point: find the command, load only its module, turn every ending into an exit code and a clear last word."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from orchestrator import __version__
from orchestrator.cli.commands import COMMANDS

_COMPLETING = "_MLPERF_DOCKER_COMPLETE"  # set by the shell function that --install-completion writes
_USAGE = "Usage: mlperf-docker COMMAND [OPTIONS]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if _COMPLETING in os.environ:
        from orchestrator.cli.dispatch import completion

        return completion(arguments)
    if not arguments or arguments[0] in {"--help", "-h", "help"}:
        sys.stdout.write(root_help())
        return 0
    if arguments[0] == "--version":
        from orchestrator.cli.version import version_text

        sys.stdout.write(version_text())
        return 0
    from orchestrator.cli.dispatch import completion, dispatch

    if arguments[0] in {"--install-completion", "--show-completion"}:
        return completion(arguments)
    return dispatch(arguments)


def root_help() -> str:
    """The list of commands, plain."""
    width = max(map(len, COMMANDS))
    lines = [
        f"mlperf-docker {__version__}: run MLPerf Inference in containers, judge by the round's rules, keep proof.",
        "",
        _USAGE,
        "",
        "Commands:",
        *(f"  {name:<{width}}  {entry.summary}" for name, entry in COMMANDS.items()),
        "",
        "Options: --version, --help, --install-completion; 'mlperf-docker COMMAND --help' explains a command.",
        "A first run:  mlperf-docker run --model resnet8-cifar10",
        "",
    ]
    return "\n".join(lines)


def entry() -> None:
    """Console script."""
    # Loading the modules makes many objects and no garbage: collecting among them costs 6 % of a short command.
    gc.set_threshold(50_000, 50, 50)
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # whoever read it has gone
        code = code or 1
    # All of ours is closed and written by now. The interpreter taking itself apart costs 0.1 s and changes nothing.
    os._exit(code)


if __name__ == "__main__":
    entry()
