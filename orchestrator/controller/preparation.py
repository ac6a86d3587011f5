"""Run a preparation step in containers: have its image, mount inputs read-only, believe only what it wrote.

A step is one of `orchestrator.preparation`, or a script of a benchmark's own repository. Knows no cache: the output
folder that it is given is the caller's affair.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.controller.step_log import StepLog
from orchestrator.domain.asset import PreparationJob
from orchestrator.domain.container import ContainerSpec, Exit, Mount, Network, Outcome, outcome
from orchestrator.domain.image import ImageChoice, ImageEntry, PlannedImage, ReadyImage
from orchestrator.domain.ports import Engine, Images, Say
from orchestrator.domain.script import Places, filled
from orchestrator.domain.source import Prepared, Scripted
from orchestrator.domain.terms import EngineName
from orchestrator.errors import AssetError

_INPUTS, _OUTPUT, _WORK = PurePosixPath("/in"), PurePosixPath("/prepared"), PurePosixPath("/step-work")
_BAD_INPUT = 2  # how our own steps end when what they were given is at fault
_CERTIFICATES = PurePosixPath("/site-ca.pem")
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a step that says that it downloads gets out: a network, variables, and the site's certificates as PEM."""

    network: Network = Network.BRIDGE
    environment: tuple[tuple[str, str], ...] = ()
    certificates: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPreparer:
    """Implements `Preparer` with an engine and its images.

    `choices` says of an image entry which base and which clones of the user's it is made from; `logs` is the folder
    for what steps print; `reach` is asked for steps that say that they download.
    """

    engine: Engine
    images: Images
    round: str
    platform: str
    user: tuple[int, int]
    choices: Callable[[str], ImageChoice]
    logs: Path
    reach: Callable[[], Reach] = Reach

    def __call__(self, job: PreparationJob, *, say: Say) -> None:
        """Fill `job.output`; AssetError quotes the last lines of a step that failed and names its log."""
        source = job.source
        if isinstance(source, Scripted):
            self._refuse(job.asset, source)
        self.engine.clean()  # what a killed process left would still write
        with StepLog(self.logs / f"prepare-{job.asset}.log") as log:
            image = self._image(source.image, log, say)
            log.line(f"image {image.reference} ({image.image_id}), round {self.round}")
            if isinstance(source, Prepared):
                self._run(self._step(job, source, image.handle), job.asset, log)
            else:
                self._script(job, source, image.handle, log, say)
            if not any(path.is_file() for path in job.output.rglob("*")):
                raise AssetError(f"{_what(source)} of '{job.asset}' said it was done but wrote nothing{log.quoted}")

    def code_key(self, source: Prepared | Scripted) -> str:
        """What carries out a step, as a hash: the recipe of its image in this round, with the user's clones."""
        return self._recipe(source.image)

    def _recipe(self, entry: str) -> str:
        choice = self.choices(entry)
        return self.images.plan(entry, round_name=self.round, platform=self.platform, choice=choice)

    def _refuse(self, asset: str, source: Scripted) -> None:
        if source.rounds and self.round not in source.rounds:
            raise AssetError(
                f"asset '{asset}': the benchmark's repository of round {self.round} has no script for it",
                hint=f"rounds that have it: {', '.join(source.rounds)} (--round)",
            )
        if self.engine.name is EngineName.NATIVE:
            raise AssetError(
                f"asset '{asset}' is made by the benchmark's own script in a container, and the native engine has none",
                hint=f"use --engine docker, or give what is ready: --asset {asset}=PATH",
            )

    def _image(self, entry: str, log: StepLog, say: Say) -> ReadyImage:
        choice = self.choices(entry)
        wanted = PlannedImage(
            entry=entry, round=self.round, platform=self.platform, recipe=self._recipe(entry), choice=choice
        )
        return self.images.ensure(wanted, log=log.write, say=say)

    def _step(self, job: PreparationJob, source: Prepared, handle: str) -> ContainerSpec:
        native = self.engine.name is EngineName.NATIVE
        inside = {name: PurePosixPath(path) if native else _INPUTS / name for name, path in job.inputs}
        given = tuple(Mount(source=path, target=PurePosixPath(path)) for _, path in job.inputs)
        target = PurePosixPath(job.output) if native else _OUTPUT
        command = ["python", "-m", "orchestrator.preparation", source.step, "--output", str(target)]
        for name, path in inside.items():
            command += ["--input", f"{name}={path}"]
        for key, value in source.parameters:
            command += ["--set", f"{key}={value}"]
        return ContainerSpec(
            image=handle,
            command=tuple(command),
            mounts=(*(given if native else _inputs(job)), Mount(source=job.output, target=target, read_only=False)),
            user=None if native else self.user,
            network=Network.NONE,
            workdir=target,
        )

    def _script(self, job: PreparationJob, source: Scripted, handle: str, log: StepLog, say: Say) -> None:
        """The commands one after the other, each in a container of its own, on the same folders."""
        places = Places(inputs={name: _INPUTS / name for name, _ in job.inputs}, output=_OUTPUT, work=_WORK)
        scratch = Path(tempfile.mkdtemp(prefix=".step-", dir=job.output.parent))
        try:
            reach = self._reach(source, scratch)
            mounts = (
                *_inputs(job),
                Mount(source=job.output, target=_OUTPUT, read_only=False),
                Mount(source=scratch, target=_WORK, read_only=False),
            )
            for number, words in enumerate(source.commands, 1):
                command = tuple(filled(word, places) for word in words)
                if len(source.commands) > 1:
                    say(f"preparing '{job.asset}': command {number} of {len(source.commands)}, {command[0]}")
                spec = ContainerSpec(
                    image=handle,
                    command=command,
                    mounts=(*mounts, *reach.mounts),
                    environment=(
                        *reach.environment,
                        *((name, filled(value, places)) for name, value in source.environment),
                    ),
                    user=self.user,
                    network=reach.network,
                    workdir=PurePosixPath(filled(source.workdir or "{work}", places)),
                )
                self._run(spec, job.asset, log)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _refuse_links(job)

    def _reach(self, source: Scripted, scratch: Path) -> _Out:
        if not source.network:
            return _Out()
        reach = self.reach()
        if not reach.certificates:
            return _Out(network=reach.network, environment=reach.environment)
        bundle = scratch / "site-ca.pem"
        bundle.write_text(reach.certificates)
        named = tuple((name, str(_CERTIFICATES)) for name in _CERTIFICATE_VARIABLES)
        return _Out(
            network=reach.network,
            environment=(*reach.environment, *named),
            mounts=(Mount(source=bundle, target=_CERTIFICATES),),
        )

    def _run(self, spec: ContainerSpec, asset: str, log: StepLog) -> None:
        log.line("$ " + " ".join(spec.command))
        with self.engine.start(spec, run_id=f"prepare-{asset}", output=log.write) as step:
            ended = step.wait(None)
        if outcome(ended) is not Outcome.DONE:
            raise _failed(asset, spec, ended, log)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Out:
    """What of `Reach` one step gets."""

    network: Network = Network.NONE
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()


