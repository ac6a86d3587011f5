"""What drivers over a vendor's own image share: the entry script of our thin layer, its options, and who owns what.

Pure. Shared by the drivers of Intel and AMD; the script is dockerfiles/thin/enter.sh.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.domain.container import Mount
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Tier
from orchestrator.errors import UsageError
from orchestrator.implementations.common import check_knob, knobs_of

ENTER = "/opt/mlperf-docker/enter.sh"
KEPT = PurePosixPath("/mlperf-docker/kept")
ROOT_USER = (0, 0)
# Root's own home, as the vendors' instructions have it: some images set their Python up in its ~/.bashrc.
ROOT_VARIABLES = (("HOME", "/root"), ("USER", "root"))
# Root without these cannot write into folders of the caller, nor give back what it wrote.
FILE_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")

_SYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Options of the entry script. `own` are the folders that belong to the caller when the container ends.

    `place` copies files before the command and removes them after it, `absent` removes what an earlier run forgot,
    `scaled` is Intel's form of a user.conf, `first` are scripts run before, `recall` a folder of earlier runs that has
    to bring `expect` (for `needed_by`), `keep` one that outlives the run, `gather` collects LoadGen's logs from folders
    that match a pattern.
    """

    own: tuple[PurePosixPath, ...]
    place: tuple[tuple[PurePosixPath, PurePosixPath], ...] = ()
    absent: tuple[PurePosixPath, ...] = ()
    scaled: tuple[PurePosixPath, PurePosixPath] | None = None
    first: tuple[str, ...] = ()
    recall: tuple[PurePosixPath, PurePosixPath] | None = None
    expect: tuple[str, ...] = ()
    needed_by: str | None = None
    keep: tuple[PurePosixPath, PurePosixPath] | None = None
    gather: tuple[tuple[str, PurePosixPath], ...] = ()

    def command(self, on: Situation, *command: str) -> tuple[str, ...]:
        """The whole argument vector: the entry script, its options, the vendor's command."""
        pairs: list[tuple[str, str]] = [("--owner", f"{on.user[0]}:{on.user[1]}")]
        pairs += [("--own", str(folder)) for folder in self.own]
        pairs += [("--absent", str(path)) for path in self.absent]
        pairs += [("--place", f"{source}={target}") for source, target in self.place]
        if self.scaled is not None:
            pairs.append(("--scaled", f"{self.scaled[0]}={self.scaled[1]}"))
        if self.recall is not None:
            pairs += [("--needed-by", self.needed_by or "this"), ("--recall", f"{self.recall[0]}={self.recall[1]}")]
            pairs += [("--expect", pattern) for pattern in self.expect]
        pairs += [("--first", script) for script in self.first]
        pairs += [("--gather", f"{pattern}={target}") for pattern, target in self.gather]
        if self.keep is not None:
            pairs.append(("--keep", f"{self.keep[0]}={self.keep[1]}"))
        return ("/bin/sh", ENTER, *(word for pair in pairs for word in pair), "--", *command)


def system_name(text: str) -> str:
    """A system name that a vendor's unquoted shell scripts can carry in paths; UsageError names what is wrong."""
    if not _SYSTEM.fullmatch(text) or text == "AUTO":
        raise UsageError(
            f"'{text}' cannot be a system name for this harness: its scripts build paths from it without quotes",
            hint="use letters, digits, '.', '_' and '-' (at most 64), and not AUTO, which lets the scripts guess",
        )
    return text


def options(spec: RunSpec, on: Situation) -> dict[str, str]:
    """The `--set` options, checked against the implementation's knobs; unknown names were refused before."""
    known = knobs_of(spec, on)
    given = dict(spec.knobs.extra)
    for name, value in given.items():
        if name in known:
            check_knob(name, known[name], value)
    return given


def check_tuning(spec: RunSpec, given: Mapping[str, str]) -> bool:
    """Whether scripts that tune the host shall run; UsageError without the privileges that they need."""
    if given.get("host_tuning", "no") != "yes":
        return False
    if spec.privileges is not Tier.VENDOR:
        raise UsageError(
            "--set host_tuning=yes needs --privileges vendor: the vendor's script writes sysctls, CPU governors and "
            "caches of this machine",
            hint="leave it out (figures may be lower), or tune the machine yourself before the run",
        )
    return True


def nested(
    folder: Path, at: PurePosixPath, inner: Path | None, inner_at: str | None, *, file: str | None = None
) -> tuple[Mount, ...]:
    """A writable folder that outlives the run at `at`, with an asset shown read-only inside it (or in its place).

    `file` is the one file of the asset that is shown, under the name that the harness expects.
    """
    if inner is not None and file is not None:
        inner = inner / file
    if inner is not None and inner_at is not None and PurePosixPath(inner_at) == at:
        return (Mount(source=inner, target=at),)
    whole = Mount(source=folder, target=at, read_only=False, create=True)
    if inner is None or inner_at is None:
        return (whole,)
    return (whole, Mount(source=inner, target=PurePosixPath(inner_at)))


def refuse_settings(spec: RunSpec, harness: str, *, takes: str) -> None:
    """UsageError for LoadGen settings that a harness has no way to be given."""
    wishes = spec.loadgen
    given = {
        "--min-duration": wishes.min_duration_ms is not None,
        "--target-latency": wishes.target_latency_ms is not None,
        "--user-conf": wishes.user_conf is not None,
        "--test-query-count": wishes.test_query_count is not None,
    }
    refused = [name for name, is_given in given.items() if is_given]
    if refused:
        raise UsageError(
            f"{', '.join(refused)} cannot be given to {harness}: it takes {takes} and nothing else",
            hint="leave it out; the harness's own settings hold",
        )
