"""Drive Intel's closed-division harness: its own images and scripts, one LoadGen run each. Pure; starts nothing.

Three interfaces (an offer's parameter `interface`): v4.1 takes ACCURACY and a rate scaled by cores, v5.0 takes MODE and
a rate, most of v5.1 a whole user.conf. Which traps of Intel's code are handled where: docs/vendors/intel.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestrator.domain.container import ContainerSpec, Mount, Network
from orchestrator.domain.plan import Execution, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, EngineName, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations import common, vendor
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, DETAIL, SUMMARY

WORKSPACE = PurePosixPath("/workspace")
LOGS = PurePosixPath("/logs")
MODEL = PurePosixPath("/model")
DATA = PurePosixPath("/data")
_GATHERED = "gathered"
_RATED = {Scenario.OFFLINE: "OFFLINE_QPS", Scenario.SERVER: "SERVER_QPS"}
# What each interface is called in an offer's parameters, and what it takes of LoadGen's settings.
_CONF = "conf"  # v5.1: AUTO_USER_CONF=False and a user.conf of ours
_RATES = "rates"  # v5.0, and dlrm-v2 and rgat of v5.1: OFFLINE_QPS and SERVER_QPS
_SCALED = "scaled"  # v4.1: user_default.conf, scaled by cores
_PLAIN = "plain"  # v4.1 gptj: user.conf as it stands
_GAUDI = "gaudi"  # v5.0 on Gaudi: run_performance_offline.sh and its like, user.conf as it stands
_FORTY_ONE = frozenset({_SCALED, _PLAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One decided run: the spec, what it stands on, the offer's parameters and the options given."""

    spec: RunSpec
    on: Situation
    given: dict[str, str]

    def parameter(self, name: str) -> str | None:
        return self.on.offer.parameters.get(name)

    @property
    def interface(self) -> str:
        return self.on.offer.parameters["interface"]

    @property
    def system(self) -> str:
        return vendor.system_name(self.given.get("system", self.spec.system))


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """Prepare what the vendor's scripts make once, then run: performance, accuracy, or one compliance test."""
    run = _Run(spec=spec, on=on, given=vendor.options(spec, on))
    _check(run)
    return (*_preparations(run), _result(run))


def _check(run: _Run) -> None:
    spec = run.spec
    if spec.engine is EngineName.NATIVE:
        raise UsageError("Intel's harness runs in its container only", hint="use --engine docker or podman")
    if spec.gpus and spec.device is not Device.CPU:
        raise UsageError("Intel's scripts take every card of the machine", hint="leave --gpus out")
    if spec.mode is Mode.COMPLIANCE and run.parameter("compliance") == "none":
        raise UsageError(
            f"Intel's harness of {spec.round} has no compliance run for {spec.model}",
            hint="the round's rules ask for none, or take another implementation",
        )


def _settings(run: _Run) -> LoadGenSettings | None:
    """The user.conf, where the interface takes one; its lines name the model as that harness looks it up."""
    spec, on = run.spec, run.on
    if run.interface == _RATES:
        vendor.refuse_settings(spec, "this harness of Intel's", takes="a rate (--target-qps)")
        if not common.is_short(spec):
            common.require_target(spec, on)
        return None
    settings = common.loadgen_settings(spec, on)
    name = run.parameter("loadgen_model")
    return replace(settings, loadgen_model=name) if name is not None else settings


def _rate(run: _Run) -> str:
    """What OFFLINE_QPS or SERVER_QPS is set to; a test run takes a small one, as the scripts know no other length."""
    given = run.spec.loadgen.target_qps or common.short_rate(run.spec, run.on) or 1.0
    return f"{given:g}"


