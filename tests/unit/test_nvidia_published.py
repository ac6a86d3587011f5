"""What the driver asks of NVIDIA's harness, held against NVIDIA's own published code of the round.

Wants clones: MLPERF_RESULTS_V41_CLONE and MLPERF_RESULTS_V51_CLONE (mlcommons/inference_results_v4.1 and v5.1: a work
tree or a git directory), MLPERF_RESULTS_V50_CLONE where there is one (else a copy of v5.0's code that Cisco published
with v5.1), MLPERF_MITTEN_CLONE (NVIDIA/mitten). Outcome: docs/verification.md. Nothing of that code is run but its
argument parser and `make --dry-run`.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.domain.spec import Knobs
from orchestrator.host.process import run
from orchestrator.implementations.nvidia import steps
from tests.unit.nvidia_cells import run_args, runs
from tests.unit.offer_cells import Cell, cells

PARSER = Path(__file__).with_name("nvidia_parser.py")
pytestmark = pytest.mark.slow

ROUNDS = ("v4.1", "v5.0", "v5.1")
WANTED = re.compile(
    r"(Makefile(\.\w+)?|VERSION|code/(common|fields)/.*\.py|code/llmlib/fields\.py|scripts/check_intranet\.sh"
    r"|code/[\w.-]+/tensorrt/(download_\w+\.sh|preprocess_data\.py)|code/plugin/\w+/CMakeLists\.txt|configs/.*\.py)"
)
KNOBS = (
    ("gpu_copy_streams", "2"),
    ("gpu_inference_streams", "1"),
    ("use_graphs", "1"),
    ("warmup_duration", "5"),
    ("workspace_size", "1024"),
    ("vboost_slider", "1"),
    ("verbose", "1"),
)


@dataclass(frozen=True)
class Published:
    """The published code of a round; `mitten` is where its parser comes from (`-`: its own)."""

    round: str
    tree: Path
    mitten: str

    def understood(self, words: list[str]) -> dict[str, list[str]]:
        """What the vendor's parser makes of RUN_ARGS, and what it ignores."""
        done = run([sys.executable, str(PARSER), str(self.tree), self.mitten, " ".join(words)], cwd=self.tree)
        assert done.ok, done.stderr
        found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
        return found


def places(round_name: str) -> tuple[str, str]:
    """Which clone (by its variable) and which folder of it hold a round's code."""
    if round_name == "v5.0" and "MLPERF_RESULTS_V50_CLONE" not in os.environ:
        return "MLPERF_RESULTS_V51_CLONE", "closed/Cisco"
    return f"MLPERF_RESULTS_{round_name.upper().replace('.', '')}_CLONE", "closed/NVIDIA"


def extract(clone: Path, folder: str, target: Path) -> None:
    """Copy what is wanted of the published tree."""
    if (clone / folder).is_dir():
        for path in (clone / folder).rglob("*"):
            relative = path.relative_to(clone / folder).as_posix()
            if path.is_file() and WANTED.fullmatch(relative):
                (target / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / relative)
        return
    git = ["git", f"--git-dir={clone}"]
    listed = run([*git, "ls-tree", "-r", "--name-only", "HEAD", f"{folder}/"]).stdout.splitlines()
    wanted = [name for name in listed if WANTED.fullmatch(name.removeprefix(f"{folder}/"))]
    archive = target.with_suffix(".tar")
    assert run([*git, "archive", f"--output={archive}", "HEAD", *wanted]).ok
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as found:
        found.extractall(target.parent / "all", filter="data")
    shutil.move(target.parent / "all" / folder, target)


@pytest.fixture(scope="module", params=ROUNDS)
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Each round's code in turn; skipped where no clone is named."""
    variable, folder = places(request.param)
    if variable not in os.environ:
        pytest.skip(f"{variable} names no clone")
    tree = tmp_path_factory.mktemp("published") / "tree"
    extract(Path(os.environ[variable]), folder, tree)
    (tree / "build").mkdir()
    assert (tree / "VERSION").read_text().strip() == request.param
    mitten = "-"
    if not (tree / "code/common/fields.py").is_file():
        if "MLPERF_MITTEN_CLONE" not in os.environ:
            pytest.skip("MLPERF_MITTEN_CLONE names no clone, and the parser of v5.1 comes from it")
        mitten = str(mitten_of(Path(os.environ["MLPERF_MITTEN_CLONE"]), tree.parent))
    return Published(request.param, tree, mitten)


def mitten_of(clone: Path, target: Path) -> Path:
    """The sources of mitten."""
    if not (clone / "src").is_dir():
        archive = target / "mitten.tar"
        assert run(["git", f"--git-dir={clone}", "archive", f"--output={archive}", "HEAD", "src"]).ok
        with tarfile.open(archive) as found:
            found.extractall(target / "mitten", filter="data")
        clone = target / "mitten"
    return clone / "src"


