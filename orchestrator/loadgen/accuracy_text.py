"""Read accuracy.txt as the official accuracy scripts write it. Text in, figures out; computes nothing.

The form of each benchmark's lines is the catalogue's (`accuracy_script.lines`); figures are in the script's own scale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# Forms that hold where a benchmark names none: those of image classification and question answering.
_PLAIN = {
    "acc": r"^accuracy=([\d.]+)",
    "F1": r"^\{[\"']exact_match[\"']:\s*[\d.]+,\s*[\"']f1[\"']:\s*([\d.]+)\}",
}
_HASH = re.compile(r"^hash=(\w+)", re.MULTILINE)
_TOTAL = re.compile(r"\btotal=(\d+)")
_GOOD = re.compile(r"\bgood=(\d+)")


def read_metrics(text: str, metrics: Sequence[str], lines: Mapping[str, str]) -> dict[str, float]:
    """The figures of those metrics that the text holds; the last of several wins, as the scripts print totals last.

    `lines` are patterns by metric, each with one group: the number.
    """
    found: dict[str, float] = {}
    for metric in metrics:
        pattern = lines.get(metric, _PLAIN.get(metric))
        values = re.findall(pattern, text, re.MULTILINE) if pattern else ()
        if values:
            found[metric] = float(values[-1])
    return found


def read_counts(text: str) -> tuple[int | None, int | None]:
    """`good=` and `total=`, where the script prints them."""
    good, total = _GOOD.search(text), _TOTAL.search(text)
    return (int(good[1]) if good else None, int(total[1]) if total else None)


def read_hash(text: str) -> str | None:
    """The `hash=` line: sha256 of the untruncated accuracy log; None without one."""
    found = _HASH.search(text)
    return found[1] if found else None
