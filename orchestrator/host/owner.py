"""Who owns a container or a lock: `<boot id>:<pid>:<start time>`, and whether that owner still lives."""

from __future__ import annotations

import functools
import os
from pathlib import Path


@functools.cache
def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, or None when there is none (or only its zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


def owner_label() -> str:
    """This process's label."""
    return f"{boot_id()}:{os.getpid()}:{start_time(os.getpid())}"


def owner_lives(label: str) -> bool:
    """Whether the process that wrote the label is the one that runs under its pid now. Malformed: no."""
    boot, _, rest = label.partition(":")
    pid, _, started = rest.partition(":")
    return boot == boot_id() and pid.isdigit() and start_time(int(pid)) == started
