"""Drive AMD's closed-division harness: its images and published commands, one LoadGen run each. Pure; starts nothing.

Three interfaces (an offer's parameter `interface`): code/main.py with a published configuration (v5.0 and later), the
scripts of v4.1, and SDXL (amd_sdxl.py). Which traps of AMD's code are handled where: docs/vendors/amd.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import Execution, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Mode, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations import amd_sdxl, common, vendor
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, DETAIL, SUMMARY

LAB = PurePosixPath("/lab-mlperf-inference")
MODEL = PurePosixPath("/model")
DATA = PurePosixPath("/data")
HISTORY = PurePosixPath("/lab-hist")
RESULTS = LAB / "results"
_GPUS = 8  # of every published system
_ARCHITECTURE = {"mi300x": "gfx942", "mi325x": "gfx942"}  # the MI350 family is gfx950
_MAIN = "main"  # v5.0 and later: code/main.py
_SCRIPTS = "scripts"  # v4.1: test_VllmFp8/*.sh


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One decided run: the spec, what it stands on, the options given, and the GPU and its number."""

    spec: RunSpec
    on: Situation
    given: dict[str, str]
    gpu: str
    count: int

    def parameter(self, name: str) -> str | None:
        """A parameter of the offer."""
        return self.on.offer.parameters.get(name)

    @property
    def code(self) -> PurePosixPath:
        """Where main.py and its scripts lie: AMD's prebuilt images and those of its build scripts differ."""
        own = self.parameter("source_code")
        if self.given.get("layout") == "source":
            if own is None:
                raise UsageError(
                    f"AMD publishes no build script for {self.on.benchmark.name} in {self.on.round.name}",
                    hint="leave --set layout=source out",
                )
            return PurePosixPath(own)
        return LAB / "code"


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """What AMD publishes for one mode of one scenario, with scoring behind an accuracy run."""
    if spec.engine is EngineName.NATIVE:
        raise UsageError("AMD's harness runs in its container only", hint="use --engine docker or podman")
    given = vendor.options(spec, on)
    vendor.check_tuning(spec, given)
    lab = Lab(spec=spec, on=on, given=given, gpu=_gpu(given, on), count=_count(spec, given, on))
    kinds: dict[str, Callable[[Lab], tuple[Execution, ...]]] = {
        _MAIN: _main,
        _SCRIPTS: _scripts,
        amd_sdxl.HARNESS: lambda one: amd_sdxl.harness(spec, on, partial(container, one)),
        amd_sdxl.SCRIPT: lambda one: amd_sdxl.script(spec, on, partial(container, one)),
    }
    return (*_preparations(lab), *kinds[on.offer.parameters["interface"]](lab))


def _gpu(given: dict[str, str], on: Situation) -> str:
    published = on.offer.parameters["gpus"].split()
    found = [name for name in published if any(name in gpu.name.lower().replace(" ", "") for gpu in on.host.gpus)]
    chosen = given.get("gpu") or (found[0] if found else published[0])
    if chosen not in published:
        raise UsageError(
            f"AMD publishes no configuration of {on.benchmark.name} in {on.round.name} for {chosen}",
            hint=f"--set gpu= takes {', '.join(published)}; another GPU of that family may run with the nearest one",
        )
    return chosen


def _count(spec: RunSpec, given: dict[str, str], on: Situation) -> int:
    named = tuple(gpu for gpu in spec.gpus if gpu != "all")
    return int(given.get("device_count") or len(named) or len(on.host.gpus) or _GPUS)


