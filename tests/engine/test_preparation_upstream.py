"""Upstream's own preparation scripts, unchanged, in the catalogue's images, on generated stand-ins of the raw data.

MLPERF_INFERENCE_CLONE names a clone of github.com/mlcommons/inference (a work tree or a git directory); without it
these tests say so and are left out. MLPERF_TEST_ROUND names another round than the default one. Images are built once
and stay. Outcomes: docs/verification.md.
"""

from __future__ import annotations

import csv
import functools
import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from orchestrator.config.catalog import default_round, load_asset, load_round
from orchestrator.config.images import image_entries
from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.connect import Connected, connect_to
from orchestrator.domain.asset import Asset, AssetKind
from orchestrator.domain.container import Network
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.source import LocalPath, Scripted
from orchestrator.domain.terms import EngineName
from orchestrator.errors import AssetError
from orchestrator.host.process import run
from tests.e2e import reference_material
from tests.engine import raw_layouts as raw

pytestmark = [pytest.mark.engine, pytest.mark.thorough]
CLONE = os.environ.get("MLPERF_INFERENCE_CLONE")
if CLONE is None:
    pytest.skip("MLPERF_INFERENCE_CLONE names no clone of github.com/mlcommons/inference", allow_module_level=True)

ROUND = os.environ.get("MLPERF_TEST_ROUND") or default_round()
KITS = "vision/medical_imaging/3d-unet-kits19"


@dataclass
class Bench:
    """A cache of its own with stand-ins in place of what the catalogue would fetch."""

    folder: Path
    round: str = ROUND
    clone: Path | None = None
    given: dict[str, Path] = field(default_factory=dict)

    @functools.cached_property
    def connected(self) -> Connected:
        cache = self.folder / "cache"
        cache.mkdir(exist_ok=True)
        settings = load_settings({"cache_dir": str(cache)}, environ={}, cwd=cache, home=cache)
        source = self.clone or Path(f"{CLONE}@{load_round(self.round).commit}")
        choice = ImageChoice(sources=(("inference", source),))
        return connect_to(EngineName.DOCKER, settings, round_name=self.round, choice=choice)

    def load(self, name: str) -> Asset:
        if name not in self.given:
            return load_asset(name)
        return Asset(name=name, kind=AssetKind.MATERIAL, source=LocalPath(path=self.given[name]), licence="none")

    def make(self, asset: Asset) -> Path:
        store = self.connected.assets
        return [store.ensure(planned, say=lambda _: None) for planned in store.plan(asset, self.load)][-1].path

    def entry(self, name: str, **source: object) -> Path:
        """A catalogue entry made of stand-ins; only its counts of files are left out."""
        asset = load_asset(name)
        script = cast(Scripted, asset.source)
        if script.rounds and self.round not in script.rounds:
            pytest.skip(f"round {self.round} has no script for {name}")
        return self.make(replace(asset, layout=(), source=replace(script, **source)))  # type: ignore[arg-type]

    def inside(self, image: str, program: str, **inputs: Path) -> Path:
        """A program of the tests in an image: to write a raw layout, or to look at a result with its libraries."""
        name = f"program-{len(self.given)}"
        self.given |= {key.replace("_", "-"): path for key, path in inputs.items()}
        self.given[name] = self.folder / name
        self.given[name].mkdir()
        (self.given[name] / "program.py").write_text(program)
        names = tuple(key.replace("_", "-") for key in inputs)
        words = ("python", f"{{in:{name}}}/program.py", "{out}", *(f"{{in:{key}}}" for key in names))
        source = Scripted(image=image, commands=(words,), inputs=(name, *names))
        return self.make(Asset(name=f"{name}-out", kind=AssetKind.MATERIAL, source=source, licence="none"))

    def upstream(self, path: str) -> str:
        """A file of the clone at the round's commit."""
        commit = load_round(self.round).commit
        shown = run(("git", "-c", "safe.directory=*", "-C", str(CLONE), "show", f"{commit}:{path}"))
        assert shown.ok, shown.stderr
        return shown.stdout


@pytest.fixture
def bench(docker_url: str, tmp_path: Path) -> Bench:
    assert docker_url
    return Bench(tmp_path)


def files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".")}


# -- KiTS19


