"""The compliance tests' audit configurations as values. Pure; verifying their outcome is another room's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceTest:
    """One test of the rules: what its audit file sets, by family where that differs (null takes a setting away).

    `thresholds` are read by whoever verifies; LoadGen does not know them. Empty `rounds`: all.
    """

    name: str
    title: str
    rounds: tuple[str, ...] = ()
    settings: Mapping[str, str]
    by_family: Mapping[str, Mapping[str, str | None]] = field(default_factory=lambda: MappingProxyType({}))
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    thresholds_by_family: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))

    def settings_for(self, family: str) -> dict[str, str]:
        """The audit settings of a family of benchmarks."""
        own = self.by_family.get(family, {})
        merged = {**self.settings, **own}
        return {key: value for key, value in merged.items() if value is not None}

    def audit_text(self, family: str) -> str:
        """The audit.config that LoadGen reads (it reads every model name as `*` there)."""
        lines = [f"*.*.{key} = {value}" for key, value in self.settings_for(family).items()]
        return "\n".join([f"# {self.name} for {family}; written by mlperf-docker", *lines, ""])
