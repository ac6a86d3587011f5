"""interface.tsv as values: what this round's published code takes, each with its source. All else is refused."""

import os
import re
import sys
from pathlib import Path

HERE = Path("/opt/rehearsal/nvidia")
ROUND = (HERE / "round").read_text().strip()
# What any container or our own layer has, and no code of NVIDIA's reads.
_PLAIN = re.compile(
    r"PATH|HOME|HOSTNAME|PWD|OLDPWD|SHLVL|_|LANG|LC_\w+|TERM|TMPDIR|USER|LOGNAME|PYTHON\w*|GPG_KEY|VIRTUAL_ENV"
    r"|NVIDIA_DRIVER_CAPABILITIES|PIP_BREAK_SYSTEM_PACKAGES|(?i:\w+_proxy)"
)


def refuse(what: str) -> "None":
    """End the stand-in: the driver used something that is not documented."""
    sys.exit(f"REHEARSAL REFUSED: {what}")


def names(kind: str) -> "dict[str, str]":
    """Names of one kind (target, variable, environment, flag, benchmark, scenario, path) with their sources."""
    found = {}
    for line in (HERE / "interface.tsv").read_text().splitlines():
        if not line.startswith("#"):
            round_name, its_kind, name, source = line.split("\t")
            if round_name == ROUND and its_kind == kind:
                found[name] = source
    return found


def require(kind: str, name: str) -> str:
    """The name, if the published code of the round has it."""
    known = names(kind)
    if name not in known:
        refuse(f"{kind} '{name}' is not in NVIDIA's code of {ROUND}; it has {', '.join(sorted(known))}")
    return name


def check_environment() -> None:
    """Refuse variables that no Makefile or field of the round reads."""
    for name in sorted(os.environ):
        if not _PLAIN.fullmatch(name):
            require("environment", name)


def check_scratch() -> Path:
    """The scratch folder: mounted, writable, and at the path that it has on the host."""
    scratch = Path(os.environ.get("MLPERF_SCRATCH_PATH") or refuse("MLPERF_SCRATCH_PATH is not set") or "")
    mounts = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split(" ")
        mounts[words[4]] = words[3]
    if str(scratch) not in mounts:
        refuse(f"MLPERF_SCRATCH_PATH={scratch} is no mounted folder")
    # The host's path is known but for the part above its own file system's root.
    if not str(scratch).endswith(mounts[str(scratch)].rstrip("/")):
        refuse(f"{scratch} is another path on the host (…{mounts[str(scratch)]}): the harness's links would break")
    if not os.access(scratch, os.W_OK):
        refuse(f"{scratch} cannot be written by uid {os.getuid()}")
    return scratch
