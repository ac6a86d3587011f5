"""Stands in for the scripts of Intel's images in a rehearsal: their interface and refusals, nothing of their code.

Called by links in /workspace with the name of the script; documented.json says which variables, paths and scripts
Intel's sources have, and where. LoadGen is real, the system under test answers nothing.
"""

import configparser
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, "/opt/rehearsal")

import null_run
import refusals

WORKSPACE, LOGS, MODEL, DATA = Path("/workspace"), Path("/logs"), Path("/model"), Path("/data")
LOADGEN_LOGS = ("mlperf_log_accuracy.json", "mlperf_log_detail.txt", "mlperf_log_summary.txt")


@dataclass(frozen=True)
class Image:
    """What this image stands in for, out of documented.json."""

    interface: str
    workload: str
    model: str
    samples: int
    scenarios: "list[str]"
    tests: "list[str]"
    made: str
    audit: str
    accuracy: str
    runs: "list[str]"
    prepares: "dict[str, str]"


def env(name: str, default: str) -> str:
    """A variable as the shell's ${NAME:-default}."""
    return os.environ.get(name) or default


def main(script: str, arguments: "list[str]") -> None:
    """Play one script."""
    table = refusals.documented("intel")
    entry, round_name = refusals.layer()
    described = table["images"].get(entry, {}).get(round_name) or refusals.refuse(f"no image {entry} in {round_name}")
    image = Image(**described)
    if arguments:
        refusals.refuse(f"{script} takes no arguments, but got {' '.join(arguments)}")
    if Path.cwd() != WORKSPACE and script != "initialize.sh":
        refusals.refuse(f"{script} is documented to run in {WORKSPACE}, not in {Path.cwd()}")
    refusals.check_mounts(table["mounts"])
    print(f"REHEARSAL: {script} stands in for Intel's of {entry}, {round_name}; no figure means anything", flush=True)
    if script in image.prepares:
        if script != "initialize.sh":
            refusals.check_variables(table["variables"]["prepare"])
        prepare(image, script)
    elif script in image.runs:
        refusals.check_variables(table["variables"][image.interface])
        {"conf": run_conf, "rates": run_rates, "scaled": run_scaled, "plain": run_plain, "gaudi": run_gaudi}[
            image.interface
        ](image, script)
    else:
        refusals.refuse(f"Intel's image has no {script}; it has {', '.join((*image.runs, *image.prepares))}")


def prepare(image: Image, script: str) -> None:
    """Download, calibrate, initialise: leave the file that the next script looks for."""
    made = image.prepares[script]
    if made:
        target = Path(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"stand-in: {script} of {image.workload}\n")


def loadgen(image: Image, where: Path, user_conf: Path, *, accuracy: bool, scenario: str) -> None:
    """The harness itself: fails where Intel's would for want of the calibrated model."""
    if image.made and not Path(image.made).exists():
        refusals.refuse(f"{image.made} is not there: run_calibration.sh makes it")
    if scenario not in image.scenarios:
        refusals.refuse(f"Intel publishes no {scenario} of {image.workload}")
    null_run.run(
        model=image.model,
        scenario=scenario,
        accuracy=accuracy,
        user_conf=str(user_conf),
        audit_conf=str(WORKSPACE / image.audit),
        output=where,
        samples=image.samples,
    )
    if accuracy:
        (where / "accuracy.txt").write_text(f"{image.accuracy}\n")


def clean() -> None:
    """Every script calls it before it measures."""
    done = subprocess.run(["bash", "run_clean.sh"], cwd=WORKSPACE, check=False)
    if done.returncode == 64:
        sys.exit(64)


def stage(source: Path, target: Path) -> None:
    """Move LoadGen's logs to where the submission tree has them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (*LOADGEN_LOGS, "accuracy.txt"):
        if (source / name).exists():
            shutil.move(source / name, target / name)


def supplements(image: Image, system: str, scenario: str) -> None:
    """Code, systems and measurements of the tree, as the scripts leave them."""
    for folder in ("systems", f"code/{image.workload}", f"measurements/{system}/{image.workload}/{scenario}"):
        (LOGS / folder).mkdir(parents=True, exist_ok=True)
    (LOGS / "systems" / f"{system}.json").write_text('{ "submitter": "OEM", "system_name": "DEFAULT" }\n')


def verify(test: str, results: Path, run: Path, target: Path) -> None:
    """What upstream's run_verification.py leaves in the tree; it verifies nothing here."""
    (target / test / "accuracy").mkdir(parents=True, exist_ok=True)
    (target / test / "verify_accuracy.txt").write_text("stand-in: nothing was verified\n")
    shutil.copy(run / LOADGEN_LOGS[0], target / test / "accuracy")
    if test == "TEST01":
        for part in ("accuracy/mlperf_log_accuracy.json", "performance/run_1/mlperf_log_detail.txt"):
            if not (results / part).exists():
                refusals.refuse(f"{test} compares with {results / part}, which is not there")
    if test != "TEST06":
        (target / test / "performance/run_1").mkdir(parents=True, exist_ok=True)
        for name in LOADGEN_LOGS[1:]:
            shutil.copy(run / name, target / test / "performance/run_1")


def place_audit(test: str) -> None:
    """Intel's scripts place `audit.config`, whatever name the harness reads."""
    (WORKSPACE / "audit.config").write_text(f"# {test}\n*.*.mode = 2\n*.*.accuracy_log_sampling_target = 64\n")