def kits_clone(bench: Bench, folder: Path, sums: dict[str, dict[str, str]]) -> Path:
    """Upstream's folder with its script as it is, but lists and sums of the stand-in's few cases."""
    commit = str(load_round(bench.round).commit)
    words = ("git", "-c", "safe.directory=*", "-C", str(CLONE), "ls-tree", "-r", "--name-only", commit, f"{KITS}/")
    listed = run(words)
    wanted = [name for name in listed.stdout.splitlines() if Path(name).suffix in {".py", ".json"}]
    assert f"{KITS}/preprocess.py" in wanted
    for name in wanted:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(bench.upstream(name))
    meta = folder / KITS / "meta"
    (meta / "inference_cases.json").write_text(json.dumps(raw.KITS_CASES))
    (meta / "calibration_cases.json").write_text(json.dumps(raw.KITS_CALIBRATION))
    for name, found in sums.items():
        (meta / f"checksum_{name}.json").write_text(json.dumps(found))
    for each in (("init", "-q"), ("add", "-A"), ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t")):
        assert run(("git", "-C", str(folder), *each)).ok
    return folder


def kits_bench(bench: Bench, name: str, sums: dict[str, dict[str, str]]) -> Bench:
    place = bench.folder / name
    other = Bench(place, clone=kits_clone(bench, place / "clone", sums))
    made = other.inside("reference-prepare-volumes", raw.PROGRAMS["volumes"])
    other.given |= {"kits19-images": made, "kits19-labels": made, "kits19-calibration-images": made}
    return other


def test_kits19_is_preprocessed_and_compared_with_upstream_s_sums(bench: Bench) -> None:
    """Upstream's sums are of the real data: first they must refuse the stand-in, then, with its own, accept it."""
    wrong = {name: {f"{case}.pkl": "0" * 32 for case in cases} for name, cases in _KITS_SETS.items()}
    first = kits_bench(bench, "wrong", wrong)
    sums = {}
    for (name, cases), entry in zip(_KITS_SETS.items(), ("kits19", "kits19-calibration-cases"), strict=True):
        with pytest.raises(AssetError, match="Verification failed") as failed:
            first.entry(entry)
        log = Path(re.search(r"its whole output: (\S+)", failed.value.hint or "")[1])  # type: ignore[index]
        found = re.findall(r"^(case_\d+\.pkl) -- Invalid hash, got ([0-9a-f]{32})", log.read_text(), re.MULTILINE)
        sums[name] = dict(found)
        assert set(sums[name]) == {f"{case}.pkl" for case in cases}
        assert not list((first.folder / "cache" / "assets" / entry).glob("*"))
    second = kits_bench(bench, "right", sums)
    made = second.entry("kits19")
    nifti = {f"nifti/{case}/{name}.nii.gz" for case in raw.KITS_CASES for name in ("imaging", "segmentation")}
    assert files(made) == {"preprocessed_files.pkl", *(f"{case}.pkl" for case in raw.KITS_CASES), *nifti}
    assert files(second.entry("kits19-calibration-cases")) == {"preprocessed_files.pkl", "case_00047.pkl"}


_KITS_SETS = {"inference": raw.KITS_CASES, "calibration": raw.KITS_CALIBRATION}


# -- pictures and captions


def test_the_captions_of_coco_2014_are_upstream_s_own(bench: Bench) -> None:
    made = bench.make(load_asset("coco-2014-1024"))
    assert files(made) == {
        *("captions/captions_source.tsv", "captions/captions.tsv"),
        *("latents/latents.pt", "latents/latents.npy"),
    }
    with (made / "captions" / "captions.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 5000
    assert (made / "captions" / "captions_source.tsv").read_text() == bench.upstream(
        "text_to_image/coco2014/captions/captions_source.tsv"
    )


def test_coco_2014_s_calibration_captions_are_those_of_the_list(bench: Bench) -> None:
    text = bench.upstream("calibration/COCO-2014/coco_cal_captions_list.txt")
    wanted = tuple(int(line) for line in text.split())
    assert len(wanted) == 500
    (bench.folder / "list").mkdir()
    (bench.folder / "list" / "coco_cal_captions_list.txt").write_text(text)
    bench.given["coco-2014-calibration"] = bench.folder / "list"
    bench.given["coco-2014-annotations"] = raw.coco_2014(bench.folder, wanted)
    made = bench.entry("coco-2014-calibration-captions")
    assert files(made) == {"calibration/captions.tsv"}
    with (made / "calibration" / "captions.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {int(row["id"]) for row in rows} == set(wanted)


def test_coco_2017_is_cut_to_the_pictures_with_safe_licences(bench: Bench) -> None:
    bench.given["coco-2017-val"], bench.given["coco-2017-annotations"] = raw.coco_2017(bench.folder)
    made = bench.entry("coco-2017-safe-from-raw")
    pictures = {f"val2017_safe/{number:012}.jpg" for number in raw.SAFE}
    assert files(made) == {"annotations/instances_val2017.json", *pictures}
    found = json.loads((made / "annotations" / "instances_val2017.json").read_text())
    assert {each["image_id"] for each in found["annotations"]} == set(raw.SAFE)


@pytest.fixture
def bucket(bench: Bench) -> Iterator[tuple[Path, str]]:
    """The raw layout, and the address of a server that has its pictures as OpenImages' bucket has them."""
    made = bench.inside("reference-prepare-pictures", raw.PROGRAMS["openimages"])
    handler = functools.partial(_Quiet, directory=str(made / "bucket"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name for it
        """Says nothing."""


def openimages(bench: Bench, bucket: tuple[Path, str], name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The entry with the lists of boxes in place, and the bucket's address on this machine's loopback."""
    made, address = bucket
    bench.given |= {"boxes": made, "openimages-calibration": made / "list"}
    script = cast(Scripted, load_asset(name).source)
    preparer = bench.connected.assets._prepare  # type: ignore[attr-defined]
    reach = replace(preparer.reach(), network=Network.HOST, environment=())
    monkeypatch.setattr(bench.connected.assets, "_prepare", replace(preparer, reach=lambda: reach))
    return bench.entry(
        name,
        inputs=(*script.inputs, "boxes"),
        environment=(("AWS_ENDPOINT_URL", address), ("NO_PROXY", "127.0.0.1")),
        commands=(("cp", "-r", "{in:boxes}/annotations", "{out}/annotations"), *script.commands),
    )


def test_openimages_pictures_are_fetched_and_their_boxes_converted(
    bench: Bench, bucket: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = openimages(bench, bucket, "openimages-v6-mlperf", monkeypatch)
    pictures = {path.name for path in (made / "validation" / "data").iterdir()}
    assert pictures == {f"{name}.jpg" for name in raw.OPENIMAGES}
    found = json.loads((made / "annotations" / "openimages-mlperf.json").read_text())
    assert [image["file_name"] for image in found["images"]] == sorted(pictures)
    assert [image["width"] for image in found["images"]] == [80, 81, 82]
    assert found["annotations"][0]["bbox"] == pytest.approx([20, 6, 20, 48])


def test_openimages_calibration_pictures_are_those_of_the_list(
    bench: Bench, bucket: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = openimages(bench, bucket, "openimages-calibration-pictures", monkeypatch)
    assert {path.name for path in (made / "calibration" / "data").iterdir()} == {"00a1.jpg", "00c3.jpg"}
    found = json.loads((made / "annotations" / "openimages-calibration-mlperf.json").read_text())
    assert [image["file_name"] for image in found["images"]] == ["00a1.jpg", "00c3.jpg"]


# -- texts


def articles(bench: Bench) -> None:
    bench.given["cnn-dailymail-raw"] = bench.inside("reference-prepare-language", raw.PROGRAMS["articles"])
    tokenizer = bench.inside("reference-prepare-language", raw.PROGRAMS["tokenizer"])
    bench.given |= dict.fromkeys(("gptj-tokenizer", "llama3.1-8b-tokenizer"), tokenizer)
    (bench.folder / "list").mkdir()
    (bench.folder / "list" / "calibration-list.txt").write_text("train4\ntrain1\n")
    bench.given["cnn-dailymail-calibration-list"] = bench.folder / "list"


@pytest.mark.parametrize(("name", "tokens"), [("cnn-dailymail-v3-gptj", False), ("cnn-dailymail-v3-from-raw", True)])
def test_cnn_dailymail_s_validation_articles_are_written_as_upstream_writes_them(
    bench: Bench, name: str, tokens: bool
) -> None:
    articles(bench)
    made = bench.entry(name)
    assert files(made) == {"cnn_eval.json"}
    found = json.loads((made / "cnn_eval.json").read_text())
    assert [each["input"] for each in found] == [f"Article {n} of validation." for n in range(raw.VALIDATION_ARTICLES)]
    assert [each["output"] for each in found] == [f"In short {n}." for n in range(raw.VALIDATION_ARTICLES)]
    assert all(bool(each.get("tok_input")) is tokens for each in found)


@pytest.mark.parametrize("name", ["cnn-dailymail-v3-gptj-calibration", "cnn-dailymail-calibration-from-raw"])
def test_cnn_dailymail_s_calibration_articles_are_those_of_the_list(bench: Bench, name: str) -> None:
    articles(bench)
    found = json.loads((bench.entry(name) / "cnn_dailymail_calibration.json").read_text())
    assert [each["input"] for each in found] == ["Article 4 of train.", "Article 1 of train."]


def test_open_orca_is_filtered_sampled_and_tokenised(bench: Bench) -> None:
    bench.given["open-orca-raw"] = bench.inside("reference-prepare-language", raw.PROGRAMS["questions"])
    bench.given["llama2-70b-tokenizer"] = bench.inside("reference-prepare-language", raw.PROGRAMS["tokenizer"])
    made = bench.entry("open-orca-from-raw")
    names = {"sampled_24576", "calibration_1000"}
    assert files(made) == {f"open_orca_gpt4_tokenized_llama.{name}.pkl" for name in names}
    look = """
import json, pathlib, sys
import pandas
out, made = map(pathlib.Path, sys.argv[1:3])
frame = pandas.read_pickle(made / "open_orca_gpt4_tokenized_llama.sampled_24576.pkl")
first = frame.iloc[0]
said = {"origins": frame["origin"].value_counts().to_dict(), "last": int(first["tok_input"][-1]),
        "foreign": int(frame["output"].str.contains("ß").sum()), "input": first["input"]}
(out / "said.json").write_text(json.dumps(said))
"""
    said = json.loads((bench.inside("reference-prepare-language", look, made=made) / "said.json").read_text())
    assert said["origins"] == dict.fromkeys(raw.ORIGINS, 24576 // 4)
    assert (said["last"], said["foreign"]) == (29871, 0)
    assert said["input"].startswith("<s>[INST] ")


def test_squad_s_features_are_made_by_the_reference_s_own_conversion(bench: Bench) -> None:
    bench.given["squad-v1.1-dev"] = reference_material.squad(bench.folder / "squad")
    bench.given["bert-vocab"] = reference_material.vocabulary(bench.folder / "vocabulary")
    made = bench.entry("squad-v1.1-features")
    assert files(made) == {"eval_features.pickle"}
    look = """
import json, pathlib, pickle, sys
sys.path[:0] = ["/opt/inference/language/bert", "/opt/mlperf-docker/modules"]
out, made = map(pathlib.Path, sys.argv[1:3])
features = pickle.loads((made / "eval_features.pickle").read_bytes())
said = [len(features), len(features[0].input_ids), features[0].tokens[:3]]
(out / "said.json").write_text(json.dumps(said))
"""
    count, length, tokens = json.loads(
        (bench.inside("reference-bert-onnxruntime", look, made=made) / "said.json").read_text()
    )
    assert (count, length, tokens) == (3 * reference_material.PARAGRAPHS, 384, ["[CLS]", "what", "crosses"])


# -- speech


def speech(bench: Bench, image: str) -> None:
    served = image_entries()[image].rounds
    if served and bench.round not in served:
        pytest.skip(f"{image} does not serve round {bench.round}")
    made = bench.inside(image, raw.PROGRAMS["speech"])
    bench.given |= dict.fromkeys(("librispeech-dev-clean-archive", "librispeech-dev-other-archive"), made)


def test_librispeech_is_converted_and_packed_into_pieces_of_thirty_seconds(bench: Bench) -> None:
    speech(bench, "reference-prepare-whisper")
    made = bench.entry("librispeech-dev-from-raw")
    pieces = {"84-121123_0", "84-121123_1", "116-288045_0"}
    assert files(made) == {"dev-all-repack.json", *(f"dev-all-repack/{name}.wav" for name in pieces)}
    found = {each["files"][0]["fname"]: each for each in json.loads((made / "dev-all-repack.json").read_text())}
    assert set(found) == {f"dev-all-repack/{name}.wav" for name in pieces}
    longest = found["dev-all-repack/84-121123_0.wav"]
    assert longest["original_duration"] == pytest.approx(26.5)
    assert longest["transcript"] == "words of piece 0 words of piece 1"


def test_librispeech_for_rnnt_keeps_every_utterance(bench: Bench) -> None:
    speech(bench, "reference-prepare-rnnt")
    made = bench.entry("librispeech-dev-clean")
    names = {f"dev-clean-wav/84/121123/84-121123-{number:04}.wav" for number in range(4)}
    assert files(made) == {"dev-clean-wav.json", *names}
    found = json.loads((made / "dev-clean-wav.json").read_text())
    assert {each["files"][0]["fname"] for each in found} == names
    assert sorted(each["original_duration"] for each in found) == [10, 12, 14, 35]


def test_a_second_call_runs_nothing(bench: Bench) -> None:
    bench.given["coco-2017-val"], bench.given["coco-2017-annotations"] = raw.coco_2017(bench.folder)
    first = bench.entry("coco-2017-safe-from-raw")
    shutil.rmtree(bench.folder / "cache" / "logs")
    assert bench.entry("coco-2017-safe-from-raw") == first
    assert not (bench.folder / "cache" / "logs").exists()
