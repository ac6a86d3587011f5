"""Scripts that make data, in real containers: what they see, what is believed of them, how often they run.

The scripts here are stand-ins of a few lines, given as an input; upstream's own are in test_preparation_upstream.py.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.controller.preparation import ContainerPreparer, Reach
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PreparationJob
from orchestrator.domain.container import Network
from orchestrator.domain.image import NO_CHOICE, ImageChoice, PlannedImage, ReadyImage, Recipe
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.source import LocalPath, Scripted
from orchestrator.errors import AssetError
from tests.engine.carriers import Carrier

pytestmark = pytest.mark.engine

MAKE = """
import os, pathlib, socket, sys
out, work, raw = map(pathlib.Path, sys.argv[1:4])
print("making", raw.name)
seen = {
    "uid": os.getuid(),
    "cwd": os.getcwd(),
    "home": os.environ.get("HOME"),
    "colour": os.environ.get("COLOUR"),
    "interfaces": [name for _, name in socket.if_nameindex()],
}
for name, place in (("input", raw / "new"), ("root", pathlib.Path("/new"))):
    try:
        place.write_text("x")
        seen[name] = "writable"
    except OSError as error:
        seen[name] = type(error).__name__
(work / "notes").write_text(repr(seen))
(out / "count.txt").write_text(str(sum(1 for _ in raw.iterdir())))
"""
FINISH = """
import pathlib, shutil, sys
shutil.copy(pathlib.Path(sys.argv[1]) / "notes", pathlib.Path(sys.argv[2]) / "notes.txt")
"""


@dataclass
class OneImage:
    """Images, where there is one for everything; its recipe is told."""

    handle: str
    recipe_hash: str = "1" * 64

    def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
        return self.recipe_hash

    def recipe(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Recipe:
        return Recipe(hash=self.recipe_hash)

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        return self.ensure(wanted, log=lambda _: None, say=lambda _: None)

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        return ReadyImage(
            handle=self.handle,
            image_id=self.handle,
            reference="one:image",
            identity=wanted.recipe,
            platform=wanted.platform,
            origin="present",
        )


@dataclass
class Ground:
    """A cache, its preparer, and a raw data set of two files beside the stand-in's scripts."""

    folder: Path
    carrier: Carrier
    recipe: str = "1" * 64

    def __post_init__(self) -> None:
        (self.folder / "raw").mkdir()
        for name in ("a", "b"):
            (self.folder / "raw" / name).write_text(name)
        (self.folder / "scripts").mkdir()
        (self.folder / "scripts" / "make.py").write_text(MAKE)
        (self.folder / "scripts" / "finish.py").write_text(FINISH)

    @property
    def preparer(self) -> ContainerPreparer:
        return ContainerPreparer(
            engine=self.carrier.engine,
            images=OneImage(self.carrier.image, self.recipe),
            round="v6.1",
            platform="linux/amd64",
            user=(os.geteuid(), os.getegid()),
            choices=lambda _: NO_CHOICE,
            logs=self.folder / "cache" / "logs",
            reach=lambda: Reach(network=Network.HOST, environment=(("http_proxy", "http://proxy.example:3128"),)),
        )

    @property
    def store(self) -> CacheStore:
        preparer = self.preparer
        return CacheStore(self.folder / "cache", prepare=preparer, code_key=preparer.code_key)

    def local(self, name: str) -> Asset:
        source = LocalPath(path=self.folder / name)
        return Asset(name=name, kind=AssetKind.MATERIAL, source=source, licence="none")

    def ensure(self, asset: Asset, say: Say = lambda _: None) -> Path:
        store = self.store
        return [store.ensure(planned, say=say) for planned in store.plan(asset, self.local)][-1].path

    def run(self, source: Scripted) -> Path:
        """The script alone, without a cache."""
        output = self.folder / "run" / "out"
        output.mkdir(parents=True)
        inputs = tuple((name, self.folder / name) for name in source.inputs)
        self.preparer(PreparationJob(asset="made", source=source, inputs=inputs, output=output), say=lambda _: None)
        return output