def container(lab: Lab, command: tuple[str, ...], online: bool = False) -> ContainerSpec:
    """AMD's container in the tier that was asked for; `online` where a script fetches something."""
    spec, on = lab.spec, lab.on
    plain = common.container(spec, on, command)
    plain = replace(
        plain,
        user=vendor.ROOT_USER,
        workdir=PurePosixPath(lab.parameter("workdir") or str(LAB / "code")),
        read_only_root=False,
        tmpfs=(),
        gpus=(),
        ipc_host=True,
        network=Network.BRIDGE if online else Network.NONE,
        devices=("/dev/kfd", "/dev/dri"),
        groups=("video", on.host.render_group or "render"),
        security_options=("seccomp=unconfined",),
        add_capabilities=(*plain.add_capabilities, *vendor.FILE_CAPABILITIES),
        limits=Limits(memory_bytes=spec.memory_bytes),
        environment=(*vendor.ROOT_VARIABLES, *_visible(spec)),
        mounts=_mounts(lab),
    )
    if spec.privileges is Tier.VENDOR:
        plain = replace(
            plain,
            privileged=True,
            network=Network.HOST,
            drop_capabilities=False,
            add_capabilities=("SYS_ADMIN", "SYS_PTRACE"),
            devices=("/dev/kfd", "/dev/dri", "/dev/mem"),
        )
    return plain


def _visible(spec: RunSpec) -> tuple[tuple[str, str], ...]:
    named = ",".join(gpu for gpu in spec.gpus if gpu != "all")
    return (("HIP_VISIBLE_DEVICES", named), ("ROCR_VISIBLE_DEVICES", named)) if named else ()


def _mounts(lab: Lab) -> tuple[Mount, ...]:
    model = PurePosixPath(lab.parameter("models") or MODEL)
    return (
        *vendor.nested(lab.on.work / "model", model, lab.on.model, lab.parameter("model_at")),
        *vendor.nested(
            lab.on.work / "data", DATA, lab.on.dataset, lab.parameter("data_at"), file=lab.parameter("data_file")
        ),
    )


def _preparations(lab: Lab) -> tuple[Execution, ...]:
    """The vendor's one-time scripts, each with a stamp, and the host's tuning where it was asked for (every time)."""
    wanted = {
        "fetch-model": lab.parameter("fetch_model") if lab.on.model is None else None,
        "fetch-data": lab.parameter("fetch_data") if lab.on.dataset is None else None,
        "prepare-data": lab.parameter("prepare_data"),
        f"compile-{lab.spec.scenario.value.lower()}": lab.parameter(f"compile_{lab.spec.scenario.value.lower()}"),
    }
    done = [_preparation(lab, name, tuple(command.split()), once=True) for name, command in wanted.items() if command]
    if vendor.check_tuning(lab.spec, lab.given) and lab.parameter("tuning"):
        tuned = _preparation(lab, "tune-host", ("bash", str(lab.parameter("tuning"))), once=False)
        variables = (*tuned.container.environment, ("MLPERF_DOCKER_HOST_TUNING", "yes"))
        done.append(replace(tuned, container=replace(tuned.container, environment=variables)))
    return tuple(done)


def _preparation(lab: Lab, name: str, command: tuple[str, ...], *, once: bool) -> Execution:
    image = lab.parameter("compile_image") if once else None
    made = container(lab, vendor.Entry(own=(RESULTS, *_writable(lab))).command(lab.on, *command), online=True)
    return Execution(
        name=name,
        role=Role.PREPARE,
        scenario=lab.spec.scenario,
        folder=PurePosixPath("prepare") / name,
        container=replace(made, image=image) if image else made,
        output_at=RESULTS,
        once=lab.on.work / f"{name}.done" if once else None,
    )


def _writable(lab: Lab) -> tuple[PurePosixPath, ...]:
    return tuple(mount.target for mount in _mounts(lab) if not mount.read_only)


# -- v5.0 and later: code/main.py


def _main(lab: Lab) -> tuple[Execution, ...]:
    spec, on = lab.spec, lab.on
    code = lab.code
    audit = code / "audit.config"
    audited = on.audit is not None
    entry = vendor.Entry(
        own=(RESULTS, *_writable(lab)),
        place=((RESULTS / "audit.config", audit),) if audited else (),
        absent=(audit,),
    )
    made = container(lab, entry.command(on, "python", str(code / "main.py"), *_arguments(lab, code)))
    result = Execution(
        name="result",
        role=Role.RESULT,
        scenario=spec.scenario,
        folder=common.RESULT_FOLDER,
        settings=_settings(lab),
        container=replace(made, workdir=code),
        files=((PurePosixPath("audit.config"), on.audit.text),) if on.audit is not None else (),
        output_at=RESULTS,
        produces=(DETAIL, SUMMARY, ACCURACY_LOG),
        timeout_s=spec.timeout_s,
    )
    return (result, _score(lab, code)) if spec.mode is Mode.ACCURACY else (result,)


