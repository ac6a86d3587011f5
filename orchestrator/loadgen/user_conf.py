"""LoadGen's user.conf: check a user's own, write ours. Text in, text out; never opens a file, decides no setting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.suggest import nearest
from orchestrator.domain.terms import Scenario
from orchestrator.errors import ConfigError, UsageError


class _Kind(Enum):
    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "0 or 1"
    PERCENT = "a percentage such as 99"


_LOADGEN_SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")
_RATES = frozenset({"Server", "Offline"})
_LATENCIES = frozenset({"SingleStream", "MultiStream", "Server"})

# Key: what it takes, and the scenarios that read it (empty: all). Tried with LoadGen 6.0.17 and FromConfig.
_KEYS: Mapping[str, tuple[_Kind, frozenset[str]]] = {
    "min_duration": (_Kind.WHOLE, frozenset()),
    "max_duration": (_Kind.WHOLE, frozenset()),
    "min_query_count": (_Kind.WHOLE, frozenset()),
    "max_query_count": (_Kind.WHOLE, frozenset()),
    "performance_sample_count_override": (_Kind.WHOLE, frozenset()),
    "accuracy_sample_count_override": (_Kind.WHOLE, frozenset()),
    "accuracy_log_rng_seed": (_Kind.WHOLE, frozenset()),
    "accuracy_log_sampling_target": (_Kind.WHOLE, frozenset()),
    "performance_issue_same_index": (_Kind.WHOLE, frozenset()),
    "performance_issue_same": (_Kind.FLAG, frozenset()),
    "performance_issue_unique": (_Kind.FLAG, frozenset()),
    "print_timestamps": (_Kind.FLAG, frozenset()),
    "sample_concatenate_permutation": (_Kind.FLAG, frozenset()),
    "use_token_latencies": (_Kind.FLAG, frozenset()),
    "infer_token_latencies": (_Kind.FLAG, frozenset()),
    "ttft_latency": (_Kind.WHOLE, frozenset()),
    "tpot_latency": (_Kind.WHOLE, frozenset()),
    "target_qps": (_Kind.NUMBER, _RATES),
    "target_latency": (_Kind.NUMBER, _LATENCIES),
    "target_latency_percentile": (_Kind.PERCENT, _LATENCIES),
    "samples_per_query": (_Kind.WHOLE, frozenset({"MultiStream"})),
    "coalesce_queries": (_Kind.FLAG, frozenset({"Server"})),
    "max_async_queries": (_Kind.WHOLE, frozenset({"Server"})),
}
_BUILT_IN = "counts only in LoadGen's built-in configuration; leave it out"
_REFUSED: Mapping[str, str] = {
    "mode": "is decided by --mode; leave it out",
    "accuracy_log_probability": _BUILT_IN,
    "token_latency_scaling_factor": _BUILT_IN,
    **{
        f"{prefix}{seed}_rng_seed": _BUILT_IN
        for prefix in ("", "test05_")
        for seed in ("qsl", "sample_index", "schedule")
    },
    "test05": _BUILT_IN,
}
_FIELDS: Mapping[str, str] = {
    "min_duration_ms": "min_duration",
    "min_query_count": "min_query_count",
    "max_query_count": "max_query_count",
    "target_qps": "target_qps",
    "target_latency_ms": "target_latency",
    "performance_sample_count": "performance_sample_count_override",
    "sample_concatenate_permutation": "sample_concatenate_permutation",
    "use_token_latencies": "use_token_latencies",
    "ttft_latency_ms": "ttft_latency",
    "tpot_latency_ms": "tpot_latency",
}
_TOKEN = re.compile(r"[^ \t\v\f\r]+")  # what C++ takes for blanks, not what Unicode does
_WHOLE = re.compile(r"\+?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MODEL = re.compile(r"[\w.+-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfLine:
    """One setting: its line (from 1), the model and scenario it is for (`*` for all), key, value as written."""

    line: int
    model: str
    scenario: str
    key: str
    value: str

    def applies(self, model: str, scenario: Scenario) -> bool:
        """Whether LoadGen reads it for this model and scenario."""
        return self.model in {model, "*"} and self.scenario in {loadgen_scenario(scenario), "*"}

    def __str__(self) -> str:
        return f"{self.model}.{self.scenario}.{self.key} = {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConf:
    """A whole user.conf; `name` is how its errors call it."""

    name: str
    lines: tuple[ConfLine, ...]

    def effective(self, model: str, scenario: Scenario) -> dict[str, str]:
        """Value by key as LoadGen would take it: model.scenario, then *.scenario, model.*, *.*; the last of equals."""
        chosen: dict[str, tuple[int, str]] = {}
        for line in self.lines:
            if line.applies(model, scenario):
                rank = 2 * (line.scenario != "*") + (line.model != "*")
                if rank >= chosen.get(line.key, (-1, ""))[0]:
                    chosen[line.key] = (rank, line.value)
        return {key: value for key, (_, value) in chosen.items()}

    def for_other_models(self, model: str) -> tuple[ConfLine, ...]:
        """Lines that LoadGen passes over without a word because they name another model."""
        return tuple(line for line in self.lines if line.model not in {model, "*"})


def loadgen_scenario(scenario: Scenario) -> str:
    """LoadGen's own name of a scenario: Interactive is its Server."""
    return Scenario.SERVER.value if scenario is Scenario.INTERACTIVE else scenario.value


