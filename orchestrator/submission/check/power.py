"""Measured power: the session's files, and watts within the measured window. The session's own proof is power-dev's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath

from orchestrator.domain.submission import Fault
from orchestrator.layouts.paths import ACCURACY_LOG, DETAIL, POWER_FILES, SPL, SUMMARY
from orchestrator.submission.check.unit import Unit

_RUN = frozenset({DETAIL, SUMMARY, SPL})
_OPTIONAL = frozenset({ACCURACY_LOG, "mlperf_log_trace.json", "results.json", ".gitkeep"})
_SAMPLE = re.compile(r"^Time,(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d{3}),Watts,([-+0-9.eE]+),")
_WHEN = "%m-%d-%Y %H:%M:%S.%f"


def power(unit: Unit) -> Iterator[Fault]:
    """Findings about a result with a power folder."""
    folder = unit.layout.power(unit.place)
    if not unit.tree.has_folder(folder):
        return
    run, ranging = unit.layout.performance(unit.place), unit.layout.ranging(unit.place)
    for where, wanted in ((folder, frozenset(POWER_FILES)), (run, _RUN), (ranging, _RUN)):
        there = frozenset(unit.tree.folder(where).files)
        odd = (there - wanted - _OPTIONAL) | (wanted - there)
        if odd:
            yield unit.fault(
                "power_files",
                where,
                f"files that do not belong there, or lack: {', '.join(sorted(odd))}",
                "keep exactly what the power session gives (ptd_out.txt is to be deleted)",
            )
    if unit.performance is not None and watts(unit) is None:
        yield unit.fault(
            "power_samples", run / SPL, "no watts lie within the measured window", "check the analyzer and the clocks"
        )


def watts(unit: Unit) -> float | None:
    """Mean of the analyzer's samples between LoadGen's power_begin and power_end; None where there is none."""
    log = unit.performance
    path = unit.layout.performance(unit.place) / SPL
    if log is None or unit.tree.size(path) is None:
        return None
    begin, end = _when(log.values.get("power_begin")), _when(log.values.get("power_end"))
    if begin is None or end is None:
        return None
    found = [float(match[2]) for match in _samples(unit, path) if begin < (_when(match[1]) or begin) < end]
    mean = sum(found) / len(found) if found else 0.0
    return mean if mean > 0 else None


def _samples(unit: Unit, path: PurePosixPath) -> Iterator[re.Match[str]]:
    for line in unit.tree.text(path).splitlines():
        if match := _SAMPLE.match(line):
            yield match


def _when(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), _WHEN).replace(tzinfo=UTC)
    except ValueError:
        return None
