"""Placeholders in the commands of a benchmark's own preparation script. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.domain.source import Scripted
from orchestrator.errors import AssetError

_PLACEHOLDER = re.compile(r"\{(?:in:(?P<input>[A-Za-z0-9][A-Za-z0-9._@-]*)|(?P<place>out|work))\}")
_SUSPECT = re.compile(r"\{(?:in\b|out|work)[^{}]*\}?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders inside the container: one for each input, the one to fill, and one for scratch files."""

    inputs: Mapping[str, PurePosixPath]
    output: PurePosixPath
    work: PurePosixPath


def filled(text: str, places: Places) -> str:
    """The text with `{in:NAME}`, `{out}` and `{work}` replaced; other braces stay. AssetError for an unknown input."""

    def place(match: re.Match[str]) -> str:
        name = match["input"]
        if name is None:
            return str(places.output if match["place"] == "out" else places.work)
        if name not in places.inputs:
            raise AssetError(f"'{{in:{name}}}' is no input of the script; it has: {', '.join(sorted(places.inputs))}")
        return str(places.inputs[name])

    return _PLACEHOLDER.sub(place, text)


def script_faults(source: Scripted) -> Iterator[str]:
    """What is wrong with an entry of this kind, one line for each: commands, placeholders, inputs that nobody reads."""
    if not source.commands or not all(words and words[0] for words in source.commands):
        yield "has a command without words"
    texts = [word for words in source.commands for word in words]
    texts += [value for _, value in source.environment] + [source.workdir or ""]
    read = {match["input"] for text in texts for match in _PLACEHOLDER.finditer(text) if match["input"]}
    written = any(match["place"] == "out" for text in texts for match in _PLACEHOLDER.finditer(text))
    yield from (f"reads '{{in:{name}}}', which is none of its inputs" for name in sorted(read - set(source.inputs)))
    yield from (f"never reads its input '{name}'" for name in source.inputs if name not in read)
    if not written:
        yield "never names {out}: it can leave nothing"
    for text in texts:
        rest = _PLACEHOLDER.sub("", text)
        yield from (f"'{match[0]}' is no placeholder" for match in _SUSPECT.finditer(rest))