def takes(scenario: Scenario, field: str) -> bool:
    """Whether LoadGen reads a field of `LoadGenSettings` (such as `target_qps`) in a scenario."""
    return _reads(loadgen_scenario(scenario), _FIELDS[field])


def render_user_conf(settings: LoadGenSettings, scenario: Scenario) -> str:
    """The user.conf of one execution: the user's own lines first, then ours, which win.

    A user's line that sets what we set is kept as a comment. A field that is still to be filled from an estimate is
    shown as a comment. UsageError for a setting that the scenario does not take or LoadGen would cut; ConfigError for
    faults in the user's text.
    """
    model, spelled = settings.loadgen_model, loadgen_scenario(scenario)
    if not _MODEL.fullmatch(model):
        raise UsageError(f"'{model}' cannot be a LoadGen model name", hint="use letters, digits, '.', '_', '+' and '-'")
    ours = {
        key: _written(field, getattr(settings, field), spelled)
        for field, key in _FIELDS.items()
        if getattr(settings, field) is not None
    }
    text = ["# Written by mlperf-docker. Durations and latencies in ms, rates in samples (queries) per second."]
    if settings.user_conf is not None:
        text.append("# From the user's own file:")
        for line in parse_user_conf(settings.user_conf, "user.conf").lines:
            beaten = line.key in ours and line.applies(model, scenario)
            text.append(f"# (line {line.line} gives way to an explicit setting) {line}" if beaten else str(line))
    text.append("# Settings of this run:")
    text.extend(f"{model}.{spelled}.{key} = {value}" for key, value in ours.items())
    if settings.fit is not None and getattr(settings, settings.fit) is None:
        text.append(f"# {model}.{spelled}.{_FIELDS[settings.fit]} is filled from the estimate")
    return "\n".join(text) + "\n"


def parse_user_conf(text: str, name: str) -> UserConf:
    """Check a user's own file; `name` goes into the messages. ConfigError with every fault, each with its line.

    Stricter than LoadGen, which drops unknown keys and `a.b.c=1` without a word, reads `6e5` as 6 and `010` as 8.
    """
    lines: list[ConfLine] = []
    faults: list[str] = []
    seen: dict[tuple[str, str, str], int] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        try:
            line = _line(raw, number)
        except _FaultError as fault:
            faults.append(f"{name}:{number}: {fault}")
            continue
        if line is None:
            continue
        place = (line.model, line.scenario, line.key)
        if place in seen:
            faults.append(f"{name}:{number}: sets again what line {seen[place]} sets; LoadGen would take the last")
        seen.setdefault(place, number)
        lines.append(line)
    if faults:
        raise ConfigError(
            tuple(faults), hint="a setting is written `model.Scenario.key = value`, comments on their own lines"
        )
    return UserConf(name=name, lines=tuple(lines))


class _FaultError(Exception):
    """What is wrong with a line."""