def names_of(words: list[str]) -> list[str]:
    """The flags' names: one run of each combination is enough."""
    return sorted(word.split("=")[0] for word in words)


def of_round(published: Published) -> list[Cell]:
    """The cells that its code has to run."""
    found = [one for one in cells("nvidia") if one.round == published.round]
    assert found
    return found


def test_the_vendor_s_parser_understands_every_flag_and_ignores_none(published: Published) -> None:
    seen: set[tuple[str, ...]] = set()
    for one in of_round(published):
        knobs = Knobs(batch_size=4, extra=KNOBS)
        for spec, on in runs(one):
            for step in (
                *steps(spec, on),
                *steps(one.spec(spec.mode, knobs=knobs, compliance_test=spec.compliance_test), on),
            ):
                # One of each kind is enough: a flag's name and the form of its value decide.
                kind = tuple(names_of(run_args(step)))
                if not kind or kind in seen:
                    continue
                seen.add(kind)
                found = published.understood([*run_args(step), "--action=run_harness"])
                assert found["ignored"] == [], (str(one), step.name)
                assert set(found["understood"]) >= {word[2:].split("=")[0] for word in run_args(step)}
    assert len(seen) > 4


def test_the_flag_of_the_high_accuracy_variant_is_not_ignored(published: Published) -> None:
    flag = "--accuracy_target=0.999" if published.round == "v5.1" else "--config_ver=high_accuracy"
    other = {"v5.1": ["--config_ver=high_accuracy"]}.get(published.round, [])
    found = published.understood([flag, *other, "--action=run_harness"])
    assert found["ignored"] == other  # the README of v5.1 still names a flag that its parser ignores


def test_make_has_every_target_and_runs_the_harness_with_the_flags_as_given(
    published: Published, tmp_path: Path
) -> None:
    seen: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for one in of_round(published):
        for spec, on in runs(one):
            scratch = Knobs(extra=(("scratch", str(tmp_path)),))
            for step in steps(one.spec(spec.mode, knobs=scratch, compliance_test=spec.compliance_test), on):
                kind, *words = step.container.command[1:]
                goals = words if kind == "make" else ["build", *words] if kind == "build" else []
                alike = tuple(word for word in goals if "=" not in word), tuple(names_of(run_args(step)))
                if not goals or alike in seen:
                    continue
                seen.add(alike)
                check_dry_run(published.tree, goals, dict(step.container.environment), " ".join(run_args(step)))
    assert len(seen) > 6


def check_dry_run(tree: Path, goals: list[str], environment: dict[str, str], flags: str) -> None:
    """`make --dry-run` knows the targets, and calls the harness with RUN_ARGS unchanged."""
    # On a host whose uname -p says nothing upstream finds no architecture; its containers' says x86_64. No driver here.
    done = run(
        ["make", "--dry-run", "--no-print-directory", "ARCH=x86_64", "SKIP_DRIVER_CHECK=1", *goals],
        cwd=tree,
        environment=environment,
    )
    assert done.code == 0, (goals, done.stderr[-2000:])
    if flags and goals[0] != "link_dirs":
        action = goals[0] if goals[0] in {"generate_engines", "run_llm_server"} else "run_harness|run_audit_harness"
        wanted = rf"-m code\.main {re.escape(flags)} (--audit_test=TEST\d\d )?(--server_target_qps_adj_factor=[\d.]+ )?"
        assert re.search(rf'{wanted}--action="({action})"', done.stdout), (goals, done.stdout[-2000:])


def test_what_is_downloaded_and_preprocessed_has_its_script(published: Published) -> None:
    if places(published.round)[1] == "closed/Cisco":
        pytest.skip("Cisco published only what it ran of v5.0")
    for one in of_round(published):
        parameters = one.offer.parameters
        folder = published.tree / "code" / parameters["benchmark"] / "tensorrt"
        for target in parameters.get("downloads", "").split():
            assert (folder / f"{target}.sh").is_file(), str(one)
        if parameters.get("preprocess", "1") == "1":
            assert (folder / "preprocess_data.py").is_file(), str(one)


def test_the_profiles_are_those_that_are_shipped(published: Published) -> None:
    if published.round == "v5.0":
        pytest.skip("the names given for v5.0 are those of v4.1; the configuration takes the first that there is")
    checked = 0
    for one in of_round(published):
        benchmark, scenario = one.offer.parameters["benchmark"], one.scenario.value
        for name in one.offer.parameters.get(f"profiles.{scenario}", "").split():
            if published.round == "v5.1":
                assert (published.tree / "configs" / name / scenario / f"{benchmark}.py").is_file(), (str(one), name)
            else:
                text = (published.tree / "configs" / benchmark / scenario / "__init__.py").read_text()
                assert re.search(rf"^class {name}\(", text, re.MULTILINE), (str(one), name)
            checked += 1
    assert checked > 10
