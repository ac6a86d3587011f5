"""Whose rule each finding is, and what a tree is held against. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain.benchmark import BenchmarkRules, Round
from orchestrator.domain.submission import Origin

# The official checker of v5.x was one file, stricter in places; from v6.0 on it is a package. A rule is official in
# both, in one of them (`file`, `package`), or ours alone.
_BOTH, _FILE = frozenset({"file", "package"}), frozenset({"file"})
_OURS: frozenset[str] = frozenset()
_ENFORCED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "system_missing",
            "system_unreadable",
            "system_field_missing",
            "system_field_empty",
            "system_status",
            "system_type",
            "system_number",
            "system_submitter",
            "system_division",
            "system_network",
            "measurement_missing",
            "measurement_unreadable",
            "measurement_field",
            "user_conf_missing",
            "readme_missing",
            "source_missing",
            "model_unknown",
            "model_not_of_category",
            "scenario_unknown",
            "scenario_missing",
            "performance_missing",
            "log_unreadable",
            "result_missing",
            "seeds",
            "performance_samples",
            "latency_limit",
            "offline_queries",
            "offline_samples",
            "min_duration",
            "early_stopping",
            "tokens_not_timed",
            "token_latency",
            "network_sut",
            "not_inferable",
            "accuracy_missing",
            "accuracy_unknown",
            "accuracy_low",
            "accuracy_high",
            "accuracy_hash",
            "accuracy_log_missing",
            "accuracy_log_long",
            "accuracy_error",
            "accuracy_samples",
            "accuracy_outputs",
            "test_missing",
            "test_file_missing",
            "test_failed",
            "test_file_extra",
            "power_files",
            "power_samples",
            "nameplate_unreadable",
        ),
        _BOTH,
    ),
    **dict.fromkeys(
        (
            "invalid",
            "loadgen_error",
            "equal_issue",
            "file_extra",
            "file_missing",
            "file_too_big",
            "calibration_missing",
            "system_without_results",
            "root_extra",
            "name",
            "code_missing",
            "power_settings",
            "empty_folder",
        ),
        _FILE,
    ),
    **dict.fromkeys(
        (
            "not_here",
            "log_damaged",
            "placeholder",
            "interactive_limits",
            "duration_measured",
            "link",
            "hash_wrong",
            "log_of_another",
        ),
        _OURS,
    ),
}
_PACKAGE_SINCE = "v6.0"


def origin_of(code: str, round_name: str) -> Origin:
    """Whose rule a finding is in a round; KeyError for a code that nobody entered above."""
    generation = "package" if round_name >= _PACKAGE_SINCE else "file"
    return Origin.OFFICIAL if generation in _ENFORCED[code] else Origin.OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """One model as the checker names it: its rules, and the patterns of its lines in accuracy.txt by metric."""

    name: str
    rules: BenchmarkRules
    lines: Mapping[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """A round's rules: models by the checker's name, and its names for folders that are called otherwise."""

    round: Round
    models: Mapping[str, ModelRules]
    aliases: Mapping[str, str]

    def model_of(self, folder: str, mapping: Mapping[str, str]) -> ModelRules | None:
        """The model behind a folder's name: its own, an alias, the submitter's mapping, or the checker's guess."""
        direct = self.models.get(folder) or self.models.get(self.aliases.get(folder, ""))
        if direct is not None:
            return direct
        mapped = mapping.get(folder)
        if mapped is not None:
            return self.models.get(mapped) or self.models.get(self.aliases.get(mapped, ""))
        for sign, name in (
            ("mobilenet", "resnet"),
            ("efficientnet", "resnet"),
            ("resnet50", "resnet"),
            ("bert-99.9", "bert-99.9"),
            ("bert-99", "bert-99"),
            ("llama3_1-405b", "llama3.1-405b"),
        ):
            if sign in folder:
                return self.models.get(name)
        return None
