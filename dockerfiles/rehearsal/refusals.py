"""What a stand-in refuses: every variable, argument and mounted path that the vendor does not document.

The tables with their sources lie beside it (documented.json). Raises Refused, which ends the stand-in with status 64.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

LAYER = Path("/opt/mlperf-docker/layer.txt")
# What any container has; MLPERF_DOCKER_* belongs to our own thin layer, and no vendor's code reads it.
_PLAIN = re.compile(
    r"PATH|HOME|USER|HOSTNAME|PWD|OLDPWD|SHLVL|_|LANG|LC_\w+|TERM|PYTHON\w*|GPG_KEY|MLPERF_DOCKER_\w+|(?i:\w+_proxy)"
)
_SYSTEM_MOUNTS = (
    "/proc",
    "/sys",
    "/dev",
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/mlperf-docker",
    "/usr/sbin/docker-init",
    "/sbin/docker-init",
)


def refuse(what: str) -> NoReturn:
    """End the stand-in: the driver used something that is not documented."""
    sys.exit(f"REHEARSAL REFUSED: {what}")


def documented(vendor: str) -> "dict[str, object]":
    """The vendor's table."""
    found: dict[str, object] = json.loads(Path(f"/opt/rehearsal/{vendor}/documented.json").read_text())
    return found


def layer() -> "tuple[str, str]":
    """Entry and round of the image that this stand-in takes the place of."""
    lines = dict(line.split(" ", 1) for line in LAYER.read_text().splitlines() if line.startswith(("entry ", "round ")))
    return lines["entry"], lines["round"]


def check_variables(known: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse variables that no documentation names, and values outside those it gives."""
    for name, value in sorted(os.environ.items()):
        if _PLAIN.fullmatch(name):
            continue
        if name not in known:
            refuse(f"variable {name}={value} is not documented (documented: {', '.join(sorted(known))})")
        takes = known[name].get("takes")
        if isinstance(takes, list) and value not in takes:
            refuse(f"{name}={value}: {known[name]['source']} takes {', '.join(takes)}")


def check_mounts(allowed: Mapping[str, str]) -> None:
    """Refuse host folders mounted where the vendor's instructions name no path."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split(" ")[4]
        system = target == "/" or any(target == each or target.startswith(each + "/") for each in _SYSTEM_MOUNTS)
        if not system and not any(target == each or target.startswith(each + "/") for each in allowed):
            refuse(f"something is mounted at {target}; documented are {', '.join(sorted(allowed))}")
