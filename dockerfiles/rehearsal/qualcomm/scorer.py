"""Stands in for the official scorers in a rehearsal: their options, the shape of their line, fixed figures."""

import json
from pathlib import Path

import interface
import refusals

_LINES = {
    "accuracy-imagenet.py": "accuracy=76.456%, good=38228, total=50000",
    "accuracy-openimages.py": "mAP=37.572%",
    "accuracy-squad.py": '{"exact_match": 83.67076631977294, "f1": 90.8749}',
}
_READ = {"--imagenet-val-file", "--openimages-dir", "--vocab_file", "--val_data"}


def main(name: str, words: "list[str]") -> None:
    """Score LoadGen's accuracy log: every sample must be there once."""
    known = interface.TABLE["scorers"][name]
    interface.check({})
    interface.say(name)
    found: "dict[str, str]" = {}
    rest = list(words)
    while rest:
        option = rest.pop(0)
        if option not in known or (known[option]["takes"] != "nothing" and not rest):
            refusals.refuse(f"{name}: {option} is not documented (documented: {', '.join(sorted(known))})")
        found[option] = "yes" if known[option]["takes"] == "nothing" else rest.pop(0)
        takes = known[option]["takes"]
        if isinstance(takes, list) and found[option] not in takes:
            refusals.refuse(f"{name}: {option} {found[option]}: it takes {', '.join(takes)}")
        if option in _READ:
            interface.must_exist(name, option, found[option])
    log = json.loads(Path(found.get("--mlperf-accuracy-file") or found["--log_file"]).read_text())
    if not log or len({entry["qsl_idx"] for entry in log}) != len(log):
        refusals.refuse(f"{name}: {len(log)} answers, not one for each sample")
    print(_LINES[name])
