"""The tokens of a model folder with byte-level encoding, and the bytes they spell. Standard library alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from orchestrator.sut.faults import bad_input


def _bytes_of_letters() -> dict[str, int]:
    """The byte that each letter of a byte-level token stands for: printable ones for themselves, others from 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _bytes_of_letters()


def read_tokens(folder: Path) -> list[str]:
    """Tokens by id, from vocabulary.json (a list) or vocabulary.txt (one in each line)."""
    for name in ("vocabulary.json", "vocabulary.txt"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
            tokens = json.loads(text) if name.endswith(".json") else text.removesuffix("\n").split("\n")
        except ValueError as error:
            raise bad_input(path, str(error)) from error
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise bad_input(path, "is not a list of tokens")
        return tokens
    raise bad_input(folder, "holds no vocabulary.json: not a CTranslate2 model folder")


def spelled(tokens: Iterable[str]) -> bytes:
    """The text of tokens as UTF-8; marks such as `<|endoftext|>` spell nothing."""
    words = (token for token in tokens if not (token.startswith("<|") and token.endswith("|>")))
    return b"".join(bytes(_BYTES.get(letter, ord("?")) for letter in word) for word in words).strip()
