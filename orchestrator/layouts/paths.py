"""The two forms of submission trees, as paths. Pure: opens nothing, judges nothing.

Up to v5.1 measurements and compliance runs have trees of their own; from v6.0 on all of a result lies in one folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.domain.submission import Place

DETAIL, SUMMARY, ACCURACY_LOG = "mlperf_log_detail.txt", "mlperf_log_summary.txt", "mlperf_log_accuracy.json"
ACCURACY_TEXT = "accuracy.txt"
USER_CONF, README = "user.conf", "README.md"
MODEL_MAPPING = "model_mapping.json"
POWER_FILES = ("client.json", "client.log", "ptd_logs.txt", "server.json", "server.log")
SPL = "spl.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLayout:
    """One form. `source` is the folder of code; `apart`: measurements and compliance have their own trees."""

    name: str
    source: str
    apart: bool

    def submitter(self, place: Place) -> PurePosixPath:
        """The folder of all that a submitter has in a division."""
        return PurePosixPath(place.division, place.submitter)

    def result(self, place: Place) -> PurePosixPath:
        """The folder of a result's logs."""
        return self.submitter(place) / "results" / place.system / place.benchmark / place.scenario

    def performance(self, place: Place) -> PurePosixPath:
        """The folder of the measured run."""
        return self.result(place) / "performance" / "run_1"

    def accuracy(self, place: Place) -> PurePosixPath:
        """The folder of the accuracy run."""
        return self.result(place) / "accuracy"

    def power(self, place: Place) -> PurePosixPath:
        """The folder of the power session; a result has power when it exists."""
        return self.result(place) / "performance" / "power"

    def ranging(self, place: Place) -> PurePosixPath:
        """The folder of the run that fixed the analyzer's ranges."""
        return self.result(place) / "performance" / "ranging"

    def measurements(self, place: Place) -> PurePosixPath:
        """The folder of user.conf, README.md and the description of the model."""
        if not self.apart:
            return self.result(place)
        return self.submitter(place) / "measurements" / place.system / place.benchmark / place.scenario

    def measurement_file(self, place: Place, names: Iterable[str]) -> str | None:
        """Which of a folder's files describes the model; where they are apart it is found by the system's name."""
        if not self.apart:
            return "measurements.json" if "measurements.json" in names else None
        own = [name for name in names if name.startswith(place.system) and name.endswith(".json")]
        exact = [name for name in own if name.endswith(f"_{place.scenario}.json")]
        return next(iter((*exact, *own)), None)

    def compliance(self, place: Place, test: str) -> PurePosixPath:
        """The folder of one compliance test."""
        if not self.apart:
            return self.result(place) / test
        return self.submitter(place) / "compliance" / place.system / place.benchmark / place.scenario / test

    def system(self, place: Place) -> PurePosixPath:
        """The system's description."""
        return self.submitter(place) / "systems" / f"{place.system}.json"

    def nameplate(self, place: Place) -> PurePosixPath:
        """The power supplies of a system with measured power (from v6.1 on)."""
        return self.submitter(place) / "systems" / f"{place.system}_power.yaml"

    def code(self, place: Place) -> PurePosixPath:
        """The submitter's folder of sources."""
        return self.submitter(place) / self.source

    def calibration(self, place: Place) -> tuple[PurePosixPath, ...]:
        """Where the description of the calibration may stand."""
        top = self.submitter(place)
        return (top / "calibration.md", top / "documentation" / "calibration.md")


LAYOUTS = {
    "measurements": TreeLayout(name="measurements", source="code", apart=True),
    "results": TreeLayout(name="results", source="src", apart=False),
}
