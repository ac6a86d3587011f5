"""Stands in for KILT in a rehearsal: its variables and nothing else, the real LoadGen, answers of no meaning."""

import os
from pathlib import Path

import interface
import null_run
import refusals

_READ = dict(os.environ)  # KILT's names are lower case
_FILES = {
    "resnet50": ("dataset_imagenet_preprocessed_subset_fof", "dataset_imagenet_preprocessed_dir"),
    "bert": ("dataset_squad_tokenized_root",),
    "retinanet": ("kilt_object_detection_preprocessed_dir", "kilt_prior_bin_path"),
}
# Names below a folder that another variable gives (KILT joins the two).
_BELOW = {
    "bert": (
        ("dataset_squad_tokenized_root", "dataset_squad_tokenized_input_ids"),
        ("dataset_squad_tokenized_root", "dataset_squad_tokenized_input_mask"),
        ("dataset_squad_tokenized_root", "dataset_squad_tokenized_segment_ids"),
    ),
    "retinanet": (("kilt_object_detection_preprocessed_dir", "kilt_object_detection_preprocessed_subset_fof"),),
}


def main(benchmark: str, words: "list[str]") -> None:
    """One LoadGen process, where it is started, as KILT's main does."""
    if words:
        refusals.refuse(f"run.out takes no arguments, but got {' '.join(words)}")
    described = interface.TABLE["variables"]
    known = {name: each for name, each in described.items() if benchmark in each.get("benchmarks", [benchmark])}
    interface.check(known)
    interface.say(f"run.out of {benchmark}")
    for name, each in known.items():
        if each.get("required") and name not in _READ:
            raise SystemExit(f"ERROR: Required environment variable {name} is not set")
        if each.get("takes") == "int" and name in _READ:
            interface.whole(name)
    if _READ.get("kilt_model_name", benchmark) != benchmark:
        refusals.refuse(f"kilt_model_name={_READ['kilt_model_name']} in the program of {benchmark}")
    cards = _READ.get("kilt_device_ids", "0").split(",")
    if not all(card.isdigit() for card in cards):
        refusals.refuse(f"kilt_device_ids={','.join(cards)}: KILT reads numbers with commas between them")
    _inputs(benchmark)
    scenario = _READ["loadgen_scenario"]
    null_run.run(
        model=_READ.get("kilt_model_name", "unknown_model"),
        scenario=scenario,
        accuracy=_READ["loadgen_mode"] == "AccuracyOnly",
        user_conf=_READ["loadgen_user_conf_path"],
        audit_conf="audit.config",
        output=Path.cwd(),
        samples=interface.whole("loadgen_dataset_size"),
    )


def _inputs(benchmark: str) -> None:
    model = Path(_READ["kilt_model_root"], "programqpc.bin")
    interface.must_exist("run.out", "the compiled model", str(model))
    interface.must_exist("run.out", "mlperf.conf", _READ["loadgen_mlperf_conf_path"])
    for name in _FILES[benchmark]:
        interface.must_exist("run.out", name, _READ[name])
    for folder, name in _BELOW.get(benchmark, ()):
        interface.must_exist("run.out", name, f"{_READ[folder]}/{_READ[name]}")