def _arguments(lab: Lab, code: PurePosixPath) -> tuple[str, ...]:
    spec = lab.spec
    name = f"{spec.scenario.value.lower()}_{lab.gpu}"
    backend = lab.parameter("backend")
    accuracy = (lab.parameter("accuracy_arguments") or "").split() if spec.mode is Mode.ACCURACY else []
    return (
        "--config-path",
        str(code / _configurations(lab)),
        "--config-name",
        name,
        *(("--backend", backend) if backend else ()),
        f"test_mode={'accuracy' if spec.mode is Mode.ACCURACY else 'performance'}",
        f"harness_config.{lab.parameter('count_key') or 'device_count'}={lab.count}",
        *accuracy,
        f"harness_config.user_conf_path={RESULTS}/user.conf",
        f"harness_config.output_log_dir={RESULTS}",
    )


def _configurations(lab: Lab) -> str:
    """The folder of the published configurations, under the code's."""
    return lab.on.offer.parameters["config"]


def _settings(lab: Lab) -> LoadGenSettings:
    return common.loadgen_settings(lab.spec, lab.on)


def _score(lab: Lab, code: PurePosixPath) -> Execution:
    """AMD's scorer over the accuracy log; it writes accuracy.txt beside it. No GPU, but the network for its metrics."""
    log = RESULTS / str(ACCURACY_LOG)
    setup = lab.parameter("source_score_setup" if lab.given.get("layout") == "source" else "score_setup")
    entry = vendor.Entry(own=(RESULTS,), first=(str(code / setup),) if setup else ())
    made = container(lab, entry.command(lab.on, "bash", str(code / lab.on.offer.parameters["score"]), str(log)), True)
    return Execution(
        name="score",
        role=Role.EVALUATE,
        scenario=lab.spec.scenario,
        folder=common.RESULT_FOLDER,
        container=replace(
            made,
            workdir=code,
            devices=(),
            groups=(),
            environment=(*vendor.ROOT_VARIABLES, ("ARCH", _ARCHITECTURE.get(lab.gpu, "gfx950"))),
        ),
        output_at=RESULTS,
        produces=(ACCURACY_TEXT,),
    )


# -- v4.1: one script for each scenario and mode


def _scripts(lab: Lab) -> tuple[Execution, ...]:
    spec, on = lab.spec, lab.on
    kind = {Mode.PERFORMANCE: "perf", Mode.ACCURACY: "acc", Mode.COMPLIANCE: "audit"}[spec.mode]
    left = {Mode.PERFORMANCE: "perf", Mode.ACCURACY: "accuracy", Mode.COMPLIANCE: "audit"}[spec.mode]
    which = "Offline" if spec.scenario.value == "Offline" else "SyncServer"
    folder = PurePosixPath(on.offer.parameters["workdir"])
    audit = folder.parent / "VllmFp8" / "audit.config"
    entry = vendor.Entry(own=(HISTORY, *_writable(lab)), absent=(audit,))
    variables = {
        "BASE_LOG_DIR": str(HISTORY / "mlperf-results"),
        "DP": str(lab.count),
        "SUBMISSION": "0",
        "USER_CONF": str(HISTORY / "user.conf"),
    }
    made = container(lab, entry.command(on, "bash", f"./test_VllmFp8_{which}_{kind}.sh"))
    accuracy = (ACCURACY_TEXT,) if spec.mode is Mode.ACCURACY else ()
    return (
        Execution(
            name="result",
            role=Role.RESULT,
            scenario=spec.scenario,
            folder=common.RESULT_FOLDER,
            settings=_settings(lab),
            container=replace(
                made, environment=tuple(sorted({**dict(made.environment), **variables}.items())), workdir=folder
            ),
            produces=(DETAIL, SUMMARY, ACCURACY_LOG, *accuracy),
            output_at=HISTORY,
            logs_from=(f"mlperf-results/{left}",),
            timeout_s=spec.timeout_s,
        ),
    )
