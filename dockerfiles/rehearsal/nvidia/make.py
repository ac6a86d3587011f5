"""Stands in for `make` in NVIDIA's tree: its targets, variables and refusals, and nothing of its code.

LoadGen is real, the system under test answers nothing. Usage: make TARGET... [VARIABLE=VALUE...]
"""

import os
import shutil
import sys
import time
from pathlib import Path

import harness
import table

WORK = Path("/work")
BUILT = WORK / "build/harness/stand-in"
PREPARED = {"download_model": "models", "download_data": "data", "preprocess_data": "preprocessed_data"}
AUDITS = {
    "run_audit_test01_once": "TEST01",
    "run_audit_test04_once": "TEST04",
    "run_audit_test06": "TEST06",
}


def main(words: "list[str]") -> None:
    """Check everything first, then play the targets in order."""
    targets = [table.require("target", word) for word in words if "=" not in word]
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    for name in variables:
        table.require("variable", name)
    if os.getuid() == 0:
        table.refuse(
            "UID 0 (root): 'This is not allowed for security reasons' (Makefile.docker, check_user_requirements)"
        )
    if Path.cwd() != WORK or not os.access(WORK, os.W_OK):
        table.refuse(f"NVIDIA's tree is at {WORK}, writable; this is {Path.cwd()}")
    table.check_environment()
    scratch = table.check_scratch()
    print(f"REHEARSAL: stands in for NVIDIA's make of {table.ROUND}; no figure means anything", flush=True)
    for target in targets:
        play(target, variables, scratch)


def play(target: str, variables: "dict[str, str]", scratch: Path) -> None:
    """One target."""
    if target == "build":
        if len(variables.get("INFERENCE_HASH", "0" * 40)) != 40:
            table.refuse("INFERENCE_HASH is no revision")
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        BUILT.write_text("built\n")
        link(scratch)
        return
    link(scratch)
    if target == "link_dirs":
        return
    if target in PREPARED:
        for name in variables.get("BENCHMARKS", "").split() or [""]:
            table.require("benchmark", name)
            (scratch / PREPARED[target] / name).mkdir(parents=True, exist_ok=True)
        return
    if not BUILT.exists():
        table.refuse(f"{target} before 'make build'")
    flags = harness.flags(variables.get("RUN_ARGS", ""))
    workload = harness.workload(flags)
    if workload is None:
        # As upstream: it says so, and ends well.
        print("Detected system did not match any known systems. Exiting.")
    elif target in {"generate_engines", "calibrate"}:
        workload.engines.mkdir(parents=True, exist_ok=True)
        (workload.engines / "stand-in.plan").write_text("no engine\n")
    elif target == "run_llm_server":
        harness.serve(flags)
    elif target == "run_harness":
        harness.measure(
            workload, flags, Path(os.environ.get("LOG_DIR") or f"build/logs/{time.strftime('%Y.%m.%d-%H.%M.%S')}")
        )
    elif target in AUDITS:
        audit(AUDITS[target], workload, flags)
    else:
        table.refuse(f"{target} is not played")


def link(scratch: Path) -> None:
    """build/{data,models,preprocessed_data} as links into the scratch folder."""
    (WORK / "build").mkdir(exist_ok=True)
    for name in ("data", "models", "preprocessed_data"):
        (scratch / name).mkdir(exist_ok=True)
        place = WORK / "build" / name
        place.unlink(missing_ok=True)
        place.symlink_to(scratch / name)


def audit(test: str, workload: "harness.Workload", flags: "dict[str, str]") -> None:
    """Copy the test's audit.config to the working folder, run, and leave the file there, as a crash would."""
    source = WORK / "build/inference/compliance/nvidia" / test / workload.benchmark / "audit.config"
    if not source.is_file():
        source = source.parent.parent / "audit.config"
    if not source.is_file():
        table.refuse(f"no audit.config for {test} below build/inference/compliance/nvidia")
    shutil.copy(source, WORK / "audit.config")
    logs = Path("build/compliance_logs") / test
    logs.mkdir(parents=True, exist_ok=True)
    harness.measure(workload, flags, logs)


main(sys.argv[1:])
