"""The accuracy run: figures against targets, the whole data set, its log cut and hashed. Pure but for the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.domain.benchmark import AccuracyTarget
from orchestrator.domain.case import accuracy_samples
from orchestrator.domain.submission import Fault
from orchestrator.domain.terms import Scenario
from orchestrator.layouts.paths import ACCURACY_LOG, ACCURACY_TEXT, DETAIL
from orchestrator.submission.check.performance import readable
from orchestrator.submission.check.rules import ModelRules
from orchestrator.submission.check.unit import Unit

LONGEST_LOG_BYTES = 10 * 1024
_HASH = re.compile(r"^hash=([\w\d]+)$")


def accuracy(unit: Unit) -> Iterator[Fault]:
    """Findings about the accuracy folder."""
    if unit.endpoints or unit.model is None:
        return
    yield from _log(unit, unit.model)
    yield from _text(unit, unit.model)
    yield from _accuracy_log(unit)
    yield from _outputs(unit, unit.model)


def _log(unit: Unit, model: ModelRules) -> Iterator[Fault]:
    path = unit.layout.accuracy(unit.place) / DETAIL
    log = unit.accuracy
    if log is None:
        yield unit.missing("accuracy_missing", path, "LoadGen's detail log is missing", "copy it from the accuracy run")
        return
    yield from readable(unit, path, log)
    if log.errors:
        yield unit.fault(
            "accuracy_error",
            path,
            f"LoadGen logged an error: {' '.join(log.errors[0].text.split())}",
            "mend what it says and run again",
            line=log.errors[0].line,
        )
    wanted = model.rules.accuracy_count(unit.scenario or Scenario.OFFLINE)
    found = accuracy_samples(log)
    if found != wanted:
        yield unit.fault(
            "accuracy_samples",
            path,
            f"the run was over {'unknown' if found is None else found} samples; the data set has {wanted}",
            "run over the whole data set",
        )


def figures(
    text: str, targets: Sequence[AccuracyTarget], lines: Mapping[str, re.Pattern[str]]
) -> dict[str, list[tuple[int, float]]]:
    """Every figure of each metric in an accuracy.txt, with its line."""
    found: dict[str, list[tuple[int, float]]] = {target.metric: [] for target in targets}
    for at, line in enumerate(text.splitlines(), start=1):
        for metric, values in found.items():
            pattern = lines.get(metric)
            match = pattern.search(line) if pattern is not None else None
            if match:
                values.append((at, float(match[1])))
    return found


def hash_of(text: str) -> str | None:
    """What the `hash=` line says."""
    return next((match[1] for line in text.splitlines() if (match := _HASH.match(line))), None)


def _text(unit: Unit, model: ModelRules) -> Iterator[Fault]:
    path = unit.layout.accuracy(unit.place) / ACCURACY_TEXT
    text = unit.accuracy_text
    if text is None:
        yield unit.missing("accuracy_missing", path, "it is missing", "keep what the accuracy script prints in it")
        return
    rules = model.rules
    if hash_of(text) is None:
        yield unit.fault(
            "accuracy_hash",
            path,
            "it has no hash line",
            "truncate the log by the rules repository's tools/submission/truncate_accuracy_log.py",
        )
    if not unit.closed:
        return  # the open division reports whatever it reached
    targets = rules.targets(unit.scenario or Scenario.OFFLINE)
    found = figures(text, targets, model.lines)
    for target in targets:
        yield from _held(unit, model, target, found[target.metric])


def _held(unit: Unit, model: ModelRules, target: AccuracyTarget, found: list[tuple[int, float]]) -> Iterator[Fault]:
    path = unit.layout.accuracy(unit.place) / ACCURACY_TEXT
    lower = target.lower_limit(model.rules.dataset_samples)
    if not found:
        yield unit.fault(
            "accuracy_unknown",
            path,
            f"no line gives {target.metric}",
            "keep what the official accuracy script prints (numpy 2 prints np.float64(…): use numpy 1)",
        )
    for line, value in found:
        if value < lower:
            yield unit.fault(
                "accuracy_low",
                path,
                f"{target.metric} is {value:g}; at least {lower:.6g} is asked",
                "a closed result has to reach it",
                line=line,
            )
        elif target.upper_limit is not None and value > target.upper_limit:
            yield unit.fault(
                "accuracy_high",
                path,
                f"{target.metric} is {value:g}; at most {target.upper_limit:g} is allowed",
                "check what was scored",
                line=line,
            )


def _accuracy_log(unit: Unit) -> Iterator[Fault]:
    path = unit.layout.accuracy(unit.place) / ACCURACY_LOG
    size = unit.tree.size(path)
    if size is None:
        yield unit.fault("accuracy_log_missing", path, "it is missing", "keep its truncated form")
    elif size > LONGEST_LOG_BYTES:
        yield unit.fault(
            "accuracy_log_long",
            path,
            f"it has {size} bytes; {LONGEST_LOG_BYTES} are allowed",
            "truncate it (its hash goes into accuracy.txt)",
        )


def _outputs(unit: Unit, model: ModelRules) -> Iterator[Fault]:
    """Outputs of some samples that the closed division keeps (pictures, videos), by folder."""
    if not unit.closed:
        return
    for name, samples in model.rules.extra_files.items():
        folder = unit.layout.accuracy(unit.place) / name
        there = {each.partition(".")[0] for each in unit.tree.folder(folder).files}
        lacking = sorted(set(samples) - there)
        if lacking:
            yield unit.fault(
                "accuracy_outputs",
                folder,
                f"outputs are missing for the samples {', '.join(lacking)}",
                "keep them in the accuracy run",
            )
