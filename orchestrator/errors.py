"""One exception family: whose fault it is, the exit code, what to do next. Raises nothing itself."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The process's exit status; every value says whose fault it was (documented in docs/exit-codes.md)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    PREFLIGHT = 3
    ASSET = 4
    IMAGE = 5
    ENGINE = 6
    SCHEDULER = 7
    HARNESS = 8
    INVALID = 9
    SUBMISSION = 10
    BUG = 70
    INTERRUPTED = 130


class MlperfDockerError(Exception):
    """A deliberate failure with a cause for a person and an exit code for a script.

    `hint` is the remedy, `where` a `file:line:column` when a text is at fault. `wait_s`: how long the other side asked
    to be left alone before another try.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE
    retryable: ClassVar[bool] = False
    wait_s: float = 0.0

    def __init__(self, cause: str, *, hint: str | None = None, where: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.cause}" if self.where else self.cause


class UsageError(MlperfDockerError):
    """The request itself is wrong: an unknown name, an impossible combination, a bad value."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """One or more faults in a text the user or the catalogue wrote; `faults` has one line for each, with its place."""

    def __init__(self, faults: tuple[str, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(faults), hint=hint)
        self.faults = faults


class PreflightError(MlperfDockerError):
    """The machine lacks something that the plan needs; nothing was started."""

    exit_code = ExitCode.PREFLIGHT


class AssetError(MlperfDockerError):
    """A model or data set could not be had, or is not what it should be."""

    exit_code = ExitCode.ASSET


class TransientAssetError(AssetError):
    """A download failed in a way that another try may cure."""

    retryable = True


class ImageError(MlperfDockerError):
    """An image could not be rendered, built, pulled or found."""

    exit_code = ExitCode.IMAGE


class TransientImageError(ImageError):
    """A registry failed in a way that another try may cure."""

    retryable = True


class EngineError(MlperfDockerError):
    """The container engine or the node is missing, broken, or cannot do what the plan needs."""

    exit_code = ExitCode.ENGINE


class TransientEngineError(EngineError):
    """The engine failed in a way that another try may cure."""

    retryable = True


class HarnessError(MlperfDockerError):
    """The harness ran and failed; never retried."""

    exit_code = ExitCode.HARNESS


class InterruptedRun(MlperfDockerError):  # noqa: N818 - not an error of anybody's
    """The user or the system asked the controller to stop."""

    exit_code = ExitCode.INTERRUPTED