def run_conf(image: Image, script: str) -> None:
    """v5.1: SYSTEM is guessed where it is AUTO, user.conf is made unless AUTO_USER_CONF is off."""
    del script
    scenario, mode, system = env("SCENARIO", "Offline"), env("MODE", "Performance"), env("SYSTEM", "AUTO")
    if system == "AUTO":
        system = "DEFAULT"
    conf = WORKSPACE / "user.conf"
    if env("AUTO_USER_CONF", "True") == "True":
        conf.unlink(missing_ok=True)
        rates = (("Offline", env("OFFLINE_QPS", "0")), ("Server", env("SERVER_QPS", "0")))
        lines = [f"*.{name}.target_qps = {rate}" for name, rate in rates if rate != "0"]
        if lines:
            conf.write_text("\n".join(lines) + "\n")
    print(conf.read_text() if conf.exists() else "ERROR::: No user.conf file found.", flush=True)
    supplements(image, system, scenario)
    results = LOGS / "results" / system / image.workload / scenario
    logs = WORKSPACE / "run_output"
    if mode in {"Performance", "Accuracy"}:
        clean()
        loadgen(image, logs, conf, accuracy=mode == "Accuracy", scenario=scenario)
        stage(logs, results / ("accuracy" if mode == "Accuracy" else "performance/run_1"))
    else:
        for test in image.tests:
            (WORKSPACE / "audit.config").unlink(missing_ok=True)
            place_audit(test)
            if test == "TEST01" and not results.is_dir():
                print(f"[ERROR] Compliance run could not be verified due to non-existant RESULTS_PATH: {results}")
                return
            clean()
            loadgen(image, logs, conf, accuracy=False, scenario=scenario)
            verify(test, results, logs, LOGS / "compliance" / system / image.workload / scenario)


def run_rates(image: Image, script: str) -> None:
    """v5.0, and dlrm-v2 and rgat of v5.1: user.conf from rates alone; no SYSTEM of its own when one is given."""
    del script
    scenario, mode = env("SCENARIO", "Offline"), env("MODE", "Performance")
    offline, server, system = env("OFFLINE_QPS", "0"), env("SERVER_QPS", "0"), env("SYSTEM", "")
    if offline == server == "0":
        offline, server, system = "1", "1", "1-node-2S-EMR"
    conf = WORKSPACE / "user.conf"
    conf.write_text(f"*.Offline.target_qps = {offline}\n*.Server.target_qps = {server}\n")
    results = LOGS / "results" / system / image.workload / scenario
    tests = [mode] if mode in image.tests else image.tests
    if mode in {"Performance", "Accuracy"}:
        (WORKSPACE / "audit.config").unlink(missing_ok=True)
        clean()
        loadgen(image, WORKSPACE, conf, accuracy=mode == "Accuracy", scenario=scenario)
        stage(WORKSPACE, results / ("accuracy" if mode == "Accuracy" else "performance/run_1"))
        return
    for test in tests:
        (WORKSPACE / "audit.config").unlink(missing_ok=True)
        clean()
        place_audit(test)
        loadgen(image, WORKSPACE, conf, accuracy=False, scenario=scenario)
        tree = LOGS / "compliance" / system / image.workload / scenario
        stage(WORKSPACE, tree / test / "output")
        if not results.is_dir():
            print(f"[ERROR] Compliance run could not be verified due to non-existant RESULTS dir: {results}")
            return
        verify(test, results, tree / test / "output", tree)
        shutil.rmtree(tree / test / "output")


def run_scaled(image: Image, script: str) -> None:
    """v4.1: user_default.conf, scaled from its number of cores to this machine's."""
    del script
    reader = configparser.ConfigParser()
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    reader.read(WORKSPACE / "user_default.conf")
    factor = _cores() / int(reader.get("default", "number_cores"))
    lines = []
    for name, value in reader.items("default"):
        if name != "number_cores":
            lines.append(f"{name} = {round(float(value) * factor, 4) if '_qps' in name else value}")
    (WORKSPACE / "user.conf").write_text("\n".join(lines) + "\n")
    _forty_one(image)


def run_plain(image: Image, script: str) -> None:
    """v4.1 gptj: user.conf as it stands."""
    del script
    _forty_one(image)


def _cores() -> int:
    done = subprocess.run(["lscpu", "-b", "-p=Core,Socket"], capture_output=True, text=True, check=True)
    return len({line for line in done.stdout.splitlines() if not line.startswith("#")})


def _forty_one(image: Image) -> None:
    scenario, accuracy = env("SCENARIO", "Offline"), env("ACCURACY", "false") == "true"
    system, logs = env("SYSTEM", "1-node-2S-EMR-PyTorch"), Path(env("LOG_DIR", "/logs"))
    clean()
    loadgen(image, WORKSPACE, WORKSPACE / "user.conf", accuracy=accuracy, scenario=scenario)
    if env("COMPLIANCE", ""):
        stage(WORKSPACE, logs)
    else:
        tree = logs / "results" / system / env("WORKLOAD", image.workload) / scenario
        stage(WORKSPACE, tree / ("accuracy" if accuracy else "performance/run_1"))


def run_gaudi(image: Image, script: str) -> None:
    """v5.0 on Gaudi: one script for each mode and scenario."""
    _, kind, scenario = script.removesuffix(".sh").split("_")
    logs = LOGS / f"{scenario}_{kind}_loadgen_logs"
    loadgen(image, logs, WORKSPACE / "user.conf", accuracy=kind == "accuracy", scenario=scenario.capitalize())


if __name__ == "__main__":
    name = Path(sys.argv[1])
    shown = name.relative_to(WORKSPACE) if name.is_absolute() else name
    main(str(shown), sys.argv[2:])
