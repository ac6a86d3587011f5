"""What the stand-ins of Qualcomm's rehearsal have in common: the table of what is published, and its refusals."""

import os
import sys
from pathlib import Path

sys.path.insert(0, "/opt/rehearsal")

import refusals

TABLE = refusals.documented("qualcomm")


def check(variables: "dict[str, dict[str, object]]") -> None:
    """Refuse variables and mounts that nothing documents."""
    plain = {name: {"source": source} for name, source in TABLE["plain"].items()}
    listed = {name: {"source": each["source"], "takes": _listed(each)} for name, each in variables.items()}
    refusals.check_variables({**plain, **listed})
    refusals.check_mounts(TABLE["mounts"])


def _listed(described: "dict[str, object]") -> object:
    takes = described.get("takes")
    return takes if isinstance(takes, list) else None


def must_exist(command: str, what: str, path: str) -> None:
    """Refuse a path that is not there, where the published code would fail."""
    if not Path(path).exists():
        refusals.refuse(f"{command}: {what} {path} is not there")


def say(command: str) -> None:
    """What everyone who reads the log has to know."""
    print(f"REHEARSAL: {command} is a stand-in for the published one; no figure means anything", flush=True)


def whole(name: str) -> int:
    """A variable that has to be a whole number."""
    value = os.environ[name]
    if not value.isdigit():
        refusals.refuse(f"{name}={value} is no whole number")
    return int(value)