def _environment(run: _Run) -> tuple[tuple[str, str], ...]:
    spec = run.spec
    variables = {"SCENARIO": spec.scenario.value, "SYSTEM": run.system}
    if run.interface == _GAUDI:
        variables = {}
    elif run.interface in _FORTY_ONE:
        variables["ACCURACY"] = "true" if spec.mode is Mode.ACCURACY else "false"
        if spec.mode is Mode.COMPLIANCE:
            variables |= {"COMPLIANCE": str(spec.compliance_test), "LOG_DIR": str(LOGS / _GATHERED)}
    else:
        variables["MODE"] = spec.mode.value.capitalize()
        if run.interface == _CONF:
            variables["AUTO_USER_CONF"] = "False"
        elif spec.scenario in _RATED:
            variables[_RATED[spec.scenario]] = _rate(run)
    if spec.device is Device.HPU:
        variables |= {"HABANA_VISIBLE_DEVICES": "all", "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
    if vendor.check_tuning(spec, run.given):
        variables["MLPERF_DOCKER_HOST_TUNING"] = "yes"
    return tuple(sorted(variables.items()))


def _container(run: _Run, command: tuple[str, ...], *, online: bool = False) -> ContainerSpec:
    """Intel's container in the tier that was asked for. `online` where a script fetches something."""
    spec, on = run.spec, run.on
    plain = common.container(spec, on, command)
    plain = replace(
        plain,
        user=vendor.ROOT_USER,
        workdir=WORKSPACE,
        read_only_root=False,
        tmpfs=(),
        gpus=(),
        ipc_host=True,
        runtime="habana" if spec.device is Device.HPU else None,
        network=Network.BRIDGE if online else Network.NONE,
        environment=vendor.ROOT_VARIABLES,
        add_capabilities=(*plain.add_capabilities, *vendor.FILE_CAPABILITIES, "SYS_NICE"),
        mounts=(
            *vendor.nested(on.work / "model", MODEL, on.model, run.parameter("model_at")),
            *vendor.nested(
                on.work / "data", DATA, on.dataset, run.parameter("data_at"), file=run.parameter("data_file")
            ),
            *_calibration_data(run),
        ),
    )
    if spec.device is Device.XPU:
        plain = replace(plain, devices=("/dev/dri",), groups=(on.host.render_group or "render",))
    if spec.privileges is Tier.VENDOR:
        plain = replace(
            plain, privileged=True, network=Network.HOST, drop_capabilities=False, add_capabilities=("ALL",)
        )
    return plain


def _calibration_data(run: _Run) -> tuple[Mount, ...]:
    """The offer's further asset is what the vendor calibrates with: one file, under the name it looks for."""
    at = run.parameter("calibration_at")
    return (
        ()
        if at is None
        else tuple(
            Mount(source=path / PurePosixPath(at).name, target=PurePosixPath(at)) for path in run.on.assets.values()
        )
    )


def _preparations(run: _Run) -> tuple[Execution, ...]:
    """The vendor's one-time scripts, each with a stamp: fetch what no asset brings, calibrate."""
    on = run.on
    wanted = {
        "fetch-model": run.parameter("fetch_model") if on.model is None else None,
        "fetch-data": run.parameter("fetch_data") if on.dataset is None else None,
        "calibrate": run.parameter("calibrate"),
    }
    return tuple(_preparation(run, name, script) for name, script in wanted.items() if script is not None)


def _preparation(run: _Run, name: str, script: str) -> Execution:
    entry = vendor.Entry(own=(LOGS, *_writable(run)), first=_first(run))
    container = _container(run, entry.command(run.on, "bash", script), online=True)
    given = run.parameter("calibrate_environment") if name == "calibrate" else None
    variables = tuple((key, value) for key, _, value in (each.partition("=") for each in (given or "").split()))
    return Execution(
        name=name,
        role=Role.PREPARE,
        scenario=run.spec.scenario,
        folder=PurePosixPath("prepare") / name,
        container=replace(container, environment=(*container.environment, *variables)),
        output_at=LOGS,
        once=run.on.work / f"{name}.done",
    )


def _writable(run: _Run) -> tuple[PurePosixPath, ...]:
    """The vendor's folders that are not an asset of ours shown read-only."""
    taken = {run.parameter("model_at"), run.parameter("data_at")}
    return tuple(folder for folder in (MODEL, DATA) if str(folder) not in taken)


def _first(run: _Run) -> tuple[str, ...]:
    first = run.parameter("first")
    return (first,) if first is not None else ()


def _result(run: _Run) -> Execution:
    spec, on = run.spec, run.on
    settings = _settings(run)
    files = () if on.audit is None else ((PurePosixPath("audit.config"), on.audit.text),)
    container = _container(run, _entry(run).command(on, *_command(run)), online=run.parameter("online") == "yes")
    kept = Mount(source=on.work / "kept", target=vendor.KEPT, read_only=False, create=True)
    return Execution(
        name="result",
        role=Role.RESULT,
        scenario=spec.scenario,
        folder=common.RESULT_FOLDER,
        settings=settings,
        container=replace(
            container, environment=(*vendor.ROOT_VARIABLES, *_environment(run)), mounts=(*container.mounts, kept)
        ),
        output_at=LOGS,
        files=files,
        logs_from=_logs_from(run),
        produces=(DETAIL, SUMMARY, ACCURACY_LOG) + ((ACCURACY_TEXT,) if spec.mode is Mode.ACCURACY else ()),
        timeout_s=spec.timeout_s,
    )


def _command(run: _Run) -> tuple[str, ...]:
    if run.interface != _GAUDI:
        return ("bash", run.parameter("script") or "run_mlperf.sh")
    return ("bash", "/opt/mlperf-docker/gaudi.sh", f"./run_{_gaudi_kind(run)}_{run.spec.scenario.value.lower()}.sh")


def _gaudi_kind(run: _Run) -> str:
    return "accuracy" if run.spec.mode is Mode.ACCURACY else "performance"


def _entry(run: _Run) -> vendor.Entry:
    spec = run.spec
    audits = tuple(dict.fromkeys(("audit.config", *(run.parameter("audit_names") or "").split())))
    ours = LOGS / "user.conf"
    place = []
    scaled = None
    if run.interface in {_CONF, _PLAIN, _GAUDI}:
        place.append((ours, WORKSPACE / "user.conf"))
    elif run.interface == _SCALED:
        scaled = (ours, WORKSPACE / "user_default.conf")
    audited = spec.mode is Mode.COMPLIANCE
    if audited:
        place += [(LOGS / "audit.config", WORKSPACE / name) for name in audits]
    # These scripts run every test of the workload in turn, and end at the first that finds no earlier results.
    compares = audited and (run.interface == _RATES or (run.interface == _CONF and spec.compliance_test != "TEST06"))
    return vendor.Entry(
        own=(LOGS, vendor.KEPT, *_writable(run)),
        place=tuple(place),
        absent=tuple(WORKSPACE / name for name in audits),
        scaled=scaled,
        first=_first(run),
        recall=(vendor.KEPT / "results", LOGS / "results") if compares else None,
        expect=tuple(f"{_tree(run)}/{part}" for part in ("performance/run_1", "accuracy")) if compares else (),
        needed_by=spec.compliance_test,
        keep=None if audited else (LOGS / "results", vendor.KEPT / "results"),
        gather=_gather(run) if audited else (),
    )


def _tree(run: _Run) -> str:
    """Where the harness leaves results of this system and scenario; only its workload's name is left open."""
    return f"{LOGS}/results/{run.system}/*/{run.spec.scenario.value}"


def _gather(run: _Run) -> tuple[tuple[str, PurePosixPath], ...]:
    """Where an audit run's logs lie: where the harness runs, then (newer) the submission tree; v4.1 is told where."""
    if run.interface in {*_FORTY_ONE, _GAUDI}:
        return ()
    target = LOGS / _GATHERED
    test = f"{LOGS}/compliance/{run.system}/*/{run.spec.scenario.value}/{run.spec.compliance_test}"
    return (
        (str(WORKSPACE / "run_output"), target),
        (f"{test}/accuracy", target),
        (f"{test}/performance/run_1", target),
    )


def _logs_from(run: _Run) -> tuple[str, ...]:
    if run.interface == _GAUDI:
        return (f"{run.spec.scenario.value.lower()}_{_gaudi_kind(run)}_loadgen_logs",)
    if run.spec.mode is Mode.COMPLIANCE:
        return (_GATHERED,)
    tree = f"results/{run.system}/*/{run.spec.scenario.value}"
    return (f"{tree}/accuracy",) if run.spec.mode is Mode.ACCURACY else (f"{tree}/performance/run_1",)
