"""Good trees pass, and each kind of damage is found, named, and told whose rule it breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.controller.submission import check_submission
from orchestrator.domain.submission import Fault, Origin, Place, Weight
from orchestrator.errors import UsageError
from orchestrator.layouts.paths import TreeLayout
from tests.unit.good_trees import SUBMITTER, SYSTEM, entry, good_tree

ROUNDS = ("v5.0", "v5.1", "v6.0", "v6.1")
OFFICIAL, OURS = Origin.OFFICIAL, Origin.OURS


@dataclass(frozen=True)
class Scene:
    """A good tree that is to be damaged."""

    root: Path
    layout: TreeLayout
    place: Place

    def path(self, where: PurePosixPath) -> Path:
        """A file of the tree."""
        return self.root / where

    @property
    def log(self) -> Path:
        """The performance run's detail log."""
        return self.path(self.layout.performance(self.place) / "mlperf_log_detail.txt")

    @property
    def accuracy_log(self) -> Path:
        """The accuracy run's detail log."""
        return self.path(self.layout.accuracy(self.place) / "mlperf_log_detail.txt")

    @property
    def accuracy(self) -> Path:
        """The accuracy script's text."""
        return self.path(self.layout.accuracy(self.place) / "accuracy.txt")

    @property
    def system(self) -> Path:
        """The system's description."""
        return self.path(self.layout.system(self.place))

    def test(self, name: str) -> Path:
        """The folder of a compliance test."""
        return self.path(self.layout.compliance(self.place, name))

    @property
    def measurement(self) -> Path:
        """The model's description."""
        folder = self.path(self.layout.measurements(self.place))
        return next(path for path in folder.glob("*.json"))


def swap(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old}"
    path.write_text(text.replace(old, new))


def log_value(path: Path, key: str, value: object) -> None:
    lines = path.read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if f'"key": "{key}"' in line)
    lines[at] = entry(key, value)
    path.write_text("".join(f"{line}\n" for line in lines))


def fields(path: Path, **changes: object) -> None:
    found = json.loads(path.read_text())
    for name, value in changes.items():
        if value is None:
            del found[name]
        else:
            found[name] = value
    path.write_text(json.dumps(found))