def _line(raw: str, number: int) -> ConfLine | None:
    tokens = _TOKEN.findall(raw)
    if not tokens or tokens[0] == "#":
        return None
    if tokens[0].startswith("#"):
        raise _FaultError("a comment needs a blank after '#', or LoadGen refuses the whole file")
    if tokens[0].startswith("\ufeff"):
        raise _FaultError("a byte order mark hides the first setting from LoadGen; save the file without it")
    if len(tokens) == 1 and "=" in tokens[0]:
        raise _FaultError(f"LoadGen drops {_shown(tokens[0])} without a word: put blanks around '='")
    if len(tokens) < 3 or tokens[1] != "=":
        raise _FaultError(f"{_shown(raw.strip())} is not `key = value`, with blanks around '='")
    if len(tokens) > 3:
        comment = tokens[3].startswith("#")
        raise _FaultError("a comment after a value: put it on its own line" if comment else "more than one value")
    model, scenario, key = _name(tokens[0])
    _check_value(scenario, key, tokens[2])
    return ConfLine(line=number, model=model, scenario=scenario, key=key, value=tokens[2])


def _name(text: str) -> tuple[str, str, str]:
    """Model (which may hold dots), scenario and key."""
    rest, _, key = text.rpartition(".")
    model, _, scenario = rest.rpartition(".")
    if not model or not scenario or not key:
        raise _FaultError(f"{_shown(text)} is not `model.Scenario.key`; use * for all models or scenarios")
    if model != "*" and not _MODEL.fullmatch(model):
        raise _FaultError(f"{_shown(model)} is no model name")
    if scenario == Scenario.INTERACTIVE.value:
        raise _FaultError("LoadGen has no scenario Interactive: write Server with the model's `-interactive` name")
    if scenario != "*" and scenario not in _LOADGEN_SCENARIOS:
        raise _FaultError(f"unknown scenario {_shown(scenario)}{_meant(scenario, _LOADGEN_SCENARIOS)}")
    if key in _REFUSED:
        raise _FaultError(f"'{key}' {_REFUSED[key]}")
    if key not in _KEYS:
        raise _FaultError(f"unknown key {_shown(key)}{_meant(key, _KEYS)}")
    if scenario != "*" and not _reads(scenario, key):
        raise _FaultError(f"{scenario} takes no {key}")
    return model, scenario, key


def _check_value(scenario: str, key: str, value: str) -> None:
    kind, _ = _KEYS[key]
    if kind is _Kind.NUMBER and key == "target_latency" and scenario in {"Server", "*"}:
        kind = _Kind.WHOLE
    fits = (_WHOLE if kind in {_Kind.WHOLE, _Kind.FLAG} else _NUMBER).fullmatch(value)
    if not fits:
        cut = " (LoadGen would cut or misread it)" if kind is _Kind.WHOLE else ""
        raise _FaultError(f"{key} takes {kind.value}, not {_shown(value)}{cut}")
    number = float(value)
    if kind is _Kind.FLAG and number not in {0.0, 1.0}:
        raise _FaultError(f"{key} takes 0 or 1, not {_shown(value)}")
    if kind is _Kind.PERCENT and not 1.0 < number < 100.0:
        raise _FaultError(f"{key} takes {kind.value}, not {_shown(value)}")
    if key in {"target_qps", "target_latency", "samples_per_query"} and not (number > 0 and math.isfinite(number)):
        raise _FaultError(f"{key} must be more than 0, not {_shown(value)}")


def _written(field: str, value: float, scenario: str) -> str:
    key = _FIELDS[field]
    if not _reads(scenario, key):
        raise UsageError(f"{scenario} takes no {key}", hint=f"leave {key} out, or choose another scenario")
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{key} cannot be {value}")
    text = str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
    try:
        _check_value(scenario, key, text)
    except _FaultError as fault:
        raise UsageError(str(fault)) from None
    return text


def _reads(scenario: str, key: str) -> bool:
    readers = _KEYS[key][1]
    return not readers or scenario in readers


def _meant(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    guess = nearest(name, known)
    return f"; did you mean '{guess}'?" if guess else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
