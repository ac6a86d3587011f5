"""Call one command's Typer app and translate whatever it ends with: exit code, message, hint, bug file."""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
import typer.main

from orchestrator.cli.commands import COMMANDS
from orchestrator.domain.suggest import unknown
from orchestrator.errors import ExitCode, MlperfDockerError, UsageError

# Typer carries its own copy of Click in newer versions and depends on it in older ones; this names it in both.
_CLICK_USAGE_ERROR, _CLICK_ERROR = (
    next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == name and issubclass(cls, Exception))
    for name in ("UsageError", "ClickException")
)


_OPTIONS = ("--help", "--install-completion", "--show-completion", "--version")
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names."""
    as_json = "--json" in arguments
    try:
        return _call(arguments)
    except MlperfDockerError as error:
        return fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return fail(_interrupted(), as_json=as_json)
    except BrokenPipeError:
        return int(ExitCode.FAILURE)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            return fail(_refused(error), as_json=as_json)
        return _bug(error, as_json=as_json)


def _call(arguments: Sequence[str]) -> int:
    name, *rest = arguments
    if name not in COMMANDS:
        raise unknown("option", name, _OPTIONS) if name.startswith("-") else unknown("command", name, COMMANDS)
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # under nohup a closed terminal stops nothing
        signal.signal(signal.SIGHUP, _terminate)
    app = importlib.import_module(COMMANDS[name].module).app
    command = typer.main.get_command(app)
    known: dict[str, object] = getattr(command, "commands", {})
    if known and rest and not rest[0].startswith("-") and rest[0] not in known:
        raise unknown(f"{name} command", rest[0], known)
    try:
        # Not command.main(): Typer's turns an interruption into a silent exit, and we owe the user a last word.
        with command.make_context(f"mlperf-docker {name}", rest) as context:
            code = command.invoke(context)
    except _CLICK_USAGE_ERROR as error:
        raise _usage_error(error, name) from None
    except typer.Exit as ending:
        code = ending.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _CLICK_ERROR as error:
        raise UsageError(_message(error)) from None
    return int(code or 0)


def fail(error: MlperfDockerError, *, as_json: bool) -> int:
    """Say what went wrong and what to do, without secrets; under --json as the one document on stdout."""
    code = int(error.exit_code)
    cause, hint = _without_secrets(str(error)), _without_secrets(error.hint or "") or None
    if as_json:
        named = {"kind": type(error).__name__, "cause": cause, "hint": hint, "where": error.where}
        document = {"schema_version": 1, "exit_code": code, "error": named}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    for line in cause.splitlines() or [type(error).__name__]:
        sys.stderr.write(f"{line}\n" if line.startswith(" ") else f"error: {line}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    return code


def _without_secrets(text: str) -> str:
    from orchestrator.domain.redact import redact_text, secrets_of

    return redact_text(text, secrets_of(os.environ))


def _usage_error(error: Any, name: str) -> UsageError:
    context = getattr(error, "ctx", None)
    asked = context.command_path if context else f"mlperf-docker {name}"
    return UsageError(_message(error), hint=f"{asked} --help lists what is possible")


def _message(error: Any) -> str:
    return str(error.format_message())


def _refused(error: OSError) -> MlperfDockerError:
    return MlperfDockerError(
        f"{error.filename or 'a file'}: {error.strerror}", hint="free space or get the right to write there"
    )


def _interrupted() -> MlperfDockerError:
    from orchestrator.errors import InterruptedRun

    return InterruptedRun("interrupted", hint="continue with the same command and --resume")


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _bug(error: Exception, *, as_json: bool) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="mlperf-docker-bug-", suffix=".txt", delete=False) as file:
        file.write(_without_secrets("".join(traceback.format_exception(error))))
    found = _BugError(
        f"a bug of mlperf-docker: {type(error).__name__}: {error}",
        hint=f"please report it with {Path(file.name)}",
    )
    return fail(found, as_json=as_json)


class _BugError(MlperfDockerError):
    exit_code = ExitCode.BUG


def whole_app() -> typer.Typer:
    """All commands in one app, for shell completion only: it loads every module."""
    whole = typer.Typer(name="mlperf-docker")
    for name, entry in COMMANDS.items():
        app = importlib.import_module(entry.module).app
        if len(app.registered_commands) == 1 and app.registered_callback is None and not app.registered_groups:
            whole.command(name, help=entry.summary)(app.registered_commands[0].callback)
        else:
            whole.add_typer(app, name=name, help=entry.summary)
    return whole


def completion(arguments: Sequence[str]) -> int:
    """Typer's own --install-completion and --show-completion, and the words that a completing shell asks for."""
    try:
        return int(whole_app()(args=list(arguments), prog_name="mlperf-docker", standalone_mode=False) or 0)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ExitCode.OK)
    except _CLICK_ERROR as error:
        return fail(UsageError(_message(error), hint="shells: bash, zsh, fish"), as_json=False)
