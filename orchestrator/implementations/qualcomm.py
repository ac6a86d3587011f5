"""Drive KILT on Qualcomm's Cloud AI 100 cards: compile the model once, then one LoadGen process. Pure; starts nothing.

KILT takes no arguments: everything it knows comes through variables (qualcomm_kilt.py), LoadGen's logs and audit.config
lie in the folder it runs in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.container import ContainerSpec, Mount, Network
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations import common
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, LOADGEN_LOGS, OUTPUT

OURS = PurePosixPath("/opt/mlperf-docker")
KILT = PurePosixPath("/opt/kilt")
COMPILER = "/opt/qti-aic/exec/qaic-exec"
PROGRAM = PurePosixPath("/program")
ASSETS = PurePosixPath("/assets")
_NODES = ("/dev/accel/accel*", "/dev/qaic*")
_GROUP = "qaic"
_STREAMS = frozenset({Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM})
_QUEUE_LENGTH = {"14": "4", "16": "10", "9": "6"}
_SCORERS = PurePosixPath("/opt/mlperf-docker/score")
_MODULES = "/opt/harness:/opt/mlperf-docker/modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """One decided run: the spec, what it stands on, the options given; the host's model file and data set."""

    spec: RunSpec
    on: Situation
    given: dict[str, str]
    model: Path
    dataset: Path

    @property
    def nsp(self) -> str:
        """Cores of one card."""
        return self.given.get("nsp", "14")

    @property
    def streams(self) -> bool:
        """Whether one query at a time is asked: then one card serves."""
        return self.spec.scenario in _STREAMS

    @property
    def nodes(self) -> tuple[str, ...]:
        """The device nodes of the cards that are here; one kind only, a driver makes either."""
        for pattern in _NODES:
            found = tuple(sorted(node for node in self.on.host.device_nodes if fnmatch(node, pattern)))
            if found:
                return found
        return ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The numbers of the cards that are used."""
        named = self.given.get("devices") or ",".join(gpu for gpu in self.spec.gpus if gpu != "all")
        every = tuple(named.split(",")) if named else tuple(str(index) for index in range(len(self.nodes) or 1))
        return every[:1] if self.streams else every

    def parameter(self, name: str) -> str:
        """A parameter of the offer by its most special name: benchmark, scenario and cores in or left out."""
        known = self.on.offer.parameters
        benchmark, scenario = self.on.benchmark.name, self.spec.scenario.value
        for key in (
            f"{name}_{benchmark}_{scenario}_{self.nsp}",
            f"{name}_{benchmark}_{scenario}",
            f"{name}_{scenario}_{self.nsp}",
            f"{name}_{scenario}",
            f"{name}_{benchmark}",
            name,
        ):
            if key in known:
                return known[key]
        return ""

    def base(self, name: str) -> str:
        """The part of a parameter that holds for every scenario."""
        known = self.on.offer.parameters
        return known.get(f"{name}_{self.on.benchmark.name}", known.get(name, ""))

    @property
    def quantized(self) -> bool:
        """Whether the compiler wants a calibration profile."""
        return self.base("quantized") == "yes" or self.on.benchmark.name in self.base("quantized_in").split()

    @property
    def batch(self) -> int:
        """Samples (BERT: packed questions) at once, as published for the scenario unless the user says otherwise."""
        published = self.on.offer.parameters.get("stream_batch") if self.streams else None
        if self.spec.scenario is Scenario.SERVER:
            published = self.on.offer.parameters.get("server_batch")
        return self.spec.knobs.batch_size or int(published or self.on.offer.batch_size)

    @property
    def activations(self) -> str:
        """Copies of the program on one card."""
        pairs = (pair.partition("=") for pair in self.parameter("activations").split())
        published = {cores: count for cores, _, count in pairs}
        return self.given.get("activations") or published.get(self.nsp, "1")


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """Are the cards ready, calibrate and compile (once), LoadGen, and scoring behind an accuracy run."""
    if spec.engine is EngineName.NATIVE:
        raise UsageError("KILT runs in its container only", hint="use --engine docker or podman")
    if on.model is None or on.dataset is None:
        raise UsageError(f"{spec.model} needs its model and data set", hint="give --model-path and --dataset-path")
    given = dict(spec.knobs.extra)
    known = common.knobs_of(spec, on)
    for name, value in given.items():
        if name in known:
            common.check_knob(name, known[name], value)
    cards = Cards(spec=spec, on=on, given=given, model=on.model, dataset=on.dataset)
    _check_ids(cards)
    scored = (_score(cards),) if spec.mode is Mode.ACCURACY else ()
    return (_ready(cards), *_calibrated(cards), _compiled(cards), _result(cards), *scored)


def _check_ids(cards: Cards) -> None:
    wrong = [each for each in cards.ids if not each.isdigit()]
    if wrong:
        raise UsageError(
            f"--set devices={cards.given.get('devices', '')}: '{wrong[0]}' is no number of a card",
            hint="write 0,1,2; on the host: /opt/qti-aic/tools/qaic-util -q",
        )


def _container(cards: Cards, command: tuple[str, ...], *, card: bool) -> ContainerSpec:
    """The least KILT or a tool of the SDK gets, or what the older instructions give (tier vendor: privileged)."""
    spec, on = cards.spec, cards.on
    plain = common.container(
        spec,
        on,
        command,
        mounts=(
            Mount(source=cards.model.parent, target=CONTAINER_MODEL),
            Mount(source=cards.dataset, target=CONTAINER_DATASET),
        ),
    )
    plain = replace(plain, gpus=())
    if card:
        group = cards.given.get("group") or on.host.qaic_group or _GROUP
        plain = replace(plain, devices=cards.nodes or ("/dev/accel/accel0",), groups=(group,))
        if spec.privileges is Tier.VENDOR:
            plain = replace(plain, privileged=True, network=Network.HOST)
    return plain


def _programs(cards: Cards, *, writable: bool) -> Mount:
    """The folder of the compiled program: it outlives the run, one for each way of compiling."""
    about = "\n".join((str(cards.model), *_compiler_options(cards), cards.given.get("calibrate", "no")))
    key = hashlib.sha256(about.encode()).hexdigest()[:12]
    return Mount(source=cards.on.work / f"program-{key}", target=PROGRAM, read_only=not writable, create=writable)


def _step(cards: Cards, name: str, container: ContainerSpec, once: Path | None) -> Execution:
    return Execution(
        name=name,
        role=Role.PREPARE,
        scenario=cards.spec.scenario,
        folder=PurePosixPath("prepare") / name,
        container=container,
        once=once,
    )


def _ready(cards: Cards) -> Execution:
    command = ("/bin/sh", str(OURS / "ready.sh"), str(len(cards.ids)))
    return _step(cards, "ready", _container(cards, command, card=True), None)


def _profile(cards: Cards) -> PurePosixPath:
    return (PROGRAM if cards.given.get("calibrate") == "yes" else CONTAINER_MODEL) / "profile.yaml"


def _filled(cards: Cards, text: str) -> tuple[str, ...]:
    """The words of a parameter with the folders inside put in."""
    places = {
        "{model}": str(CONTAINER_MODEL),
        "{dataset}": str(CONTAINER_DATASET),
        "{out}": str(OUTPUT),
        "{log}": str(OUTPUT / ACCURACY_LOG),
        **{f"{{{name}}}": str(ASSETS / name) for name in cards.on.assets},
    }
    for name, place in places.items():
        text = text.replace(name, place)
    return tuple(text.split())


def _calibrated(cards: Cards) -> tuple[Execution, ...]:
    """The profile of what the model computes over calibration inputs, where it is asked for."""
    if not cards.quantized or cards.given.get("calibrate") != "yes":
        return ()
    program = _programs(cards, writable=True)
    threads = cards.on.host.cores or cards.on.host.usable_cpus
    command = (
        *(COMPILER, f"-input-list-file={CONTAINER_MODEL}/calibration/inputs.txt"),
        *((f"-batchsize={cards.batch}",) if cards.base("compiled_batch") == "yes" else ()),
        *_filled(cards, cards.base("calibrate")),
        f"-profiling-threads={threads}",
        f"-dump-profile={_profile(cards)}",
        f"-model={CONTAINER_MODEL / cards.model.name}",
    )
    container = _container(cards, command, card=False)
    container = replace(container, mounts=(*container.mounts, program))
    return (_step(cards, "calibrate", container, program.source / "calibrate.done"),)


def _compiler_options(cards: Cards) -> tuple[str, ...]:
    special = cards.parameter("compile")
    special = "" if special == cards.base("compile") else special
    return (
        f"-model={CONTAINER_MODEL / cards.model.name}",
        *((f"-load-profile={_profile(cards)}",) if cards.quantized else ()),
        f"-aic-binary-dir={PROGRAM}/elfs",
        *_filled(cards, f"{cards.base('compile')} {special}"),
        *((f"-batchsize={cards.batch}",) if cards.base("compiled_batch") == "yes" else ()),
    )


def _compiled(cards: Cards) -> Execution:
    program = _programs(cards, writable=True)
    command = ("/bin/sh", str(OURS / "compile.sh"), f"{PROGRAM}/elfs", COMPILER, *_compiler_options(cards))
    container = _container(cards, command, card=False)
    container = replace(container, mounts=(*container.mounts, program))
    return _step(cards, "compile", container, program.source / "compile.done")


def variables(cards: Cards) -> dict[str, str]:
    """What KILT reads, by the names of its table config/translate/x/translation_table.h; times in microseconds."""
    own = (word.partition("=") for word in _filled(cards, cards.base("environment")))
    return {
        "device": _GROUP,
        "kilt_backend_type": _GROUP,
        "kilt_model_root": f"{PROGRAM}/elfs",
        "kilt_model_batch_size": str(cards.batch),
        "kilt_device_ids": ",".join(cards.ids),
        "kilt_max_wait_abs": cards.given.get("max_wait_us", "10000"),
        "qaic_activation_count": cards.activations,
        "qaic_queue_length": cards.given.get("queue_length", _QUEUE_LENGTH[cards.nsp]),
        "verbosity": "0",
        "loadgen_scenario": cards.spec.scenario.value,
        "loadgen_mode": "AccuracyOnly" if cards.spec.mode is Mode.ACCURACY else "PerformanceOnly",
        "loadgen_mlperf_conf_path": str(KILT / "mlperf.conf"),
        "loadgen_user_conf_path": str(OUTPUT / "user.conf"),
        "loadgen_buffer_size": str(cards.on.rules.performance_sample_count),
        "loadgen_dataset_size": str(cards.on.rules.dataset_samples),
        "loadgen_trigger_cold_run": "0",
        **{name: value for name, _, value in own},
    }


def _result(cards: Cards) -> Execution:
    spec, on = cards.spec, cards.on
    container = _container(cards, (str(KILT / cards.base("program") / "run.out"),), card=True)
    return Execution(
        name=Role.RESULT.value,
        role=Role.RESULT,
        scenario=spec.scenario,
        folder=common.RESULT_FOLDER,
        settings=common.loadgen_settings(spec, on),
        container=replace(
            container,
            mounts=(*container.mounts, _programs(cards, writable=False)),
            environment=tuple(sorted(variables(cards).items())),
            workdir=OUTPUT,
        ),
        files=((PurePosixPath("audit.config"), on.audit.text),) if on.audit is not None else (),
        produces=LOADGEN_LOGS,
        timeout_s=spec.timeout_s,
    )


def _score(cards: Cards) -> Execution:
    """The round's official scorer over the accuracy log; KILT writes 32-bit floats in all three benchmarks."""
    script = str(_SCORERS / cards.base("score"))
    arguments = _filled(cards, cards.base("score_arguments"))
    target = str(OUTPUT / ACCURACY_TEXT)
    command = ("/bin/sh", str(OURS / "score.sh"), target, "python3", script, *arguments)
    container = _container(cards, command, card=False)
    further = tuple(Mount(source=path, target=ASSETS / name) for name, path in sorted(cards.on.assets.items()))
    return Execution(
        name=Role.EVALUATE.value,
        role=Role.EVALUATE,
        scenario=cards.spec.scenario,
        folder=common.RESULT_FOLDER,
        container=replace(
            container,
            mounts=(*container.mounts, *further),
            environment=(("PYTHONPATH", _MODULES),),
            workdir=OUTPUT,
        ),
        produces=(ACCURACY_TEXT,),
    )