SOURCE = Scripted(
    image="any",
    inputs=("raw", "scripts"),
    environment=(("COLOUR", "{out}/red"),),
    commands=(
        ("python3", "{in:scripts}/make.py", "{out}", "{work}", "{in:raw}"),
        ("python3", "{in:scripts}/finish.py", "{work}", "{out}"),
    ),
)


ONE = replace(SOURCE, commands=SOURCE.commands[:1])  # containers take their time


def made(source: Scripted = ONE) -> Asset:
    files = (AssetFile(name="count.txt"),)
    return Asset(name="made", kind=AssetKind.DATASET, source=source, files=files, licence="none")


@pytest.fixture
def ground(docker_carrier: Carrier, tmp_path: Path) -> Ground:
    return Ground(tmp_path, docker_carrier)


def test_a_script_sees_its_inputs_read_only_no_network_and_the_caller_s_user(ground: Ground) -> None:
    output = ground.run(SOURCE)
    seen = ast.literal_eval((output / "notes.txt").read_text())
    assert seen["uid"] == os.geteuid()
    assert (seen["input"], seen["root"]) == ("OSError", "OSError")
    assert seen["interfaces"] == ["lo"]
    assert seen["colour"] == "/prepared/red"
    assert (output / "count.txt").read_text() == "2"
    assert (output / "count.txt").stat().st_uid == os.geteuid()
    assert sorted(path.name for path in output.parent.iterdir()) == ["out"]  # the scratch folder is gone


def test_a_script_that_downloads_gets_the_site_s_way_out(ground: Ground) -> None:
    source = replace(SOURCE, network=True, commands=(*SOURCE.commands, ("python3", "-c", _ENVIRONMENT)))
    output = ground.run(replace(source, environment=(("WHERE", "{out}/proxy"),)))
    assert (output / "proxy").read_text() == "http://proxy.example:3128"
    assert "lo" in ast.literal_eval((output / "notes.txt").read_text())["interfaces"]


_ENVIRONMENT = "import os, pathlib; pathlib.Path(os.environ['WHERE']).write_text(os.environ['http_proxy'])"


def test_a_file_of_the_user_s_is_seen_under_its_own_name(ground: Ground) -> None:
    (ground.folder / "single.tar").write_text("bytes")
    source = Scripted(image="any", inputs=("one",), commands=(("python3", "-c", _COPY),))
    output = ground.folder / "out"
    output.mkdir()
    job = PreparationJob(asset="made", source=source, inputs=(("one", ground.folder / "single.tar"),), output=output)
    ground.preparer(job, say=lambda _: None)
    assert (output / "single.tar").read_text() == "bytes"


_COPY = "import shutil; shutil.copy('/in/one/single.tar', '/prepared')"  # {in:one}


def test_a_script_runs_once_and_again_only_when_it_its_input_or_its_image_changed(ground: Ground) -> None:
    first = ground.ensure(made())
    said: list[str] = []
    assert ground.ensure(made(), said.append) == first
    assert said == []
    other = replace(ONE, environment=(("COLOUR", "blue"),))
    assert ground.ensure(made(other)) != first
    ground.recipe = "2" * 64
    second = ground.ensure(made())
    assert second != first
    (ground.folder / "raw" / "c").write_text("c")
    third = ground.ensure(made())
    assert [(path / "count.txt").read_text() for path in (first, second, third)] == ["2", "2", "3"]


