"""Measure the project's own figures on this machine, as ratios and medians, and print them as one JSON document.

Run by scripts/bench. Everything is measured through the installed command and the real engine; nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench_cache import cache
from bench_download import download

COMMAND = str(Path(sys.executable).parent / "mlperf-docker")
WARM = ("--model", "resnet8-cifar10", "--scenario", "Offline", "--mode", "performance", "--test-query-count", "64")


def cpu_s(argv: Sequence[str]) -> float:
    """Processor seconds (user and system) of one call, its output thrown away."""
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{shlex.join(argv)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def wall_s(argv: Sequence[str]) -> float:
    """Wall seconds of one call that must succeed."""
    begun = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - begun


def output_json(argv: Sequence[str]) -> dict[str, object]:
    """The JSON document that a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def startup(repeats: int) -> dict[str, object]:
    """CPU seconds of help, of run's help, of a dry run; medians."""
    calls = {
        "help_cpu_s": (COMMAND, "--help"),
        "run_help_cpu_s": (COMMAND, "run", "--help"),
        "dry_run_cpu_s": (COMMAND, "run", "--model", "resnet8-cifar10", "--dry-run"),
    }
    for argv in calls.values():
        cpu_s(argv)
    return {name: round(statistics.median(cpu_s(argv) for _ in range(repeats)), 3) for name, argv in calls.items()}


def orchestration(pairs: int, results: Path) -> dict[str, object]:
    """Wall time of a warm run less the same container under plain `docker run`; interleaved, median of differences."""
    argv = (COMMAND, "run", *WARM, "--results-dir", str(results), "--json")
    first = output_json(argv)
    folder = Path(first["runs"][0]["run_dir"]) / "loadgen"  # type: ignore[index]
    plain = plain_docker_run(Path(first["runs"][0]["run_dir"]), folder)  # type: ignore[index]
    differences, ours, theirs = [], [], []
    for _ in range(pairs):
        a, b = wall_s(argv), wall_s(plain)
        ours.append(a)
        theirs.append(b)
        differences.append(a - b)
    return {
        "warm_run_wall_s": round(statistics.median(ours), 3),
        "plain_docker_run_wall_s": round(statistics.median(theirs), 3),
        "orchestration_s": round(statistics.median(differences), 3),
        "pairs": pairs,
    }


