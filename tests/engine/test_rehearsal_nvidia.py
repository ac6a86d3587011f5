"""NVIDIA's driver, rehearsed: all phases through the real command; the stand-in knows only what is published.

It proves the driver, never NVIDIA's code: that is what tests/unit/test_nvidia_published.py holds the commands against.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.host.process import Completed, run
from orchestrator.host.shipped import shipped
from tests.engine.rehearsals import Rehearsed, attempt, rehearse

pytestmark = pytest.mark.engine

STEP = "/opt/mlperf-docker/nvidia/step.sh"
WORDS = ("--device", "cuda", "--implementation", "nvidia", "--scenario", "offline")


@pytest.fixture(scope="module")
def bert(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rehearsed]:
    """BERT in v5.0: performance, accuracy and TEST01, short."""
    cwd = tmp_path_factory.mktemp("nvidia")
    modes = ("--mode", "performance,accuracy,compliance", "--test-query-count", "100")
    return rehearse(cwd, "--model", "bert-99", "--round", "v5.0", *WORDS, *modes)


def test_performance_accuracy_and_compliance_go_through_every_phase(bert: dict[str, Rehearsed]) -> None:
    names = [one.steps for one in bert.values()]
    assert names == [["build", "download", "preprocess", "configure", "engines", "result"]] * 3
    done = [[step["name"] for step in one.record["executions"] if step["outcome"] == "done"] for one in bert.values()]
    assert done[0] == names[0]
    assert done[1:] == [["configure", "result"]] * 2  # the rest was done before


def test_the_logs_come_from_where_the_harness_leaves_them(bert: dict[str, Rehearsed]) -> None:
    performance, accuracy, compliance = bert.values()
    assert (accuracy.logs / "accuracy.txt").read_text() == '{"exact_match": 83.67, "f1": 90.88}\n'
    assert list(performance.logs.glob("logs/*_TRT/bert-99/Offline/mlperf_log_summary.txt"))
    compliance.check_owner()  # root's call runs as another user; what that one wrote belongs to the caller again
    assert list(compliance.logs.glob("compliance/TEST01/*_TRT/bert-99/Offline/mlperf_log_summary.txt"))
    assert (performance.audited, compliance.audited) == (False, True)


def test_a_forgotten_audit_file_is_gone_after_the_audit_run(bert: dict[str, Rehearsed]) -> None:
    trees = list((bert["performance"].folder.parents[2] / "cache").glob("work/nvidia/*/tree"))
    assert trees
    assert not [path for tree in trees for path in tree.glob("audit.conf*")]


def test_a_rehearsal_says_so_and_is_never_submittable(bert: dict[str, Rehearsed]) -> None:
    for one in bert.values():
        one.check()
        assert any("REHEARSAL" in mark for mark in one.record["marks"])
        assert "REHEARSAL: stands in for NVIDIA's make of v5.0" in one.said


@pytest.mark.thorough
def test_a_served_model_is_measured_through_its_server(docker_url: str, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for name in ("models/Llama3.1-8B/Meta-Llama-3.1-8B-Instruct", "data/llama3.1-8b"):
        (scratch / name).mkdir(parents=True)
    words = ("--model", "llama3.1-8b", "--round", "v5.1", *WORDS, "--mode", "performance")
    (done,) = rehearse(tmp_path, *words, "--test-query-count", "50", "--set", f"scratch={scratch}").values()
    names = {one["name"]: one["outcome"] for one in done.record["executions"]}
    assert names == {
        "build": "done",
        "scratch": "done",
        "preprocess": "done",
        "configure": "done",
        "server": "serving",
        "result": "done",
    }


@pytest.mark.thorough
def test_what_is_missing_in_the_scratch_folder_is_named(docker_url: str, tmp_path: Path) -> None:
    called = attempt(tmp_path, "--model", "llama3.1-8b", "--round", "v5.1", *WORDS, "--mode", "performance")
    assert called.code == 8
    assert "lacks: models/Llama3.1-8B/Meta-Llama-3.1-8B-Instruct data/llama3.1-8b" in called.stdout + called.stderr


def by_hand(
    bert: dict[str, Rehearsed], folder: Path, *words: str, user: str = "10001:10001", **variables: str
) -> Completed:
    """A step in the image of the rehearsal, as somebody else might start it; /work is made writable first."""
    image = bert["performance"].record["image"]["image_id"]
    for name in ("tree", "scratch", "out"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)
    folder.chmod(0o755)
    known = {"MLPERF_SCRATCH_PATH": str(folder / "scratch"), "LOG_DIR": "/out/logs", **variables}
    return run(
        [
            *("docker", "run", "--rm", "--user", user, "--network", "none"),
            *(f"--volume={folder / 'tree'}:/work", f"--volume={folder / 'scratch'}:{folder / 'scratch'}"),
            f"--volume={folder / 'out'}:/out",
            *(f"--env={name}={value}" for name, value in known.items()),
            image,
            *(STEP, *words),
        ]
    )


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (("make", "run_everything"), {}, "target 'run_everything' is not in NVIDIA's code"),
        (("make", "link_dirs", "RUN_FLAGS=--x"), {}, "variable 'RUN_FLAGS' is not in NVIDIA's code"),
        (("make", "link_dirs"), {"SYSTEM_NAME": "x"}, "environment 'SYSTEM_NAME' is not in NVIDIA's code of v5.0"),
        (("make", "download_data", "BENCHMARKS=bert-99"), {}, "benchmark 'bert-99' is not in NVIDIA's code"),
        (("make", "link_dirs"), {"MLPERF_SCRATCH_PATH": "/scratch"}, "is no mounted folder"),
        (("make", "run_harness", "RUN_ARGS=--accuracy_target=0.999"), {}, "before 'make build'"),
    ],
)
def test_the_stand_in_refuses_what_the_published_code_does_not_have(
    bert: dict[str, Rehearsed], tmp_path: Path, words: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    done = by_hand(bert, tmp_path, *words, **variables)
    assert done.code != 0
    assert said in done.stdout + done.stderr


def test_flags_systems_and_configurations_that_are_unknown_end_a_run(
    bert: dict[str, Rehearsed], tmp_path: Path
) -> None:
    assert by_hand(bert, tmp_path, "build", f"INFERENCE_HASH={'0' * 40}", "BUILD_TRTLLM=0").ok
    flag = by_hand(bert, tmp_path, "make", "run_harness", "RUN_ARGS=--benchmarks=bert --accuracy_target=0.999")
    assert "flag 'accuracy_target' is not in NVIDIA's code of v5.0" in flag.stderr
    workload = "RUN_ARGS=--benchmarks=bert --scenarios=Offline"
    unknown = by_hand(bert, tmp_path, "make", "generate_engines", workload)
    # As upstream: it says so and ends well, and nothing was made; so a step is believed by what it left.
    assert unknown.ok
    assert "did not match any known systems" in unknown.stdout
    assert by_hand(bert, tmp_path, "configure", "a_system", "register", "why").ok
    unconfigured = by_hand(bert, tmp_path, "make", "generate_engines", workload)
    assert "no configuration" in unconfigured.stderr


def test_root_is_refused_and_other_paths_of_the_scratch_folder_too(bert: dict[str, Rehearsed], tmp_path: Path) -> None:
    root = by_hand(bert, tmp_path, "make", "link_dirs", user="0:0")
    assert "refuses to run as root" in root.stderr
    (tmp_path / "elsewhere").mkdir(mode=0o777)
    image = bert["performance"].record["image"]["image_id"]
    outside = {"tree": "/work", "elsewhere": "/scratch", "out": "/out"}
    mounts = [f"--volume={tmp_path / name}:{inside}" for name, inside in outside.items()]
    done = run(
        [
            *("docker", "run", "--rm", "--user", "10001:10001", *mounts, "--env=MLPERF_SCRATCH_PATH=/scratch"),
            *(image, STEP, "make", "link_dirs"),
        ]
    )
    assert "is another path on the host" in done.stderr


def test_every_name_that_the_stand_in_takes_has_its_source() -> None:
    lines = shipped("dockerfiles/rehearsal/nvidia/interface.tsv").read_text().splitlines()[1:]
    assert len(lines) > 100
    for line in lines:
        round_name, _, name, source = line.split("\t")
        assert round_name in {"v5.0", "v5.1"}
        assert name
        assert source.startswith("inference_results_v")