def choice_of_step(entry: ImageEntry, choice: ImageChoice) -> ImageChoice:
    """Of what the user said about images that which concerns a step's: where they come from, its own repositories."""
    known = {source.name for source in entry.sources}
    clones = tuple((name, path) for name, path in choice.sources if name in known)
    return ImageChoice(base=choice.base, pull=choice.pull, sources=clones)


def _inputs(job: PreparationJob) -> tuple[Mount, ...]:
    """Each input as a folder of its name; a single file of the user's lies in it under its own."""
    return tuple(
        Mount(source=path, target=_INPUTS / name / path.name if path.is_file() else _INPUTS / name)
        for name, path in job.inputs
    )


def _what(source: Prepared | Scripted) -> str:
    return f"the step '{source.step}'" if isinstance(source, Prepared) else "the script"


def _failed(asset: str, spec: ContainerSpec, ended: Exit, log: StepLog) -> AssetError:
    how = outcome(ended)
    ending = "failed" if how is Outcome.FAILED else f"ended badly: {how.value}"
    hints = {
        Outcome.OUT_OF_MEMORY: "give the machine (or the engine) more memory, and try again; nothing was kept",
        Outcome.KILLED: "was it ended from outside? Try again: nothing was kept",
    }
    ours = "orchestrator.preparation" in spec.command
    blame = (
        "correct what it names; nothing was kept"
        if ended.code == _BAD_INPUT
        else "the step is part of this program: please report it with this message"
    )
    theirs = "what it printed says what it misses; nothing was kept, and another try starts afresh"
    said = f": {log.last_error}" if ours else log.quoted
    where = "" if ours else f" in {spec.workdir}"
    return AssetError(
        f"preparing '{asset}': {spec.command[3 if ours else 0]}{where} {ending} (exit status {ended.code}){said}",
        hint=f"{hints.get(how, blame if ours else theirs)}; its whole output: {log.path}",
    )


def _refuse_links(job: PreparationJob) -> None:
    """A link that leads out of the folder would lead nowhere on this machine, or elsewhere tomorrow."""
    top = job.output.resolve()
    for path in job.output.rglob("*"):
        if path.is_symlink() and (not path.exists() or not path.resolve().is_relative_to(top)):
            raise AssetError(
                f"the script of '{job.asset}' left a link that leads out of its folder: {path.relative_to(job.output)}"
                f" -> {path.readlink()}",
                hint="the catalogue's entry has to copy what it links: please report it",
            )
