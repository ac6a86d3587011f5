"""Stands in for AMD's harness in a rehearsal: its arguments and its refusals, nothing of its code.

`code/main.py` and the accuracy scripts are links to it; documented.json says which arguments, keys, variables and paths
AMD's sources have, and where. LoadGen is real, the system under test answers nothing.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, "/opt/rehearsal")

import null_run
import refusals

CODE = Path("/lab-mlperf-inference/code")


@dataclass(frozen=True)
class Image:
    """What this image stands in for, out of documented.json."""

    config: str
    configs: "list[str]"
    benchmark: str
    samples: int
    keys: "list[str]"
    score: str
    needs: "dict[str, str]"
    accuracy: str


def main(script: str, arguments: "list[str]") -> None:
    """Play one script."""
    table = refusals.documented("amd")
    entry, round_name = refusals.layer()
    described = table["images"].get(entry, {}).get(round_name) or refusals.refuse(f"no image {entry} in {round_name}")
    image = Image(**described)
    refusals.check_mounts(table["mounts"])
    refusals.check_variables(table["variables"]["score" if script.startswith("scripts/") else "main"])
    print(f"REHEARSAL: {script} stands in for AMD's of {entry}, {round_name}; no figure means anything", flush=True)
    if script == "main.py":
        measure(image, table, parse(arguments))
    elif script == image.score:
        score(image, arguments)
    elif script not in table["setups"]:
        refusals.refuse(f"AMD's image has no {script}; it has main.py and {image.score}")


def parse(arguments: "list[str]") -> "dict[str, str]":
    """As AMD's own parser: `--key value`, `--key=value` and `key=value`; anything else it would take silently."""
    found: dict[str, str] = {}
    waiting = None
    for word in arguments:
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            waiting = key.replace("-", "_")
            if equals:
                found[waiting], waiting = value, None
        elif "=" in word:
            key, _, value = word.partition("=")
            found[key] = value
        elif waiting is not None:
            found[waiting], waiting = word, None
        else:
            refusals.refuse(f"main.py would drop the argument {word} without a word")
    if waiting is not None:
        refusals.refuse(f"--{waiting} has no value")
    return found


def measure(image: Image, table: "dict[str, object]", given: "dict[str, str]") -> None:
    """One test: refuses keys that no published configuration has, and paths that are not there."""
    known = table["arguments"]
    for key, value in given.items():
        name = key.removeprefix("harness_config.")
        if key.startswith("harness_config."):
            if name not in image.keys:
                refusals.refuse(f"{key} is no key of {image.config}: {known['harness_config']['source']}")
        elif key not in known:
            refusals.refuse(f"argument {key}={value} is not documented (documented: {', '.join(sorted(known))})")
        elif "takes" in known[key] and value not in known[key]["takes"]:
            refusals.refuse(f"{key}={value}: {known[key]['source']} takes {', '.join(known[key]['takes'])}")
    folder, name = given.get("config_path", "").rstrip("/"), given.get("config_name", "")
    if folder != str(CODE / image.config):
        refusals.refuse(f"there are no configurations in {folder or 'nowhere'}; they are in {CODE / image.config}")
    if name not in image.configs:
        refusals.refuse(f"there is no {folder}/{name}.yaml; there are {', '.join(image.configs)}")
    for path, source in image.needs.items():
        if not Path(path).exists():
            refusals.refuse(f"{path} is not there ({source})")
    accuracy = given.get("test_mode") == "accuracy"
    interactive = name.startswith("interactive_")
    null_run.run(
        model=f"{image.benchmark}-interactive" if interactive else image.benchmark,
        scenario="Offline" if name.startswith("offline_") else "Server",
        accuracy=accuracy,
        user_conf=given["harness_config.user_conf_path"],
        audit_conf="audit.config",
        output=Path(given["harness_config.output_log_dir"]),
        samples=image.samples,
    )


def score(image: Image, arguments: "list[str]") -> None:
    """The accuracy script: takes the log's path alone and leaves accuracy.txt beside it."""
    if len(arguments) != 1 or not re.fullmatch(r"/\S+/mlperf_log_accuracy\.json", arguments[0]):
        refusals.refuse(f"{image.score} takes the path of one accuracy log, not {' '.join(arguments) or 'nothing'}")
    log = Path(arguments[0])
    if not log.is_file():
        refusals.refuse(f"there is no {log}")
    if "ARCH" not in os.environ:
        no_rocminfo()
    (log.parent / "accuracy.txt").write_text(f"{image.accuracy}\n")


def no_rocminfo() -> NoReturn:
    """The published script asks rocminfo for the architecture where ARCH is not given."""
    refusals.refuse("ARCH is not set, and there is no rocminfo to ask")


if __name__ == "__main__":
    name = Path(sys.argv[1])
    main(str(name.relative_to(CODE)) if name.is_relative_to(CODE) else str(name), sys.argv[2:])
