"""Judge texts: word accuracy of transcripts, and whether an answer names what was asked for. Standard library alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORDS = re.compile(r"[a-z0-9']+")


def words(text: str) -> list[str]:
    """Words in lower case, without accents and punctuation, so that only what is heard counts."""
    plain = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _WORDS.findall(bare.lower().replace("’", "'"))


def word_errors(heard: Sequence[str], spoken: Sequence[str]) -> int:
    """Words that were put in, left out or replaced: the least number of changes that turns one into the other."""
    row = list(range(len(spoken) + 1))
    for place, word in enumerate(heard, start=1):
        before, row[0] = row[0], place
        for at, other in enumerate(spoken, start=1):
            before, row[at] = row[at], min(before + (word != other), row[at] + 1, row[at - 1] + 1)
    return row[-1]


def names(answer: str, wanted: str) -> bool:
    """Whether the words of `wanted` stand in the answer, side by side."""
    have, want = words(answer), words(wanted)
    return bool(want) and any(have[at : at + len(want)] == want for at in range(len(have) - len(want) + 1))