FAULTS = {
    "fails": ("import sys; print('step one'); print('no such column: label'); sys.exit(3)", "no such column: label"),
    "writes nothing": ("print('all done')", "said it was done but wrote nothing"),
    "leaves a link": (
        "import os; os.symlink('/in/raw/a', '/prepared/count.txt')",
        "left a link that leads out of its folder: count.txt -> /in/raw/a",
    ),
    "is not there": ("", "the command was not found in the image"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_script_that_fails_leaves_nothing_and_can_be_repeated(ground: Ground, fault: str) -> None:
    program, words = FAULTS[fault]
    command = ("python3", "-c", program) if program else ("no-such-program",)
    with pytest.raises(AssetError) as failed:
        ground.ensure(made(replace(SOURCE, commands=(command,))))
    assert words in f"{failed.value}"
    assert "Traceback" not in f"{failed.value}"
    cache = ground.folder / "cache"
    assert not list((cache / "assets").glob("made/*"))
    assert not [path for path in (cache / "tmp").rglob("*") if path.is_file()]
    if program and fault == "fails":
        log = cache / "logs" / "prepare-made.log"
        assert "step one" in log.read_text()
        assert str(log) in (failed.value.hint or "")
    assert (ground.ensure(made()) / "count.txt").read_text() == "2"


def test_a_secret_that_a_script_prints_reaches_neither_log_nor_error(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "hf_planted_0123456789")
    program = "import sys; print('using hf_planted_0123456789'); sys.exit(1)"
    with pytest.raises(AssetError, match=r"using \*\*\*"):
        ground.ensure(made(replace(SOURCE, commands=(("python3", "-c", program),))))
    assert b"hf_planted" not in (ground.folder / "cache" / "logs" / "prepare-made.log").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": ("v5.0",)}, "the benchmark's repository of round v6.1 has no script for it"),
        ({"commands": (("python3", "{in:gone}"),)}, "'{in:gone}' is no input of the script; it has: raw, scripts"),
    ],
)
def test_what_cannot_run_is_refused_in_words(ground: Ground, change: dict[str, tuple[object, ...]], words: str) -> None:
    with pytest.raises(AssetError) as failed:
        ground.ensure(made(replace(SOURCE, **change)))  # type: ignore[arg-type]
    assert words in str(failed.value)


PROCESS = """
import sys
from pathlib import Path
from tests.engine.test_preparation_scripts import again
again(Path(sys.argv[1]), sys.argv[2])
"""


def again(folder: Path, image: str) -> None:
    """Another process: ensures the same asset in the same cache, and says what it did."""
    from orchestrator.engines.docker import DockerEngine

    carrier = Carrier(DockerEngine(None), image, (), lambda _: [], lambda _: {})
    ground = Ground.__new__(Ground)  # its files are there already
    ground.folder, ground.carrier, ground.recipe = folder, carrier, "1" * 64
    preparer = ground.preparer
    store = CacheStore(folder / "cache", prepare=preparer, code_key=preparer.code_key)
    slow = ("python3", "-c", "import time; print('slow step'); time.sleep(1.5)")
    asset = made(replace(ONE, commands=(slow, *ONE.commands)))
    ready = [store.ensure(planned, say=lambda _: None) for planned in store.plan(asset, ground.local)][-1]
    sys.stdout.write(f"{'made' if ready.fetched else 'found'} {(ready.path / 'count.txt').read_text()}")


def started(ground: Ground) -> subprocess.Popen[str]:
    """Another process that ensures the asset with the slow step."""
    arguments = [sys.executable, "-c", PROCESS, str(ground.folder), ground.carrier.image]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_two_processes_make_it_once(ground: Ground) -> None:
    both = [started(ground) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == ["found 2", "made 2"]


def test_after_a_killed_preparation_the_next_one_completes_and_no_container_is_left(ground: Ground) -> None:
    log = ground.folder / "cache" / "logs" / "prepare-made.log"
    victim = started(ground)
    deadline = time.monotonic() + 60
    while not (log.is_file() and "slow step" in log.read_text()):
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.05)
    victim.kill()
    victim.communicate()
    assert not list((ground.folder / "cache" / "assets").glob("made/*"))
    assert started(ground).communicate(timeout=120)[0] == "made 2"
    assert ground.carrier.objects("prepare-made") == []
    assert not [path for path in (ground.folder / "cache" / "tmp").rglob("*") if path.is_file()]


def test_a_key_follows_the_image_and_the_user_s_clones(ground: Ground) -> None:
    asked: list[tuple[str, ImageChoice]] = []

    class Watched(OneImage):
        def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
            asked.append((entry, choice))
            return self.recipe_hash

    clone = ImageChoice(sources=(("inference", ground.folder),))
    choices: Callable[[str], ImageChoice] = lambda _: clone  # noqa: E731
    preparer = replace(ground.preparer, images=Watched("x"), choices=choices)
    assert preparer.code_key(SOURCE) == "1" * 64
    assert asked == [("any", clone)]
