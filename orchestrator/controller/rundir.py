"""One run's directory: where each file stands, and the seal. Decides nothing about what is in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.plan import Execution, RunPlan
from orchestrator.domain.record import RunRecord
from orchestrator.errors import MlperfDockerError
from orchestrator.host.files import sha256_file, tree_files, write_atomic

SEAL = "SHA256SUMS"


class RunDir:
    """Paths and writing rules of `<results>/runs/<run id>/`; the only place that knows them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, plan: RunPlan) -> RunDir:
        """Make a new run directory with its plan; a directory that exists is never reused."""
        path = results / "runs" / plan.run_id
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise MlperfDockerError(f"{path} exists already; a run never reuses a directory") from error
        except OSError as error:
            raise MlperfDockerError(
                f"cannot create {path}: {error.strerror}", hint="choose another place with --results-dir"
            ) from error
        made = cls(path)
        write_atomic(made.plan, pretty_json(plan))
        return made

    @property
    def plan(self) -> Path:
        """The frozen decision."""
        return self.path / "plan.json"

    @property
    def record(self) -> Path:
        """What happened so far."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """Everything that was said, secrets redacted."""
        return self.path / "run.log"

    @property
    def build_log(self) -> Path:
        """The image build's output, only when one was built."""
        return self.path / "build.log"

    @property
    def machine(self) -> Path:
        """What the machine was."""
        return self.path / "system.json"

    @property
    def seal_file(self) -> Path:
        """sha256 of every other file."""
        return self.path / SEAL

    def folder(self, execution: Execution) -> Path:
        """An execution's own folder, mounted read-write."""
        return self.path / execution.folder

    def fresh_folder(self, execution: Execution) -> Path:
        """The folder, emptied: what a step is to produce must not lie there before."""
        folder = self.folder(execution)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def shared_folder(self, execution: Execution) -> Path:
        """The folder as an earlier execution left it."""
        folder = self.folder(execution)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_record(self, record: RunRecord, *, durable: bool) -> None:
        """Replace run.json in one step."""
        write_atomic(self.record, pretty_json(record), durable=durable)

    def seal(self) -> None:
        """Write SHA256SUMS over all files (in the form of `sha256sum -c`) as the last act."""
        files = [path for path in tree_files(self.path) if path.name != SEAL and not path.name.endswith(".tmp")]
        lines = [f"{sha256_file(path)}  {path.relative_to(self.path).as_posix()}\n" for path in files]
        write_atomic(self.seal_file, "".join(lines))

    def broken_seal(self) -> tuple[str, ...]:
        """Names of files that are missing, changed or not sealed; `SHA256SUMS` alone when there is no seal."""
        if not self.seal_file.is_file():
            return (SEAL,)
        sealed: dict[str, str] = {}
        for line in self.seal_file.read_text().splitlines():
            digest, _, name = line.partition("  ")
            sealed[name] = digest
        present = {path.relative_to(self.path).as_posix() for path in tree_files(self.path)} - {SEAL}
        changed = {name for name in present & sealed.keys() if sha256_file(self.path / name) != sealed[name]}
        return tuple(sorted(changed | (present ^ sealed.keys())))

    def copy_owner_check(self) -> tuple[str, ...]:
        """Names of files that do not belong to the caller."""
        return tuple(
            path.relative_to(self.path).as_posix()
            for path in tree_files(self.path)
            if path.stat().st_uid != os.geteuid()
        )
