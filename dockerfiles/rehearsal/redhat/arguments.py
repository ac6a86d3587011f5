"""Reads a command line by the vendor's documented options (documented.json) and refuses everything else."""

import sys
from pathlib import Path

sys.path.insert(0, "/opt/rehearsal")

import refusals


def read(command: str, words: "list[str]", positional: "tuple[str, ...]" = ()) -> "dict[str, str]":
    """Options by name; a flag without a value is "yes". Refuses what the command does not document."""
    table = refusals.documented("redhat")
    known = table["commands"][command]
    found: "dict[str, str]" = {}
    rest, places = list(words), list(positional)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            if not places:
                refusals.refuse(f"{command}: '{word}' has no option before it")
            found[places.pop(0)] = word
        elif word not in known:
            refusals.refuse(f"{command}: {word} is not documented (documented: {', '.join(sorted(known))})")
        elif known[word]["takes"] == "nothing":
            found[word] = "yes"
        elif not rest or rest[0].startswith("--"):
            refusals.refuse(f"{command}: {word} needs a value")
        else:
            found[word] = _value(command, word, rest.pop(0), known[word])
    missing = [name for name, option in known.items() if option.get("required") and name not in found]
    if missing or places:
        refusals.refuse(f"{command}: {', '.join((*missing, *places))} is missing")
    refusals.check_variables(table["variables"])
    refusals.check_mounts(table["mounts"])
    return found


def _value(command: str, name: str, value: str, option: "dict[str, object]") -> str:
    takes = option["takes"]
    if isinstance(takes, list) and value not in takes:
        refusals.refuse(f"{command}: {name} {value}: {option['source']} takes {', '.join(takes)}")
    try:
        if takes == "int":
            int(value)
        if takes == "float":
            float(value)
    except ValueError:
        refusals.refuse(f"{command}: {name} {value}: {option['source']} takes a number ({takes})")
    return value


def say(command: str) -> None:
    """What everyone who reads the log has to know."""
    print(f"REHEARSAL: {command} is a stand-in for the published one; no figure means anything", flush=True)


def must_exist(command: str, what: str, path: str) -> None:
    """Refuse a path that is not there, where the published code would fail."""
    if not Path(path).exists():
        refusals.refuse(f"{command}: {what} {path} is not there")
