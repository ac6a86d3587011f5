"""Our plans for Intel against Intel's own published scripts, run in a throw-away folder with stand-ins for programs.

Needs clones, named by MLPERF_RESULTS_V51_CLONE and MLPERF_RESULTS_V41_CLONE (of mlcommons/inference_results_v5.1
and _v4.1); says so where there is none. Nothing of the scripts is kept.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from orchestrator.domain.plan import Execution
from orchestrator.domain.terms import Device, Mode, Scenario
from orchestrator.host.process import Completed, run
from orchestrator.host.shipped import shipped
from orchestrator.loadgen.user_conf import render_user_conf
from tests.unit.offer_cells import Cell, cell

CLONES = {"v5.1": "MLPERF_RESULTS_V51_CLONE", "v4.1": "MLPERF_RESULTS_V41_CLONE"}
PLACES = re.compile(r"(?<![\w.}])/(workspace|logs|data|model|mlperf-docker|opt/mlperf-docker)\b")
LOGS = ("mlperf_log_accuracy.json", "mlperf_log_detail.txt", "mlperf_log_summary.txt")
# A harness program: notes how it was called and what lay before it, leaves LoadGen's logs where it was told to.
PROGRAM = """#!/bin/sh
{ echo "$(basename "$0") $*"; ls audit.config audit.conf user.conf 2>/dev/null; } >>"$TRACE"
[ ! -f user.conf ] || cp user.conf "$TRACE.conf"
out=.
while [ "$#" -gt 0 ]; do
  case $1 in --output | --log_dir | --output-dir | --output-log-dir) out=$2 ;; esac
  shift
done
case $out in
  *) mkdir -p "$out"; for name in accuracy.json detail.txt summary.txt; do echo x >"$out/mlperf_log_$name"; done ;;
esac
[ ! -d "$out" ] || echo score >"$out/accuracy.txt"
"""
QUIET = "#!/bin/sh\nexit 0\n"
NUMACTL = """#!/bin/sh
case $1 in
  --hardware) echo "available: 1 nodes (0)" ;;
  --*) shift && exec "$@" ;;
  *) exec "$@" ;;
esac
"""
VERIFY = """#!/bin/sh
case $1 in
  *run_verification.py)
    echo "verify $*" >>"$TRACE"
    while [ "$#" -gt 0 ]; do case $1 in -c) from=$2 ;; -o) to=$2 ;; esac; shift; done
    mkdir -p "$to/$TEST/performance/run_1" "$to/$TEST/accuracy"
    cp "$from/mlperf_log_detail.txt" "$from/mlperf_log_summary.txt" "$to/$TEST/performance/run_1/"
    cp "$from/mlperf_log_accuracy.json" "$to/$TEST/accuracy/" ;;
  *accuracy-*) echo "mAP=1%" ;;
  *user_config.py | ./user_config.py) exec python3 "$@" ;;
  *) exec "$(dirname "$0")/harness" "$@" ;;
esac
"""


def clone_of(round_name: str) -> Path:
    """The clone of a round's results; the test is skipped, saying why, without one."""
    named = os.environ.get(CLONES[round_name])
    if not named:
        pytest.skip(f"{CLONES[round_name]} names no clone of inference_results_{round_name}")
    return Path(named)


class Sandbox:
    """Intel's folders under a temporary root, with the published scripts of a workload and stand-ins for programs."""

    def __init__(self, root: Path, clone: Path, workload: str) -> None:
        self.root, self.trace = root, root / "trace"
        for name in ("workspace", "logs", "data", "model", "bin", "home", "mlperf-docker"):
            (root / name).mkdir(parents=True)
        folder = f"closed/Intel/code/{workload}"
        listed = run(["git", "-C", str(clone), "ls-tree", "-r", "--name-only", "HEAD", folder])
        self.scripts = [
            name
            for name in listed.stdout.split()
            if re.search(r"\.(sh|conf|json)$|user_config.py$|/model_init/|init_env", name)
        ]
        assert self.scripts, f"no scripts in {folder}"
        for name in self.scripts:
            target = root / "workspace" / Path(name).relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = run(["git", "-C", str(clone), "show", f"HEAD:{name}"]).stdout
            target.write_text(self.here(text))
        self.write("workspace/run_clean.sh", 'echo clean >>"$TRACE"\n')
        for name in ("README.md", "measurements.json", "calibration.md", "scripts/run_calibration.sh"):
            self.write(f"workspace/{name}", "")
        for name in ("harness", "mlperf_runner"):
            self.write(f"bin/{name}", PROGRAM, 0o755)
        self.write("workspace/build/bin/mlperf_runner", PROGRAM, 0o755)
        self.write("bin/python", VERIFY, 0o755)
        for name in ("sudo", "sleep", "pkill"):
            self.write(f"bin/{name}", QUIET, 0o755)
        self.write(
            "bin/numactl",
            NUMACTL,
            0o755,
        )

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def here(self, text: str) -> str:
        """The container's paths as paths of this folder."""
        return PLACES.sub(lambda found: f"{self.root}/{found[1]}", text)

    def play(self, step: Execution, one: Cell, test: str = "") -> Completed:
        """Run the planned command line as it stands, but for the paths."""
        for name, text in step.files:
            (self.root / "logs" / name).write_text(text)
        if step.settings is not None:
            (self.root / "logs/user.conf").write_text(render_user_conf(step.settings, one.scenario))
        words = [self.here(word) for word in step.container.command]
        words[1] = str(shipped("dockerfiles") / "thin" / "enter.sh")
        words[words.index("--owner") + 1] = f"{os.getuid()}:{os.getgid()}"
        given = {name: self.here(value) for name, value in step.container.environment}
        environment = {
            **given,
            "HOME": str(self.root / "home"),
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "TRACE": str(self.trace),
            "TEST": test,
            "CONDA_PREFIX": "",
        }
        return run(words, cwd=self.root / "workspace", environment=environment, timeout_s=60)

    def logs(self, step: Execution) -> set[str]:
        """Names of the files at the newest place that the plan takes logs from."""
        found = [path for pattern in step.logs_from for path in (self.root / "logs").glob(pattern)]
        return {path.name for folder in found for path in folder.iterdir()}