def remove(path: Path) -> None:
    if path.is_dir():
        for each in sorted(path.rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        path.rmdir()
    else:
        path.unlink()


def add_error(scene: Scene) -> None:
    with scene.log.open("a") as file:
        file.write(entry("error_invalid_config", "Multiple conf files are used", error=True) + "\n")


def cut(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[: len(text) * 2 // 3])


def rename_scenario(scene: Scene) -> None:
    folder = scene.path(scene.layout.result(scene.place))
    folder.rename(folder.with_name("Single"))


def only_other_scenario(scene: Scene) -> None:
    for path in scene.path(scene.layout.result(scene.place)).parent.iterdir():
        if path.name != scene.place.scenario:
            remove(path)


# code, what is done, whose rule it is in v5.1 and in v6.1
Damage = tuple[str, Callable[[Scene], None], Origin, Origin]
DAMAGES: dict[str, Damage] = {
    "the performance log is missing": ("performance_missing", lambda s: remove(s.log), OFFICIAL, OFFICIAL),
    "the performance log is cut": ("log_unreadable", lambda s: cut(s.log), OFFICIAL, OFFICIAL),
    "another round's seed": ("seeds", lambda s: log_value(s.log, "effective_qsl_rng_seed", 7), OFFICIAL, OFFICIAL),
    "LoadGen said INVALID": ("invalid", lambda s: log_value(s.log, "result_validity", "INVALID"), OFFICIAL, OURS),
    "LoadGen logged an error": ("loadgen_error", add_error, OFFICIAL, OURS),
    "a short minimum duration": (
        "min_duration",
        lambda s: log_value(s.log, "effective_min_duration_ms", 60000),
        OFFICIAL,
        OFFICIAL,
    ),
    "a small performance set": (
        "performance_samples",
        lambda s: log_value(s.log, "effective_performance_sample_count", 512),
        OFFICIAL,
        OFFICIAL,
    ),
    "too few samples offline": (
        "offline_samples",
        lambda s: log_value(s.log, "effective_samples_per_query", 100),
        OFFICIAL,
        OFFICIAL,
    ),
    "another scenario's log": (
        "not_inferable",
        lambda s: log_value(s.log, "effective_scenario", "Server"),
        OFFICIAL,
        OFFICIAL,
    ),
    "accuracy below its target": (
        "accuracy_low",
        lambda s: swap(s.accuracy, "76.456", "75.1"),
        OFFICIAL,
        OFFICIAL,
    ),
    "no accuracy line": ("accuracy_unknown", lambda s: swap(s.accuracy, "accuracy=", "Accuracy "), OFFICIAL, OFFICIAL),
    "no hash line": ("accuracy_hash", lambda s: swap(s.accuracy, "hash=", "sum="), OFFICIAL, OFFICIAL),
    "no accuracy.txt": ("accuracy_missing", lambda s: remove(s.accuracy), OFFICIAL, OFFICIAL),
    "the accuracy log is not truncated": (
        "accuracy_log_long",
        lambda s: s.accuracy.with_name("mlperf_log_accuracy.json").write_text("x" * 20000) and None,
        OFFICIAL,
        OFFICIAL,
    ),
    "the accuracy log is missing": (
        "accuracy_log_missing",
        lambda s: remove(s.accuracy.with_name("mlperf_log_accuracy.json")),
        OFFICIAL,
        OFFICIAL,
    ),
    "part of the data set": (
        "accuracy_samples",
        lambda s: log_value(s.accuracy_log, "qsl_reported_total_count", 500),
        OFFICIAL,
        OFFICIAL,
    ),
    "no system description": ("system_missing", lambda s: remove(s.system), OFFICIAL, OFFICIAL),
    "a broken system description": ("system_unreadable", lambda s: cut(s.system), OFFICIAL, OFFICIAL),
    "a missing system field": ("system_field_missing", lambda s: fields(s.system, cooling=None), OFFICIAL, OFFICIAL),
    "an empty system field": (
        "system_field_empty",
        lambda s: fields(s.system, accelerators_per_node=0),
        OFFICIAL,
        OFFICIAL,
    ),
    "an unknown status": ("system_status", lambda s: fields(s.system, status="soon"), OFFICIAL, OFFICIAL),
    "an unknown system type": ("system_type", lambda s: fields(s.system, system_type="phone"), OFFICIAL, OFFICIAL),
    "another submitter": ("system_submitter", lambda s: fields(s.system, submitter="Bcme"), OFFICIAL, OFFICIAL),
    "another division": ("system_division", lambda s: fields(s.system, division="open"), OFFICIAL, OFFICIAL),
    "a number that is none": (
        "system_number",
        lambda s: fields(s.system, accelerators_per_node="8x"),
        OFFICIAL,
        OFFICIAL,
    ),
    "a placeholder": ("placeholder", lambda s: fields(s.system, cooling="TODO"), OURS, OURS),
    "is_network of a closed system": (
        "system_network",
        lambda s: fields(s.system, is_network="true"),
        OFFICIAL,
        OFFICIAL,
    ),
    "no measurement file": ("measurement_missing", lambda s: remove(s.measurement), OFFICIAL, OFFICIAL),
    "a measurement field is missing": (
        "measurement_field",
        lambda s: fields(s.measurement, retraining=None),
        OFFICIAL,
        OFFICIAL,
    ),
    "no user.conf": (
        "user_conf_missing",
        lambda s: remove(s.measurement.with_name("user.conf")),
        OFFICIAL,
        OFFICIAL,
    ),
    "an empty README": (
        "readme_missing",
        lambda s: s.measurement.with_name("README.md").write_text("") and None,
        OFFICIAL,
        OFFICIAL,
    ),
    "no sources": ("source_missing", lambda s: remove(s.path(s.layout.code(s.place))), OFFICIAL, OFFICIAL),
    "a compliance test is missing": ("test_missing", lambda s: remove(s.test("TEST01")), OFFICIAL, OFFICIAL),
    "a compliance test failed": (
        "test_failed",
        lambda s: swap(s.test("TEST01") / "verify_performance.txt", "PASS", "FAIL"),
        OFFICIAL,
        OFFICIAL,
    ),
    "a test's verification is missing": (
        "test_file_missing",
        lambda s: remove(s.test("TEST01") / "verify_accuracy.txt"),
        OFFICIAL,
        OFFICIAL,
    ),
    "test logs of another round": (
        "seeds",
        lambda s: log_value(
            s.test("TEST01") / "performance/run_1/mlperf_log_detail.txt", "effective_schedule_rng_seed", 7
        ),
        OFFICIAL,
        OFFICIAL,
    ),
    "a renamed scenario": ("scenario_unknown", rename_scenario, OFFICIAL, OFFICIAL),
    "scenarios are missing": ("scenario_missing", only_other_scenario, OFFICIAL, OFFICIAL),
    "a link": ("link", lambda s: (s.system.with_name("x.json")).symlink_to(s.system), OURS, OURS),
    "a huge file": (
        "file_too_big",
        lambda s: s.log.with_name("big.bin").write_bytes(bytes(51 << 20)) and None,
        OFFICIAL,
        OURS,
    ),
}


def faults(root: Path, round_name: str) -> list[Fault]:
    found = check_submission(root, round_name)
    everything = [*found.faults, *(fault for result in found.results for fault in result.faults)]
    return [fault for fault in everything if fault.weight is Weight.FAULT]


@pytest.mark.parametrize("round_name", ROUNDS)
def test_a_good_tree_has_no_fault(tmp_path: Path, round_name: str) -> None:
    _, places = good_tree(tmp_path, round_name)
    found = check_submission(tmp_path, round_name)
    assert len(found.results) == len(places) >= 2
    assert faults(tmp_path, round_name) == []
    assert {result.value for result in found.results if result.place.scenario == "Offline"} == {1234.5}


@pytest.mark.parametrize("round_name", ["v5.1", "v6.1"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_named(tmp_path: Path, damage: str, round_name: str) -> None:
    code, do, older, newer = DAMAGES[damage]
    layout, places = good_tree(tmp_path, round_name)
    place = next(each for each in places if each.scenario == "Offline")
    do(Scene(root=tmp_path, layout=layout, place=place))
    found = [fault for fault in faults(tmp_path, round_name) if fault.code == code]
    assert found, {fault.code for fault in faults(tmp_path, round_name)}
    assert {fault.origin for fault in found} == {newer if round_name == "v6.1" else older}
    assert all(fault.text and fault.remedy and not fault.path.is_absolute() for fault in found)


def test_damages_are_of_many_kinds() -> None:
    assert len({code for code, *_ in DAMAGES.values()}) >= 25


def test_the_open_division_reports_what_it_reached(tmp_path: Path) -> None:
    layout, places = good_tree(tmp_path, "v6.1", division="open")
    swap(tmp_path / layout.accuracy(places[0]) / "accuracy.txt", "76.456", "1.5")
    assert faults(tmp_path, "v6.1") == []


def test_a_folder_that_is_none_and_a_submitter_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        check_submission(tmp_path / "nothing", "v6.1")
    good_tree(tmp_path, "v6.1")
    with pytest.raises(UsageError, match=f"did you mean '{SUBMITTER}'"):
        check_submission(tmp_path, "v6.1", submitter="Acne")


def test_what_a_copy_leaves_out_is_no_fault(tmp_path: Path) -> None:
    layout, places = good_tree(tmp_path / "tree", "v6.1")
    path = layout.performance(places[0]) / "mlperf_log_detail.txt"
    (tmp_path / "tree" / path).unlink()
    listing = tmp_path / "left-out.tsv"
    listing.write_text(f"12345\t{path}\nmissing\tclosed/{SUBMITTER}/src/{SYSTEM}.bin\n")
    found = check_submission(tmp_path / "tree", "v6.1", left_out=listing)
    assert {fault.code for result in found.results for fault in result.faults} == {"not_here"}
    assert all(result.accepted() for result in found.results)
    listing.write_text("12345 no tab\n")
    with pytest.raises(UsageError, match=r"left-out.tsv:1: not a line"):
        check_submission(tmp_path / "tree", "v6.1", left_out=listing)
