"""What differs between the rounds of NVIDIA's published code (closed/NVIDIA of inference_results_vX.Y). Data only.

Each field is as that round's Makefiles and argument parser have it; docs/verification.md says how that was checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

WORK = PurePosixPath("/work")
STEP = "/opt/mlperf-docker/nvidia/step.sh"
HEALTH = "/opt/mlperf-docker/nvidia/health.py"
REGISTRY = "nvcr.io/nvidia/mlperf/mlperf-inference"
FIRST_PORT = 30000  # of trtllm-serve; one port more for each copy of the model

# Files that turn the next run of this harness into an audit run, or into the report of an earlier one (its own
# clean-up of the same names happens only when it gets that far).
LEFT_OVER = (
    "audit.config",
    "audit.conf",
    "verify_accuracy.txt",
    "verify_performance.txt",
    "mlperf_log_accuracy_baseline.json",
    "accuracy.txt",
    "predictions.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One round's code. `registers`: a system has to be in its list before anything runs (up to v5.0).

    `inference` is the revision of the rules repository that its LoadGen, scripts and audit files are taken from,
    `high_accuracy` the flag for the 99.9 % variants, `gpus` and `runtime` what its Makefile.docker gives to docker run,
    `audits` its make target for each compliance test. `lacks` are `--set` options that its parser has no flag for.
    """

    round: str
    inference: str
    registers: bool
    high_accuracy: str
    gpus: tuple[str, ...]
    runtime: str | None
    audits: tuple[tuple[str, str], ...]
    lacks: tuple[str, ...] = ()

    def audit(self, test: str) -> str | None:
        """The make target of a compliance test."""
        return dict(self.audits).get(test)


_AUDITS = (
    ("TEST01", "run_audit_test01_once"),
    ("TEST04", "run_audit_test04_once"),
    ("TEST06", "run_audit_test06"),  # the one without a `_once`: it is never repeated
)

CODES = {
    code.round: code
    for code in (
        Code(
            round="v4.1",
            inference="379ee5345a25ee123fd5faec33285b6e8be0dadf",  # its own
            registers=True,
            high_accuracy="--config_ver=high_accuracy",
            gpus=("all",),
            runtime="nvidia",
            audits=(*_AUDITS, ("TEST05", "run_audit_test05_once")),
        ),
        Code(
            round="v5.0",
            # Its Makefile.build names a revision whose LoadGen has the seeds of v5.1: the round's own instead.
            inference="dcd0c3eadb6189051ba0efe0a1f251a995fe8895",
            registers=True,
            high_accuracy="--config_ver=high_accuracy",
            gpus=("all",),
            runtime=None,
            audits=_AUDITS,
            lacks=("tensor_parallelism", "pipeline_parallelism"),
        ),
        # The README of v5.1 still says --config_ver; its code no longer has that field and ignores it silently.
        Code(
            round="v5.1",
            inference="47b91b979caeea4fbd7e91a4d919a6367fd45eed",  # its own; later ones moved the audit files
            registers=False,
            high_accuracy="--accuracy_target=0.999",
            gpus=(),
            runtime="nvidia",
            audits=_AUDITS,
        ),
    )
}