CASES = [
    ("retinanet/pytorch-cpu", cell("intel", "retinanet", "v5.1", Scenario.OFFLINE), "TEST01"),
    ("retinanet/pytorch-cpu", cell("intel", "retinanet", "v5.1", Scenario.SERVER), "TEST01"),
    ("whisper/pytorch-cpu", cell("intel", "whisper", "v5.1", Scenario.OFFLINE), "TEST01"),
    ("dlrm-v2-99/pytorch-cpu", cell("intel", "dlrm-v2-99", "v5.1", Scenario.SERVER), "TEST01"),
    ("rgat/pytorch-cpu", cell("intel", "rgat", "v5.1", Scenario.OFFLINE), "TEST01"),
    ("resnet50/pytorch-cpu", cell("intel", "resnet50", "v4.1", Scenario.OFFLINE), "TEST04"),
    ("retinanet/pytorch-cpu", cell("intel", "retinanet", "v4.1", Scenario.SERVER), "TEST05"),
]
NAMES = [f"{one}" for _, one, _ in CASES]


@pytest.mark.parametrize(("workload", "one", "test"), CASES, ids=NAMES)
def test_the_planned_commands_run_through_intels_own_scripts(
    workload: str, one: Cell, test: str, tmp_path: Path
) -> None:
    box = Sandbox(tmp_path, clone_of(one.round), workload)
    for path in ("model/resnet50-start-int8-model.pth", "model/resnet50-end-int8-model.pth", "model/resnet50-full.pth"):
        box.write(path, "")
    box.write("model/retinanet-int8-model.pth", "")
    suite = {
        "retinanet": "retinanet-env/mlperf_inference",
        "whisper": "third_party/mlperf-inference",
        "rgat": "mlperf_inference",
    }
    for name in ("inference", suite.get(one.benchmark.family or "", "inference")):
        for model in ("", "retinanet/", "whisper/", "dlrm-v2/", "rgat/", "resnet50/"):
            box.write(f"workspace/{name}/compliance/nvidia/{test}/{model}audit.config", "# the vendor's\n")

    for mode in (Mode.PERFORMANCE, Mode.ACCURACY):
        step = one.result(mode)
        done = box.play(step, one)
        assert done.ok, done.stderr
        assert set(LOGS) <= box.logs(step), done.stdout + done.stderr
        assert ("accuracy.txt" in box.logs(step)) or mode is Mode.PERFORMANCE
        assert "audit.conf" not in box.trace.read_text()
    assert "target_qps = 12.5" in (tmp_path / "trace.conf").read_text()

    step = one.result(Mode.COMPLIANCE, test)
    box.trace.unlink()
    done = box.play(step, one, test)
    assert done.ok, done.stderr
    assert set(LOGS) <= box.logs(step), done.stdout + done.stderr
    assert "audit.config" in box.trace.read_text()
    assert not (tmp_path / "workspace/audit.config").exists() or one.round == "v5.1"


@pytest.mark.parametrize(("workload", "one", "test"), CASES, ids=NAMES)
def test_the_published_scripts_are_whole(workload: str, one: Cell, test: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path, clone_of(one.round), workload)
    for name in box.scripts:
        if name.endswith(".sh"):
            path = tmp_path / "workspace" / name.split("/", 5)[-1]
            checked = run(["bash", "-n", str(path)])
            assert checked.ok or "run_full" in name, checked.stderr


@pytest.mark.parametrize(
    ("name", "file", "reads"),
    [
        ("llama2-70b-99", "llama2-70b-99.9/pytorch-xpu/main.py", "--audit-conf"),
        ("llama3.1-8b", "llama3_1-8b/pytorch-cpu/utils.py", "--audit-conf"),
    ],
)
def test_the_language_harnesses_read_the_audit_file_where_the_plan_puts_it(name: str, file: str, reads: str) -> None:
    clone = clone_of("v5.1")
    text = run(["git", "-C", str(clone), "show", f"HEAD:closed/Intel/code/{file}"]).stdout
    line = next(line for line in text.splitlines() if reads in line)
    device = Device.XPU if "xpu" in file else Device.CPU
    planned = cell("intel", name, "v5.1", Scenario.OFFLINE, device).result(Mode.COMPLIANCE, "TEST06").container.command
    assert '"audit.conf"' in line or "audit_conf" in line
    assert "/logs/audit.config=/workspace/audit.conf" in planned
