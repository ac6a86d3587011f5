"""The tokens of a model with byte-level encoding, and the text that a stream of them spells. Pure but for reading."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from orchestrator.serving.fault import BAD_INPUT, ServingError


def _bytes_of_letters() -> dict[str, int]:
    """The byte that each letter of a byte-level token stands for: printable ones for themselves, others from 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _bytes_of_letters()


class Vocabulary:
    """Tokens by id. A token in angle brackets with bars (`<|im_end|>`) is a mark and spells nothing."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._spelled = [_spelled(token) for token in tokens]

    def __len__(self) -> int:
        return len(self.tokens)

    def spelled(self, token: int) -> bytes:
        """The bytes that a token adds to a text."""
        return self._spelled[token]


class Text:
    """Spells tokens one after another; characters appear once they are whole."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        """What this token adds, perhaps nothing yet."""
        return self._decoder.decode(self._vocabulary.spelled(token))

    def rest(self) -> str:
        """What is left of a character that never became whole."""
        return self._decoder.decode(b"", final=True)


def read_vocabulary(folder: Path) -> Vocabulary:
    """From a model folder's vocabulary.json (a list) or vocabulary.txt (a token in each line)."""
    for name in ("vocabulary.json", "vocabulary.txt"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
            tokens = json.loads(text) if name.endswith(".json") else text.removesuffix("\n").split("\n")
        except ValueError as error:
            raise ServingError(f"{path}: {error}", exit_code=BAD_INPUT) from error
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise ServingError(f"{path} is not a list of tokens", exit_code=BAD_INPUT)
        return Vocabulary(tokens)
    raise ServingError(f"{folder} holds no vocabulary.json: not a CTranslate2 model folder", exit_code=BAD_INPUT)


def _spelled(token: str) -> bytes:
    if token.startswith("<|") and token.endswith("|>"):
        return b""
    try:
        return bytes(_BYTES[letter] for letter in token)
    except KeyError:
        return token.encode()