def plain_docker_run(run_dir: Path, folder: Path) -> list[str]:
    """The same container, by the docker command line, with its output folder."""
    plan = json.loads((run_dir / "plan.json").read_text())
    image = json.loads((run_dir / "run.json").read_text())["image"]["handle"]
    container = plan["executions"][-1]["container"]
    argv = ["docker", "run", "--rm", "--init", "--network", "none", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    argv += ["--cap-drop", "ALL", "--user", f"{os.geteuid()}:{os.getegid()}", "--workdir", "/out"]
    for mount in container["mounts"]:
        argv += ["--mount", f"type=bind,source={mount['source']},target={mount['target']},readonly"]
    argv += ["--mount", f"type=bind,source={folder},target=/out"]
    for name, value in container["environment"]:
        argv += ["--env", f"{name}={value}"]
    return [*argv, image, *container["command"]]


def harness(pairs: int, results: Path) -> dict[str, object]:
    """The Python harness against a bare loop over the same runtime, and over a system that answers at once."""
    return against_bare(pairs, results, "generic", _bare_python) | {
        "null_sut_queries_per_s": null_sut(results, "resnet8-cifar10", "generic")
    }


def cpp(pairs: int, results: Path) -> dict[str, object]:
    """The same of the C++ harness and its own bare loop."""
    return against_bare(pairs, results, "cpp", _bare_cpp) | {
        "null_sut_queries_per_s": null_sut(results, "efficientnet-lite0", "cpp")
    }


def _bare_python(argv: list[str]) -> list[str]:
    at = argv.index("orchestrator.sut")
    return [*argv[:at], "orchestrator.sut.bare", *argv[at + 1 :], "--seconds", "4", "--json"]


def _bare_cpp(argv: list[str]) -> list[str]:
    at = argv.index("mlperf-sut")
    return [*argv[: at + 1], "--bare", *argv[at + 1 :], "--seconds", "4", "--json"]


def against_bare(
    pairs: int, results: Path, implementation: str, bare_of: Callable[[list[str]], list[str]]
) -> dict[str, object]:
    """A harness against a bare loop: same runtime calls, threads, batch and image; interleaved pairs."""
    common = ("--model", "efficientnet-lite0", "--implementation", implementation, "--mode", "performance")
    figures: dict[str, object] = {"pairs": pairs}
    # As long as the bare loop, or longer: in a second of Offline a disturbance of 20 ms is the whole tolerance.
    for scenario, count in (("Offline", "480"), ("SingleStream", "160")):
        chosen = ("--scenario", scenario, "--test-query-count", count, "--results-dir", str(results), "--json")
        run_dir = Path(output_json((COMMAND, "run", *common, *chosen))["runs"][0]["run_dir"])  # type: ignore[index]
        plain = plain_docker_run(run_dir, run_dir / "loadgen")
        bare = bare_of(plain)
        ratios = [_pair(scenario, plain, run_dir / "loadgen", bare, ours_first=at % 2 == 0) for at in range(pairs)]
        name = "offline_samples_per_s_over_bare" if scenario == "Offline" else "single_stream_p90_over_bare"
        figures[name] = round(statistics.median(ratios), 4)
        figures[f"{name}_all"] = [round(ratio, 4) for ratio in ratios]
    return figures


def _pair(scenario: str, plain: Sequence[str], folder: Path, bare: Sequence[str], *, ours_first: bool) -> float:
    """Whatever favours the first or the second of two runs favours each of them in turn."""
    if ours_first:
        ours = _measured(plain, folder, scenario)
        return _ratio(scenario, ours, output_json(bare))
    loop = output_json(bare)
    return _ratio(scenario, _measured(plain, folder, scenario), loop)


def _measured(argv: Sequence[str], folder: Path, scenario: str) -> float:
    wall_s(argv)
    key = "result_samples_per_second" if scenario == "Offline" else "result_90.00_percentile_latency_ns"
    for line in (folder / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.removeprefix(":::MLLOG"))
        if entry["key"] == key:
            return float(entry["value"])
    raise SystemExit(f"{folder}: no {key} in the detail log")


def _ratio(scenario: str, ours: float, bare: dict[str, object]) -> float:
    key = "samples_per_s" if scenario == "Offline" else "p90_ns"
    return ours / float(bare[key])  # type: ignore[arg-type]


def null_sut(results: Path, model: str, implementation: str) -> float:
    """Queries per second of LoadGen and the harness alone: SingleStream over a system that answers at once."""
    short = ("--scenario", "Offline", "--mode", "performance", "--test-query-count", "16")
    named = ("--model", model, "--implementation", implementation)
    argv = (COMMAND, "run", *named, *short, "--results-dir", str(results), "--json")
    run_dir = Path(output_json(argv)["runs"][0]["run_dir"])  # type: ignore[index]
    folder = run_dir / "loadgen"
    conf = json.loads((folder / "harness.json").read_text())
    conf |= {"backend": "null", "model": None, "dataset": None, "generated_samples": 64, "scenario": "SingleStream"}
    conf |= {"performance_sample_count": 64, "options": {}}
    (folder / "harness.json").write_text(json.dumps(conf))
    (folder / "user.conf").write_text(
        "*.SingleStream.min_duration = 2000\n"
        "*.SingleStream.min_query_count = 1000\n"
        "*.SingleStream.target_latency = 0.005\n"
    )
    wall_s(plain_docker_run(run_dir, folder))
    for line in (folder / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.removeprefix(":::MLLOG"))
        if entry["key"] == "result_qps_with_loadgen_overhead":
            return round(float(entry["value"]), 0)
    raise SystemExit("the null SUT left no result")


def images(repeats: int) -> dict[str, object]:
    """Size of each image above its base, and the time of an unchanged `images build`."""
    figures: dict[str, object] = {}
    for name in ("generic-onnxruntime", "generic-tflite", "generic-openvino", "cpp", "tflite-cpp"):
        argv = (COMMAND, "images", "build", name, "--json")
        image = output_json(argv)["image"]
        above = image["size_bytes"] - image["base_size_bytes"]  # type: ignore[index]
        figures[f"{name}_mb_above_base"] = round(above / 1e6, 1)
        figures[f"{name}_unchanged_ensure_wall_s"] = round(statistics.median(ensure_s(name) for _ in range(repeats)), 3)
    return figures


ENSURE = """
import os, sys, time
from pathlib import Path
from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.connect import connect_to
from orchestrator.domain.image import ImageChoice, PlannedImage
from orchestrator.domain.terms import EngineName
settings = load_settings({}, environ=os.environ, cwd=Path.cwd(), home=Path.home())
connected = connect_to(EngineName.DOCKER, settings, round_name="v6.1", choice=ImageChoice())
platform = connected.ground.platform
begun = time.perf_counter()
recipe = connected.images.plan(sys.argv[1], round_name="v6.1", platform=platform)
wanted = PlannedImage(entry=sys.argv[1], round="v6.1", platform=platform, recipe=recipe)
connected.images.ensure(wanted, log=lambda _: None, say=print)
print(time.perf_counter() - begun)
"""


def ensure_s(name: str) -> float:
    """Seconds to find an unchanged image present, in a fresh process: render, hash, load the SDK, connect, look."""
    done = subprocess.run([sys.executable, "-c", ENSURE, name], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure what was asked and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="startup,orchestration,harness,cpp,images,download,cache")
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlperf-docker-bench-") as scratch:
        results = Path(scratch)
        parts: dict[str, Callable[[], dict[str, object]]] = {
            "startup": lambda: startup(arguments.pairs),
            "orchestration": lambda: orchestration(arguments.pairs, results),
            "harness": lambda: harness(arguments.pairs, results),
            "cpp": lambda: cpp(arguments.pairs, results),
            "images": lambda: images(arguments.pairs),
            "download": lambda: download(arguments.pairs, results),
            "cache": lambda: cache(COMMAND, arguments.pairs, results),
        }
        wanted = [name for name in arguments.only.split(",") if name]
        unknown = [name for name in wanted if name not in parts]
        if unknown:
            raise SystemExit(f"unknown part {unknown[0]}; known: {', '.join(parts)}")
        figures = {name: parts[name]() for name in wanted}
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    print(json.dumps({"schema_version": 1, "machine": machine, "figures": figures}, indent=2))


if __name__ == "__main__":
    main()
