"""ImageNet's validation pictures as the harnesses read them: one folder with `val_map.txt`, lines `file label`.

The archive is the user's own; nothing is decoded or resized here: harnesses preprocess by themselves.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

MAP = "val_map.txt"
_PICTURE = re.compile(r"^ILSVRC2012_val_\d{8}\.JPEG$")
_COUNTED = 5  # missing pictures that an error names


def validation(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """The pictures out of ILSVRC2012_img_val.tar (or a folder of them) and val.txt as val_map.txt.

    Parameter `count`: how many pictures val.txt has to name; each of them has to be there.
    """
    count = count_parameter(parameters)
    labels = read_labels(inputs.one("val.txt"))
    if len(labels) != count:
        raise BadInput(f"val.txt names {len(labels)} pictures; {count} are expected")
    found = 0
    for name, copy in _pictures(inputs):
        if name in labels:
            copy(output / name)
            found += 1
    missing = [name for name in labels if not (output / name).is_file()]
    if missing:
        named = ", ".join(missing[:_COUNTED])
        raise BadInput(f"{len(missing)} of {count} pictures are not in the archive, such as {named}")
    _write_map(output, labels)
    say(f"wrote {found} pictures and {MAP}")


def calibration(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """The pictures of a calibration list (lines `file` or `file number`) with their labels, in the list's order."""
    count = count_parameter(parameters)
    index = inputs.one(MAP)
    labels = read_labels(index)
    names = [line.split()[0] for line in inputs.one("cal_image_list_*.txt").read_text().splitlines() if line.strip()]
    if len(names) != count:
        raise BadInput(f"the calibration list names {len(names)} pictures; {count} are expected")
    unknown = [name for name in names if name not in labels or not (index.parent / name).is_file()]
    if unknown:
        raise BadInput(f"{len(unknown)} pictures of the list are not in the data set, such as {unknown[0]}")
    for name in names:
        shutil.copyfile(index.parent / name, output / name)
    _write_map(output, {name: labels[name] for name in names})
    say(f"wrote {len(names)} pictures and {MAP}")


def read_labels(path: Path) -> dict[str, str]:
    """Label by file name, in the file's order; BadInput for a line that is not `file label`."""
    labels: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdigit() or "/" in words[0]:
            raise BadInput(f"{path.name}:{number}: {line!r} is not `file label`")
        labels[words[0]] = words[1]
    return labels


def count_parameter(parameters: dict[str, str]) -> int:
    """The step's only parameter, `count`: a whole number of at least 1."""
    unknown = sorted(set(parameters) - {"count"})
    text = parameters.get("count", "")
    if unknown or not text.isdigit() or int(text) < 1:
        raise BadInput(f"the step takes 'count', a whole number of at least 1; not {unknown or text!r}")
    return int(text)


def _pictures(inputs: Inputs) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Name of each picture, and how to write it somewhere."""
    archives = [path for place in inputs.places.values() for path in _below(place) if path.suffix == ".tar"]
    if len(archives) > 1:
        raise BadInput(f"{len(archives)} archives are given; expected ILSVRC2012_img_val.tar alone")
    if archives:
        yield from _of_archive(archives[0])
        return
    for place in inputs.places.values():
        for path in _below(place):
            if _PICTURE.match(path.name):
                yield path.name, partial(_copied, path)


def _of_archive(path: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Regular files by their last name alone: a path inside the archive never decides where bytes go."""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                stream = archive.extractfile(member) if member.isreg() and _PICTURE.match(name) else None
                if stream is not None:
                    yield name, partial(_written, stream)
    except tarfile.TarError as error:
        raise BadInput(f"{path.name} is not a readable tar archive: {error}") from error


def _written(stream: IO[bytes], target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)


def _copied(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)


def _below(place: Path) -> Iterator[Path]:
    yield from (place,) if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


def _write_map(output: Path, labels: dict[str, str]) -> None:
    (output / MAP).write_text("".join(f"{name} {label}\n" for name, label in labels.items()), encoding="utf-8")
